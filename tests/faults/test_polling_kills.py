"""C1, C2: a poll loop killed at any boundary of a poll loses no mail and stores none twice, every time."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.db import connection
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from credentials.models import SmtpCredential
from dispatch.models import DeliveryWorker, Mailbox, MailboxFolder
from dispatch.services import poll_loop
from tests.faults.loops import Loop, Nursery
from tests.faults.waiting import wait_for
from tests.peers.certificates import Certificates
from tests.peers.chaos_imap import ImapUser, a_mail, running_chaos_imap
from tests.services.mailroom import MailRoom, a_bounce, cursor_of, mail_ids, row_of, stored_ids

REPEATS = int(os.environ.get("REPEATS") or 20)


@dataclass(frozen=True, slots=True)
class Left:
    """What a loop that died there had done: how far its cursor was, and the mails stored. The next one does the rest.

    `cursor` is None where there was none yet; `polled` says whether the poll had ended.
    """

    cursor: int | None
    stored: int
    polled: bool = False


TABLE = {
    "poll_after_lease": Left(None, 0),
    "poll_after_connect": Left(None, 0),
    "poll_after_search": Left(None, 0),
    "poll_before_store": Left(None, 0),
    "poll_after_headers": Left(0, 0),
    "poll_after_fetch:2": Left(200, 4),
    "poll_before_store:3": Left(200, 4),
    "poll_mid_store:4": Left(400, 8),
    "poll_after_store:4": Left(450, 9),
    "poll_before_end": Left(450, 9),
    "poll_after_end": Left(450, 9, polled=True),
}
"""By failpoint, with the passing at which it kills: the first transaction makes the cursor, each later is a batch."""

BOUNCES = tuple(range(50, 451, 50))


@pytest.fixture
def room(
    transactional_db: None, settings: Settings, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MailRoom]:
    """Mailboxes at a chaos server on loopback."""
    settings.ALLOW_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.SMTP_CA_FILE = str(certificates.authority)
    monkeypatch.setattr(poll_loop, "IDLE_SECONDS", 0.05)
    with running_chaos_imap(certificates) as imap:
        yield MailRoom(imap)


def fill(user: ImapUser) -> None:
    """450 mails, of which nine concern us."""
    for number in range(1, 451):
        user.inbox.add(a_bounce(number) if number in BOUNCES else a_mail(number))


def start(nursery: Nursery, room: MailRoom, name: str, **values: object) -> Loop:
    """A poll loop in a process of its own."""
    assert room.imap is not None
    given = {"SMTP_CA_FILE": room.imap.ca_file, "ALLOW_PRIVATE_NETWORKS": ["127.0.0.0/8"], **values}
    database = connection.settings_dict["NAME"]
    return Loop(nursery, int(nursery.ask({"start": name, "loop": "poll", "database": database, "settings": given})))


def let_leases_run_out() -> None:
    """As if the dead loop's time had passed, and that to the next poll."""
    DeliveryWorker.objects.filter(ended_at__isnull=True).update(ended_at=Now())
    Mailbox.objects.filter(lease_until__isnull=False).update(lease_until=Now())
    Mailbox.objects.update(next_poll_at=Now())


def what_is_left(credential: SmtpCredential) -> Left:
    cursor = MailboxFolder.objects.filter(mailbox_id=credential.pk, name="INBOX").values_list("last_uid", flat=True)
    return Left(cursor.first(), len(stored_ids(credential)), row_of(credential).polled_at is not None)


def assert_end(room: MailRoom, nursery: Nursery, point: str) -> None:
    """Die there; the next loop stores what is missing, once each, and what came meanwhile."""
    user, credential = room.mailbox("ann")
    fill(user)
    assert start(nursery, room, "doomed", CRASH_AT=point).wait() == -signal.SIGKILL
    assert what_is_left(credential) == TABLE[point]
    user.inbox.add(a_bounce(451))
    let_leases_run_out()
    room.run_until(lambda: what_is_left(credential) == Left(451, 10, polled=True))
    assert stored_ids(credential) == mail_ids(*BOUNCES, 451)


@pytest.mark.parametrize("point", TABLE)
def test_a_loop_killed_there_loses_nothing_and_repeats_nothing(room: MailRoom, nursery: Nursery, point: str) -> None:
    assert_end(room, nursery, point)


@pytest.mark.faults_long
@pytest.mark.parametrize("repeat", range(REPEATS))
@pytest.mark.parametrize("point", TABLE)
def test_a_loop_killed_there_ends_so_every_time(room: MailRoom, nursery: Nursery, point: str, repeat: int) -> None:
    assert_end(room, nursery, point)


def test_a_frozen_loop_that_thaws_after_its_lease_moves_nothing(room: MailRoom, nursery: Nursery) -> None:
    user, credential = room.mailbox("ann")
    fill(user)
    user.latency = 0.3
    frozen = start(nursery, room, "frozen", LEASE_SECONDS=2)
    try:
        wait_for("the loop reads", lambda: bool(user.heard_of("BODY.PEEK[HEADER]")), 60, nursery.words)
        frozen.send_signal(signal.SIGSTOP)
        let_leases_run_out()
        user.latency = 0.0
        room.run_until(lambda: row_of(credential).polled_at is not None)
        fence, cursor = row_of(credential).fence, cursor_of(credential).last_uid
        frozen.send_signal(signal.SIGCONT)
        assert frozen.wait() == 0
    finally:
        frozen.kill()
    assert stored_ids(credential) == mail_ids(*BOUNCES)
    assert (row_of(credential).fence, cursor_of(credential).last_uid) == (fence, cursor)
