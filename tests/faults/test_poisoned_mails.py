"""A8: a mail that kills its readers is left out after three deaths, and everything else of the mailbox is read."""

import signal

from pytest_django.fixtures import Settings

from tests.faults.loops import Nursery
from tests.faults.test_polling_kills import BOUNCES, fill, let_leases_run_out, room, start
from tests.services.mailroom import MailRoom, cursor_of, mail_ids, row_of, stored_ids

__all__ = ["room"]

KILLER = 150


def test_a_mail_that_kills_three_readers_is_left_out(room: MailRoom, nursery: Nursery, settings: Settings) -> None:
    user, credential = room.mailbox("ann")
    fill(user)
    [killer] = mail_ids(KILLER)
    for number in range(3):
        assert start(nursery, room, f"doomed {number}", CRASH_AT=f"read={killer}").wait() == -signal.SIGKILL
        let_leases_run_out()
    settings.CRASH_AT = f"read={killer}"
    room.run_until(lambda: row_of(credential).polled_at is not None)
    assert stored_ids(credential) == mail_ids(*(one for one in BOUNCES if one != KILLER))
    folder, mailbox = cursor_of(credential), row_of(credential)
    assert (folder.last_uid, folder.left_out_uids, folder.trial_uid) == (450, [KILLER], None)
    assert (mailbox.deaths, mailbox.is_reading, mailbox.problem) == (0, False, "")


def test_a_reader_that_was_killed_by_chance_costs_nothing(room: MailRoom, nursery: Nursery) -> None:
    user, credential = room.mailbox("ann")
    fill(user)
    assert start(nursery, room, "doomed", CRASH_AT="poll_mid_store:2").wait() == -signal.SIGKILL
    let_leases_run_out()
    room.run_until(lambda: row_of(credential).polled_at is not None)
    assert stored_ids(credential) == mail_ids(*BOUNCES)
    assert (row_of(credential).deaths, cursor_of(credential).left_out_uids) == (0, [])
