"""Polling: what concerns us is stored once, the rest is left alone, and the mailbox never notices (C1 to C3)."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from pytest_django.fixtures import Settings

from ampout.lib import clock
from dispatch.models import Mailbox, MailboxFolder, Message, Notice
from dispatch.rules.message_state import MessageState
from dispatch.services import mailboxes, poll_loop
from tests import factories
from tests.peers.certificates import Certificates, certificates
from tests.peers.chaos_imap import StoredFolder, a_mail, days_ago, running_chaos_imap
from tests.services.mailroom import (
    MailRoom,
    a_bounce,
    a_reply,
    ahead_of,
    cursor_of,
    mail_ids,
    row_of,
    stored_ids,
)

__all__ = ["certificates"]


@pytest.fixture
def room(
    transactional_db: None, settings: Settings, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MailRoom]:
    """Mailboxes at a chaos server on loopback."""
    settings.ALLOW_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.SMTP_CA_FILE = str(certificates.authority)
    monkeypatch.setattr(poll_loop, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(poll_loop, "SYNC_SECONDS", 0.0)
    with running_chaos_imap(certificates) as imap:
        made = MailRoom(imap)
        real_now = clock.utc_now
        monkeypatch.setattr(clock, "utc_now", lambda: ahead_of(real_now, made))
        yield made


# -- What is stored


def test_replies_and_notices_are_stored_and_the_rest_is_not(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    message = room.sent(credential, "bob@recipient.example")
    user.inbox.add(a_mail(1))
    user.inbox.add(a_reply(2, message))
    user.inbox.add(a_bounce(3))
    user.inbox.add(a_mail(4, sender="Bob <bob@recipient.example>"))
    room.poll()
    assert stored_ids(credential) == mail_ids(2, 3, 4)


def test_bodies_are_fetched_only_of_what_is_stored(room: MailRoom) -> None:
    user, _ = room.mailbox("ann")
    for number in range(1, 30):
        user.inbox.add(a_mail(number))
    user.inbox.add(a_bounce(30))
    room.poll()
    assert [line.split(" ")[3] for line in user.heard_of("BODY.PEEK[]")] == ["30"]


def test_nothing_but_reading_is_ever_asked(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    room.sent(credential, state=MessageState.UNKNOWN.value)
    user.inbox.add(a_bounce(1))
    room.poll()
    room.poll()
    asked = {" ".join(line.split(" ")[1:3]) if " UID " in line else line.split(" ")[1] for line in user.heard}
    assert asked <= {"CAPABILITY", "LIST", "EXAMINE", "UID SEARCH", "UID FETCH", "NOOP", "LOGOUT"}
    assert all("PEEK" in line for line in user.heard_of("BODY"))


def test_junk_is_read_too(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    user.folders["Spam"].add(a_bounce(1))
    room.poll()
    assert stored_ids(credential) == mail_ids(1)
    assert cursor_of(credential, "Spam").role == "junk"


def test_a_mail_that_lies_in_two_folders_is_one(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    user.inbox.add(a_bounce(1))
    user.folders["Spam"].add(a_bounce(1))
    room.poll()
    assert stored_ids(credential) == mail_ids(1)


def test_mail_from_before_the_credential_is_left_alone(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    for number in range(1, 600):
        user.inbox.add(a_bounce(number), arrived_at=days_ago(10))
    user.inbox.add(a_bounce(600), arrived_at=days_ago(1))
    room.poll()
    room.poll()
    assert stored_ids(credential) == mail_ids(600)
    assert cursor_of(credential).last_uid == 600


def test_an_empty_mailbox_has_a_cursor_all_the_same(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    room.poll()
    assert (cursor_of(credential).uid_validity, cursor_of(credential).last_uid) == (7, 0)
    user.inbox.add(a_bounce(1), arrived_at=days_ago(30))
    room.poll()
    assert stored_ids(credential) == mail_ids(1)


def test_a_mail_of_a_gigabyte_is_read_in_part(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    user.inbox.add(a_bounce(1) + b"x" * 3_000_000)
    room.poll()
    [notice] = Notice.everywhere.filter(credential=credential)
    assert len(bytes(notice.body)) == 1_048_576


def test_a_header_block_without_end_is_cut(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    user.inbox.add(b"X: " + b"y" * 200_000 + b"\r\n" + a_bounce(1))
    user.inbox.add(a_bounce(2))
    room.poll()
    assert cursor_of(credential).last_uid == 2
    assert stored_ids(credential) == mail_ids(2)


# -- Once, and none missed


def test_polling_again_stores_nothing_twice(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    for number in range(1, 6):
        user.inbox.add(a_bounce(number))
    for _ in range(3):
        room.poll()
    assert stored_ids(credential) == mail_ids(1, 2, 3, 4, 5)
    assert len(user.heard_of("BODY.PEEK[]")) == 1


def test_other_numbers_are_scanned_anew_and_find_nothing_twice(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    for number in range(1, 6):
        user.inbox.add(a_bounce(number))
    room.poll()
    user.folders["INBOX"] = StoredFolder("INBOX", uid_validity=8)
    for number in (5, 3, 9, 1, 2, 4):
        user.inbox.add(a_bounce(number))
    room.poll()
    assert stored_ids(credential) == mail_ids(1, 2, 3, 4, 5, 9)
    assert (cursor_of(credential).uid_validity, cursor_of(credential).last_uid) == (8, 6)


def test_a_mailbox_that_was_put_back_from_a_copy_is_scanned_anew(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    for number in range(1, 10):
        user.inbox.add(a_bounce(number))
    room.poll()
    user.folders["INBOX"] = StoredFolder("INBOX")
    for number in (1, 2, 20):
        user.inbox.add(a_bounce(number))
    room.poll()
    assert stored_ids(credential) == mail_ids(*range(1, 10), 20)


def test_a_number_that_shows_late_is_read(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    for number in range(1, 5):
        user.inbox.add(a_bounce(number), hidden=number == 2)
    room.poll()
    assert stored_ids(credential) == mail_ids(1, 3, 4)
    user.inbox.mails[1].hidden = False
    room.poll()
    assert stored_ids(credential) == mail_ids(1, 2, 3, 4)


def test_many_mails_are_read_batch_by_batch(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    for number in range(1, 451):
        user.inbox.add(a_bounce(number) if number % 50 == 0 else a_mail(number))
    room.poll()
    assert stored_ids(credential) == mail_ids(*range(50, 451, 50))
    asked = [line.split(" ")[3] for line in user.heard_of("BODY.PEEK[HEADER]")]
    assert asked == ["1:16", "17:200", "201:400", "401:450"]


def test_a_poll_whose_time_is_over_goes_on_next_time(room: MailRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatch.services.polling.POLL_BYTES", 1_000)
    user, credential = room.mailbox("ann")
    for number in range(1, 451):
        user.inbox.add(a_bounce(number))
    room.poll()
    assert stored_ids(credential) == mail_ids(*range(1, 451))
    assert row_of(credential).polled_at is not None


# -- Rows


def test_only_credentials_with_an_imap_login_have_a_mailbox(room: MailRoom) -> None:
    _, with_login = room.mailbox("ann")
    _, disabled = room.mailbox("bob", disabled_at=clock.utc_now())
    room.mailbox("cid", retired_at=clock.utc_now())
    room.credential("dan", imap_password="")
    factories.make_credential(room.account)
    room.poll()
    assert set(Mailbox.objects.values_list("pk", flat=True)) == {with_login.pk, disabled.pk}


def test_a_credential_that_lost_its_login_loses_its_mailbox(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    user.inbox.add(a_bounce(1))
    room.poll()
    credential.imap_host = ""
    credential.save()
    room.poll()
    assert not Mailbox.objects.exists()
    assert not MailboxFolder.objects.exists()


def test_another_login_begins_with_fresh_cursors(room: MailRoom) -> None:
    ann, credential = room.mailbox("ann")
    ann.inbox.add(a_bounce(1))
    room.poll()
    bob = room.chaos.user("bob")
    bob.inbox.add(a_bounce(2))
    credential.imap_username = "bob"
    credential.save()
    room.poll()
    assert stored_ids(credential) == mail_ids(1, 2)
    assert row_of(credential).login.endswith(" bob")


def test_a_folder_that_was_renamed_is_read_under_its_new_name(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    user.folders["Spam"].add(a_bounce(1))
    room.poll()
    user.folders["Spam"].wire = "Junk mail"
    user.folders["Spam"].add(a_bounce(2))
    room.poll()
    assert stored_ids(credential) == mail_ids(1, 2)
    names = MailboxFolder.objects.filter(mailbox_id=credential.pk).values_list("name", flat=True)
    assert sorted(names) == ["INBOX", "Junk mail"]


# -- Sent mail resolves unknown messages


def unknown(room: MailRoom) -> tuple[StoredFolder, Message]:
    user, credential = room.mailbox("ann")
    return user.folders["Sent"], room.sent(credential, state=MessageState.UNKNOWN.value, settled_at=None)


def state_of(message: Message) -> str:
    return str(Message.everywhere.values_list("state", flat=True).get(pk=message.pk))


def test_a_copy_in_sent_proves_that_a_message_left(room: MailRoom) -> None:
    sent, message = unknown(room)
    sent.add(a_mail(1).replace(b"<mail1@recipient.example>", message.message_id.encode()))
    room.poll()
    assert state_of(message) == MessageState.ACCEPTED


def test_no_copy_in_sent_proves_nothing(room: MailRoom) -> None:
    sent, message = unknown(room)
    sent.add(a_mail(1))
    room.poll()
    assert state_of(message) == MessageState.UNKNOWN


def test_a_server_that_finds_something_else_proves_nothing(room: MailRoom) -> None:
    sent, message = unknown(room)
    sent.add(a_mail(1, extra=f"References: {message.message_id}\r\n"))
    room.poll()
    assert state_of(message) == MessageState.UNKNOWN


def test_sent_is_opened_only_while_something_is_unknown(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    room.sent(credential)
    room.poll()
    assert [line.split(" ", 2)[2] for line in user.heard_of("EXAMINE")] == ['"INBOX"', '"Spam"']


# -- Failures


def test_a_failure_is_kept_in_the_servers_words_and_polled_later(room: MailRoom) -> None:
    _, credential = room.mailbox("ann", "bad_password")
    before = clock.utc_now()
    room.poll()
    row = row_of(credential)
    assert row.failures == 1
    assert row.problem.endswith("refused the login: [AUTHENTICATIONFAILED] wrong user name or password")
    assert row.problem_at is not None
    assert timedelta(seconds=300) < row.next_poll_at - before < timedelta(seconds=420)
    assert (row.worker_id, row.lease_until) == (None, None)


def test_a_success_forgets_the_problem(room: MailRoom) -> None:
    user, credential = room.mailbox("ann", "bad_password")
    room.poll()
    user.fault = ""
    room.poll()
    row = row_of(credential)
    assert (row.failures, row.problem, row.problem_at) == (0, "", None)


def test_a_changed_credential_is_tried_at_once(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    user.password = "another"
    room.poll()
    assert row_of(credential).failures == 1
    mailboxes.sync_mailboxes(now=clock.utc_now())
    assert row_of(credential).next_poll_at > clock.utc_now()
    credential.imap_password, credential.updated_at = "another", clock.utc_now()
    credential.save()
    mailboxes.sync_mailboxes(now=clock.utc_now())
    assert row_of(credential).next_poll_at <= clock.utc_now()


def test_a_password_that_no_key_opens_is_that_mailboxs_problem(room: MailRoom, settings: Settings) -> None:
    _, credential = room.mailbox("ann")
    settings.FIELD_KEYS = [("A" * 43) + "="]
    room.poll()
    assert "FIELD_KEYS" in row_of(credential).problem


def test_the_door_is_closed_to_private_servers(room: MailRoom, settings: Settings) -> None:
    user, credential = room.mailbox("ann")
    settings.ALLOW_PRIVATE_NETWORKS = []
    room.poll()
    assert "ALLOW_PRIVATE_NETWORKS" in row_of(credential).problem
    assert user.logins == 0
