"""The poll loop: many side by side, connections that stay open, one reader a mailbox, and an orderly end."""

import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from ampout.lib import clock
from credentials.models import SmtpCredential
from dispatch.gateways.mailbox import OpenMailbox
from dispatch.models import DeliveryWorker, Mailbox, Notice
from dispatch.rules.folders import Folder, Role
from dispatch.rules.mailbox_cursor import Cursor
from dispatch.services import leases, mailboxes, poll_loop
from dispatch.services.mailboxes import Arrived, Fenced, Lease
from dispatch.services.poll_loop import ConnectionPool
from tests.faults.waiting import wait_for
from tests.peers.certificates import Certificates, certificates
from tests.peers.chaos_imap import running_chaos_imap
from tests.services.mailroom import MailRoom, a_bounce, a_reply, ahead_of, mail_ids, row_of, stored_ids

__all__ = ["certificates"]


@pytest.fixture
def room(
    transactional_db: None, settings: Settings, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MailRoom]:
    """Mailboxes at a chaos server on loopback."""
    settings.ALLOW_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.SMTP_CA_FILE = str(certificates.authority)
    settings.POLL_EVERY_SECONDS = 1
    monkeypatch.setattr(poll_loop, "IDLE_SECONDS", 0.05)
    with running_chaos_imap(certificates) as imap:
        made = MailRoom(imap)
        real_now = clock.utc_now
        monkeypatch.setattr(clock, "utc_now", lambda: ahead_of(real_now, made))
        yield made


def all_polled(count: int) -> bool:
    return Mailbox.objects.filter(polled_at__isnull=False).count() == count


# -- Side by side


def test_a_hundred_slow_mailboxes_are_read_side_by_side(room: MailRoom) -> None:
    for number in range(100):
        user, _ = room.mailbox(f"user{number}")
        user.inbox.add(a_bounce(number))
        user.latency = 0.2
    began = time.monotonic()
    room.run_until(lambda: all_polled(100))
    one_by_one = 100 * 0.2 * 8
    assert time.monotonic() - began < one_by_one / 8
    assert Notice.everywhere.count() == 100


def test_mailboxes_that_hang_do_not_delay_the_others(room: MailRoom, settings: Settings) -> None:
    settings.POLL_CONVERSATIONS = 8
    for number in range(4):
        room.mailbox(f"hanging{number}", "silent")
    for number in range(10):
        room.mailbox(f"well{number}")
    began = time.monotonic()
    room.run_until(lambda: all_polled(10))
    assert time.monotonic() - began < 10


def test_connections_stay_open_between_polls(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    user.inbox.add(a_bounce(1))
    with room.running():
        first = polled(credential, None)
        user.inbox.add(a_bounce(2))
        polled(credential, first)
    assert user.logins == 1
    assert stored_ids(credential) == mail_ids(1, 2)
    assert len(user.heard_of("LIST")) == 1


def polled(credential: SmtpCredential, since: datetime | None) -> datetime | None:
    """Wait for the next poll that ends well; when that was."""
    rows = Mailbox.objects.filter(pk=credential.pk, polled_at__isnull=False).exclude(polled_at=since)
    wait_for("the mailbox is polled", rows.exists, 30)
    return rows.get().polled_at


def test_a_connection_that_the_server_closed_is_replaced_without_a_failure(room: MailRoom) -> None:
    user, credential = room.mailbox("ann", "hangs_up_between_polls")
    with room.running():
        first = polled(credential, None)
        polled(credential, first)
        assert row_of(credential).problem == ""
    assert user.logins >= 2


def test_a_changed_password_gets_a_connection_of_its_own(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    with room.running():
        first = polled(credential, None)
        user.password = "another"
        credential.imap_password = "another"
        credential.save()
        polled(credential, first)
    assert user.logins == 2
    assert user.most_open == 1


def test_two_credentials_of_one_login_share_one_connection(room: MailRoom) -> None:
    user, first = room.mailbox("ann")
    second = room.credential("ann")
    user.inbox.add(a_bounce(1))
    room.run_until(lambda: all_polled(2))
    assert user.most_open == 1
    assert stored_ids(first) == stored_ids(second) == mail_ids(1)


def test_a_stored_reply_is_judged_within_seconds(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    message = room.sent(credential)
    user.inbox.add(a_reply(1, message))
    room.run_until(lambda: Notice.everywhere.filter(processed_at__isnull=False).exists())
    assert message.enrollment is not None
    message.enrollment.refresh_from_db()
    assert message.enrollment.status == "replied"


# -- One reader a mailbox


def test_two_loops_read_no_mailbox_at_the_same_time(room: MailRoom) -> None:
    users = []
    for number in range(10):
        user, _ = room.mailbox(f"user{number}")
        user.latency = 0.02
        user.inbox.add(a_bounce(number))
        users.append(user)
    with room.running("one"):
        room.run_until(lambda: all(row.fence >= 3 for row in Mailbox.objects.all()) and all_polled(10))
    assert [user.most_open for user in users] == [1] * 10
    assert Notice.everywhere.count() == 10


def leased(room: MailRoom, name: str = "ann") -> tuple[Lease, uuid.UUID]:
    """A mailbox in the hands of a loop, and another loop's id."""
    room.mailbox(name)
    mailboxes.sync_mailboxes(now=clock.utc_now())
    one, other = leases.start_worker("one"), leases.start_worker("other")
    assert one is not None
    assert other is not None
    [lease] = mailboxes.lease_due(one, now=clock.utc_now(), room=9)
    return lease, other


def test_a_leased_mailbox_is_nobody_elses(room: MailRoom) -> None:
    _, other = leased(room)
    assert mailboxes.lease_due(other, now=clock.utc_now(), room=9) == []


def test_a_mailbox_whose_lease_ran_out_is_taken_over(room: MailRoom) -> None:
    lease, other = leased(room)
    Mailbox.objects.update(lease_until=Now() - timedelta(seconds=1))
    [taken] = mailboxes.lease_due(other, now=clock.utc_now(), room=9)
    assert taken.fence == lease.fence + 1


def test_a_fenced_poller_moves_nothing(room: MailRoom) -> None:
    lease, other = leased(room)
    Mailbox.objects.update(lease_until=Now() - timedelta(seconds=1))
    mailboxes.lease_due(other, now=clock.utc_now(), room=9)
    work = mailboxes.load_work(lease)
    before = row_of(work.credential)
    mail = Arrived(a_bounce(1), clock.utc_now())
    folder = Folder(Role.INBOX, "INBOX", b"INBOX")
    with pytest.raises(Fenced):
        mailboxes.store_batch(lease, work.credential.account_id, folder, Cursor(7, 5), [mail])
    assert mailboxes.end_poll(lease, again=False, keep=True) is None
    mailboxes.fail_poll(lease, "too late")
    after = row_of(work.credential)
    assert (after.next_poll_at, after.problem, after.worker_id) == (before.next_poll_at, before.problem, other)
    assert "too late" not in after.problem
    assert not Notice.everywhere.exists()


def test_one_login_is_leased_once_whatever_the_credential(room: MailRoom) -> None:
    room.credential("ann")
    _, other = leased(room)
    assert Mailbox.objects.count() == 2
    assert mailboxes.lease_due(other, now=clock.utc_now(), room=9) == []


# -- The end


def test_a_second_loop_of_a_worker_returns_at_once(room: MailRoom) -> None:
    with room.running():
        wait_for_live_loop()
        assert poll_loop.poll("test", lambda: False) is False


def wait_for_live_loop() -> None:
    live = DeliveryWorker.objects.filter(ended_at__isnull=True)
    wait_for("the loop lives", live.exists, 30)


def test_a_loop_that_stops_gives_back_its_mailboxes(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    room.run_until(lambda: all_polled(1))
    row = row_of(credential)
    assert (row.worker_id, row.lease_until) == (None, None)
    assert not DeliveryWorker.objects.filter(ended_at__isnull=True).exists()
    wait_for("the connection is closed", lambda: user.open_now == 0, 10)


def test_a_loop_stops_in_the_middle_of_polls_that_hang(room: MailRoom) -> None:
    user, credential = room.mailbox("ann", "silent")
    with room.running():
        wait_for("the poll hangs", lambda: bool(user.heard_of("EXAMINE")), 30)
        began = time.monotonic()
    assert time.monotonic() - began < 8
    row = row_of(credential)
    assert (row.failures, row.worker_id) == (0, None), "stopping is no failure of the server"


def test_a_poll_that_ends_while_the_loop_stops_leaves_no_connection(
    room: MailRoom, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.POLL_EVERY_SECONDS = 600
    room.mailbox("ann")
    pools: list[ConnectionPool] = []
    may_keep, end_poll = ConnectionPool.may_keep, mailboxes.end_poll

    def may_keep_here(pool: ConnectionPool, mailbox: OpenMailbox) -> bool:
        pools.append(pool)
        return may_keep(pool, mailbox)

    def end_poll_as_the_loop_stops(lease: Lease, *, again: bool, keep: bool) -> datetime | None:
        due = end_poll(lease, again=again, keep=keep)
        assert pools[0].cut_all() == []
        return due

    monkeypatch.setattr(ConnectionPool, "may_keep", may_keep_here)
    monkeypatch.setattr(mailboxes, "end_poll", end_poll_as_the_loop_stops)
    with room.running():
        wait_for("the poll has ended", lambda: all_polled(1) and not pools[0].in_use, 30)
        assert pools[0].resting == {}


def test_a_loop_that_lost_its_lease_stops(room: MailRoom, settings: Settings) -> None:
    settings.LEASE_SECONDS = 1
    room.mailbox("ann")
    with room.running():
        wait_for_live_loop()
        DeliveryWorker.objects.update(ended_at=Now())
        wait_for("its mailbox is free", lambda: not Mailbox.objects.filter(lease_until__gt=Now()).exists(), 30)
