"""C8: whatever a server does, the poll ends in time with a sentence, memory stays small, and others are read."""

import resource
import time
from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from ampout.lib import clock
from dispatch.services import poll_loop, polling
from tests.peers.certificates import Certificates, certificates
from tests.peers.chaos_imap import a_mail, running_chaos_imap
from tests.peers.chaos_imap_faults import FAULTS, HARMLESS
from tests.services.mailroom import MailRoom, a_bounce, ahead_of, cursor_of, mail_ids, row_of, stored_ids

__all__ = ["certificates"]

HARMFUL = sorted(set(FAULTS) - HARMLESS)

SENTENCES = {
    "a_byte_a_second": "did not answer in time.",
    "bad_password": "refused the login: [AUTHENTICATIONFAILED] wrong user name or password",
    "broken_numbers": "did not let the mailbox be read: ",
    "bye_at_examine": "too many connections from your address",
    "bye_mid_fetch": "closed the connection",
    "endless_line": "it sent more than was asked for",
    "ends_at_the_second_mail": "closed the connection",
    "flood": "",  # too much, or too slow: a race
    "garbage": "did not let the mailbox be read: ",
    "literal_of_ten_gigabytes": "it sent more than was asked for",
    "literal_too_long": "did not let the mailbox be read: ",
    "literal_too_short": "did not answer in time.",
    "no_uid_validity": "does not number the mails of INBOX (no UIDVALIDITY).",
    "refuses_every_mail": "The server lets no new mail be read: FETCH: cannot read it",
    "shows_nothing": "does not show the mails that it lists.",
    "silent": "did not answer in time.",
    "throttled_fetch": "[THROTTLED] come back later",
    "throttled_search": "[THROTTLED] come back later",
}


@pytest.fixture
def room(
    transactional_db: None, settings: Settings, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MailRoom]:
    """Mailboxes at a chaos server on loopback; what may take a minute takes a second here."""
    settings.ALLOW_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.SMTP_CA_FILE = str(certificates.authority)
    monkeypatch.setattr(poll_loop, "IDLE_SECONDS", 0.05)
    monkeypatch.setattr(poll_loop, "SYNC_SECONDS", 0.0)
    monkeypatch.setattr(polling, "LONGEST_POLL_SECONDS", 2.0)
    monkeypatch.setattr(polling, "SHORTEST_STRETCH_SECONDS", 1.0)
    with running_chaos_imap(certificates) as imap:
        made = MailRoom(imap)
        real_now = clock.utc_now
        monkeypatch.setattr(clock, "utc_now", lambda: ahead_of(real_now, made))
        yield made


def test_every_fault_has_its_sentence() -> None:
    assert sorted(SENTENCES) == HARMFUL
    assert len(FAULTS) >= 20


@pytest.mark.parametrize("fault", HARMFUL)
def test_a_fault_ends_in_a_sentence_harms_no_other_mailbox_and_loses_nothing(room: MailRoom, fault: str) -> None:
    broken, credential = room.mailbox("broken", fault)
    well, neighbour = room.mailbox("well")
    for number in range(1, 4):
        broken.inbox.add(a_bounce(number))
        well.inbox.add(a_bounce(number))
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    room.poll()
    assert time.monotonic() - began < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kilobytes"
    row = row_of(credential)
    assert SENTENCES[fault] in row.problem
    assert (row.failures, row.worker_id) == (1, None)
    assert stored_ids(neighbour) == mail_ids(1, 2, 3)
    broken.fault = ""
    broken.inbox.add(a_bounce(4))
    room.poll()
    assert stored_ids(credential) == mail_ids(1, 2, 3, 4)
    assert row_of(credential).problem == ""


@pytest.mark.parametrize("fault", sorted(HARMLESS - {"refuses_the_second_mail"}))
def test_an_oddity_does_no_harm(room: MailRoom, fault: str) -> None:
    user, credential = room.mailbox("odd", fault)
    for number in range(1, 4):
        user.inbox.add(a_bounce(number))
    room.poll()
    user.inbox.add(a_bounce(4))
    room.poll()
    assert row_of(credential).problem == ""
    assert stored_ids(credential) == mail_ids(1, 2, 3, 4)


def test_a_damaged_mail_costs_only_itself(room: MailRoom) -> None:
    user, credential = room.mailbox("odd", "refuses_the_second_mail")
    for number in range(1, 6):
        user.inbox.add(a_bounce(number))
    room.poll()
    room.poll()
    assert stored_ids(credential) == mail_ids(1, 3, 4, 5)
    assert row_of(credential).problem == ""


def test_a_damaged_mail_that_comes_alone_is_passed_by_after_a_while(room: MailRoom) -> None:
    user, credential = room.mailbox("odd", "refuses_the_second_mail")
    user.inbox.add(a_mail(1))
    room.poll()
    user.inbox.add(a_bounce(2))
    for _ in range(2):
        room.poll()
        assert "cannot read it" in row_of(credential).problem
    user.inbox.add(a_bounce(3))
    room.poll()
    assert stored_ids(credential) == mail_ids(3)
    assert cursor_of(credential).last_uid == 3
    assert row_of(credential).problem == ""


def test_a_mail_that_ends_every_connection_is_passed_by_in_the_end(room: MailRoom) -> None:
    user, credential = room.mailbox("odd", "ends_at_the_second_mail")
    for number in range(1, 9):
        user.inbox.add(a_bounce(number))
    for _ in range(7):
        room.poll()
    assert stored_ids(credential) == mail_ids(1, *range(3, 9))
    assert row_of(credential).problem == ""
    user.fault = ""
    room.poll()
    assert stored_ids(credential) == mail_ids(*range(1, 9))


def test_a_server_without_tls_gets_no_login(room: MailRoom) -> None:
    room.chaos.plain = True
    user, credential = room.mailbox("ann")
    room.poll()
    assert row_of(credential).problem
    assert user.logins == 0
    assert user.heard == []


def test_a_folder_named_in_utf7_is_read(room: MailRoom) -> None:
    user, credential = room.mailbox("ann")
    user.folders["Spam"].wire, user.folders["Spam"].flags = "&BCEEPwQwBDw-", ""
    user.folders["Spam"].add(a_bounce(1))
    room.poll()
    assert stored_ids(credential) == mail_ids(1)
    assert cursor_of(credential, "Спам").role == "junk"


def test_no_secret_reaches_the_logs_or_the_row(room: MailRoom, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    for fault in ("bad_password", "garbage", "bye_mid_fetch"):
        room.mailbox(fault, fault)[0].inbox.add(a_bounce(1))
    room.poll()
    assert "imap-canary" not in caplog.text
    assert "Delivery System" not in caplog.text
