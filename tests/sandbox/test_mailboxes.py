"""The senders' mailboxes on disk."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ampout.sandbox.logins import mailbox_of
from ampout.sandbox.mailboxes import LARGEST_MAIL, MOST_BOUNDARIES, Mailboxes, is_kept

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
LOGIN = "sender1@sandbox.test"


def deliver(root: Path, mails: Sequence[bytes], folder: str = "INBOX", now: datetime = NOW) -> Mailboxes:
    """Deliver these at once, by a process that began at `now`."""

    async def run() -> Mailboxes:
        mailboxes = Mailboxes(root, now)
        await asyncio.gather(*(mailboxes.deliver(LOGIN, folder, mail, now) for mail in mails))
        mailboxes.close()
        return mailboxes

    return asyncio.run(run())


def contents(mailboxes: Mailboxes, folder: str = "INBOX") -> list[tuple[int, bytes]]:
    return [(mail.uid, mail.path.read_bytes()) for mail in mailboxes.folder(LOGIN, folder).mails]


def test_mails_have_uids_in_the_order_of_arrival(tmp_path: Path) -> None:
    mailboxes = deliver(tmp_path, [b"one", b"two", b"three"])
    assert contents(mailboxes) == [(1, b"one"), (2, b"two"), (3, b"three")]


def test_a_restart_finds_the_same_mails_under_the_same_uidvalidity(tmp_path: Path) -> None:
    first = deliver(tmp_path, [b"one", b"two"]).folder(LOGIN, "INBOX")
    later = NOW + timedelta(days=1)
    again = deliver(tmp_path, [b"three"], now=later)
    assert contents(again) == [(1, b"one"), (2, b"two"), (3, b"three")]
    folder = again.folder(LOGIN, "INBOX")
    assert (folder.uid_validity, folder.identifier) == (first.uid_validity, first.identifier)
    assert [mail.arrived_at for mail in folder.mails] == [NOW, NOW, later]


def test_folders_and_logins_are_apart(tmp_path: Path) -> None:
    mailboxes = deliver(tmp_path, [b"one"], "Junk")
    assert contents(mailboxes, "Junk") == [(1, b"one")]
    assert contents(mailboxes) == []
    assert mailboxes.folder("sender2@sandbox.test", "Junk").mails == []


def test_there_are_no_other_folders(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        Mailboxes(tmp_path, NOW).folder(LOGIN, "../../etc")


def test_what_a_kill_left_half_written_is_no_mail(tmp_path: Path) -> None:
    deliver(tmp_path, [b"one"])
    (tmp_path / LOGIN / "INBOX" / "0000000002.eml.new").write_bytes(b"hal")
    assert contents(deliver(tmp_path, [b"two"])) == [(1, b"one"), (2, b"two")]


@pytest.mark.parametrize("mail", [b"x" * (LARGEST_MAIL + 1), b"\r\n--x" * (MOST_BOUNDARIES + 1)])
def test_a_mail_that_would_cost_much_to_show_is_not_kept(tmp_path: Path, mail: bytes) -> None:
    assert not is_kept(mail)
    assert contents(deliver(tmp_path, [mail, b"one"])) == [(1, b"one")]


@pytest.mark.parametrize(
    ("address", "login"),
    [
        ("sender1@sandbox.test", "sender1@sandbox.test"),
        ("Sender12+token+more@SANDBOX.test", "sender12@sandbox.test"),
        ("sender0@sandbox.test", None),
        ("sender1000@sandbox.test", None),
        ("anna.berg@sandbox.test", None),
        ("sender1@sandbox-b.test", None),
        ("sender1", None),
        ("", None),
    ],
)
def test_a_tag_belongs_to_the_mailbox_before_it(address: str, login: str | None) -> None:
    assert mailbox_of(address) == login
