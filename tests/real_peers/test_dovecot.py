"""Mailboxes at a real Dovecot: read whole, read once, and byte for byte as they were."""

import pytest
from pytest_django.fixtures import Settings

from ampout.lib import clock
from dispatch.models import Mailbox, Notice
from dispatch.rules.message_state import MessageState
from dispatch.services import poll_loop
from tests.faults.waiting import wait_for
from tests.peers.certificates import Certificates
from tests.peers.chaos_imap import a_mail
from tests.real_peers.dovecot import PASSWORD, Dovecot
from tests.services.mailroom import MailRoom, a_bounce, a_reply, cursor_of, mail_ids, row_of, stored_ids


@pytest.fixture
def room(transactional_db: None, settings: Settings, certificates: Certificates, dovecot: Dovecot) -> MailRoom:
    """Mailboxes at Dovecot; each test takes users of its own."""
    settings.ALLOW_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.SMTP_CA_FILE = str(certificates.authority)
    return MailRoom(port=dovecot.port, password=PASSWORD)


def filled(dovecot: Dovecot, users: list[str], count: int) -> None:
    """So many mails in each mailbox, every hundredth of them a bounce, half of them seen."""
    for user in users:
        mails = [a_bounce(number) if number % 100 == 0 else a_mail(number) for number in range(1, count + 1)]
        dovecot.deliver(user, mails[: count // 2], flags="S")
        dovecot.deliver(user, mails[count // 2 :])
        dovecot.deliver(user, [a_bounce(count + 1)], folder="Junk")


def test_mailboxes_are_read_whole_side_by_side_and_stay_as_they_were(room: MailRoom, dovecot: Dovecot) -> None:
    users = [f"whole{number}" for number in range(10)]
    filled(dovecot, users, 200)
    before = [dovecot.snapshot(user) for user in users]
    credentials = [room.credential(user) for user in users]
    room.poll()
    room.poll()
    for credential in credentials:
        assert stored_ids(credential) == mail_ids(100, 200, 201)
        assert (row_of(credential).problem, cursor_of(credential).last_uid) == ("", 200)
    assert [dovecot.snapshot(user) for user in users] == before


def test_other_numbers_find_nothing_twice(room: MailRoom, dovecot: Dovecot) -> None:
    filled(dovecot, ["renumbered"], 200)
    credential = room.credential("renumbered")
    room.poll()
    before = cursor_of(credential).uid_validity
    assert before is not None
    # Dovecot's UIDVALIDITY is the second in which it is made.
    wait_for("a second has passed", lambda: clock.utc_now().timestamp() > before + 1, 5)
    dovecot.forget_numbers("renumbered")
    dovecot.deliver("renumbered", [a_bounce(300)])
    room.poll()
    assert cursor_of(credential).uid_validity != before
    assert stored_ids(credential) == mail_ids(100, 200, 201, 300)


def test_a_reply_is_stored_whole_with_the_time_of_its_arrival(room: MailRoom, dovecot: Dovecot) -> None:
    credential = room.credential("replied")
    reply = a_reply(1, room.sent(credential))
    dovecot.deliver("replied", [reply])
    room.poll()
    [notice] = Notice.everywhere.filter(credential=credential)
    assert bytes(notice.body) == reply


def test_a_copy_among_sent_mail_resolves_an_unknown_message(room: MailRoom, dovecot: Dovecot) -> None:
    credential = room.credential("sender")
    message = room.sent(credential, state=MessageState.UNKNOWN.value, settled_at=None)
    absent = room.sent(credential, state=MessageState.UNKNOWN.value, settled_at=None)
    copy = a_mail(1).replace(b"<mail1@recipient.example>", message.message_id.encode())
    dovecot.deliver("sender", [copy, a_mail(2)], folder="Sent", flags="S")
    before = dovecot.snapshot("sender")
    room.poll()
    message.refresh_from_db()
    absent.refresh_from_db()
    assert (message.state, absent.state) == (MessageState.ACCEPTED, MessageState.UNKNOWN)
    assert dovecot.snapshot("sender") == before


def test_two_loops_read_the_same_mailboxes_once(
    room: MailRoom, dovecot: Dovecot, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll_loop, "IDLE_SECONDS", 0.05)
    settings.POLL_EVERY_SECONDS = 1
    users = [f"both{number}" for number in range(6)]
    filled(dovecot, users, 100)
    credentials = [room.credential(user) for user in users]
    with room.running("one"):
        room.run_until(lambda: Mailbox.objects.filter(fence__gte=3).count() == len(users))
    assert all(stored_ids(credential) == mail_ids(100, 101) for credential in credentials)


def test_a_wrong_password_is_told_in_dovecots_words(room: MailRoom) -> None:
    credential = room.credential("stranger", imap_password="wrong")
    room.poll()
    assert "[AUTHENTICATIONFAILED]" in row_of(credential).problem
