"""C1, C2: a poll loop killed between fetch and commit, at every boundary, loses no mail and stores none twice."""

import signal
from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from dispatch.models import DeliveryWorker, Mailbox
from dispatch.services import poll_loop
from tests.faults.loops import Loop, Nursery
from tests.faults.waiting import wait_for
from tests.peers.certificates import Certificates
from tests.peers.chaos_imap import ImapUser, a_mail, running_chaos_imap
from tests.services.mailroom import MailRoom, a_bounce, cursor_of, mail_ids, row_of, stored_ids

POINTS = (
    "poll_before_store",
    "poll_after_fetch",
    "poll_after_fetch:2",
    "poll_before_store:3",
    "poll_mid_store:2",
    "poll_mid_store:3",
    "poll_after_store:2",
    "poll_after_store:3",
)
"""With the passing at which it kills: the first transaction makes the cursor, each later one is a batch of 200."""

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
    """As if the dead loop's time had passed."""
    DeliveryWorker.objects.filter(ended_at__isnull=True).update(ended_at=Now())
    Mailbox.objects.filter(lease_until__isnull=False).update(lease_until=Now())


@pytest.mark.parametrize("point", POINTS)
def test_a_loop_killed_there_loses_nothing_and_repeats_nothing(room: MailRoom, nursery: Nursery, point: str) -> None:
    user, credential = room.mailbox("ann")
    fill(user)
    assert start(nursery, room, "doomed", CRASH_AT=point).wait() == -signal.SIGKILL
    let_leases_run_out()
    room.run_until(lambda: row_of(credential).polled_at is not None)
    assert stored_ids(credential) == mail_ids(*BOUNCES)
    assert cursor_of(credential).last_uid == 450


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
