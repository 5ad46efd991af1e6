"""Mailboxes at a chaos IMAP server, and the poll loop that reads them: rounds by hand, or a loop in a thread."""

import asyncio
import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from ampout.accounts.models import Account
from ampout.lib import clock
from campaigns.models import Enrollment
from credentials.models import SmtpCredential
from dispatch.models import Mailbox, MailboxFolder, Message, Notice
from dispatch.rules.message_state import MessageState
from dispatch.services import leases, notices, poll_loop
from dispatch.services.poll_loop import PollLoop
from tests import factories
from tests.faults.waiting import wait_for
from tests.peers.chaos_imap import PASSWORD, ChaosImap, ImapUser, a_mail

PATIENCE_SECONDS = 30


@dataclass
class MailRoom:
    """One account whose mailboxes are at one server: the chaos server, or another one at `port`."""

    imap: ChaosImap | None = None
    port: int = 0
    password: str = PASSWORD
    account: Account = field(default_factory=factories.make_account)
    ahead: timedelta = field(default_factory=timedelta)

    def mailbox(self, name: str, fault: str = "", **fields: Any) -> tuple[ImapUser, SmtpCredential]:
        """A login at the chaos server, and the credential that knows it."""
        user = self.chaos.user(name, fault)
        return user, self.credential(name, **fields)

    def credential(self, name: str, **fields: Any) -> SmtpCredential:
        """A credential with the IMAP login of this user."""
        defaults = {
            "imap_host": "localhost",
            "imap_port": self.port or (self.imap.port if self.imap else None),
            "imap_username": name,
            "imap_password": self.password,
            "created_at": clock.utc_now(),
        }
        return factories.make_credential(self.account, **(defaults | fields))

    def sent(self, credential: SmtpCredential, email: str = "", **fields: Any) -> Message:
        """A message that this credential sent to a new contact, an hour ago."""
        campaign = factories.make_campaign(self.account, credentials=[credential])
        enrollment: Enrollment = factories.enroll(campaign, factories.make_contact(self.account, email or None))
        hour_ago = clock.utc_now() - timedelta(hours=1)
        defaults = {"credential": credential, "state": MessageState.ACCEPTED.value, "wire_at": hour_ago}
        return factories.make_message(enrollment, **(defaults | {"settled_at": hour_ago} | fields))

    @property
    def chaos(self) -> ChaosImap:
        """The chaos server."""
        assert self.imap is not None
        return self.imap

    # -- Polls

    def skip(self, **units: float) -> None:
        """Set the clock ahead."""
        self.ahead += timedelta(**units)

    def poll(self, *, judging: bool = False) -> None:
        """One round by a loop of its own: every mailbox is due, and read until it has nothing more."""
        Mailbox.objects.update(next_poll_at=clock.utc_now() - timedelta(seconds=1))
        asyncio.run(_one_round(judging))

    @contextlib.contextmanager
    def running(self, name: str = "test") -> Iterator[None]:
        """A loop in a thread, until the block ends."""
        stopping = threading.Event()
        worker = threading.Thread(target=_run, args=[name, stopping])
        worker.start()
        try:
            yield
        finally:
            stopping.set()
            worker.join(PATIENCE_SECONDS)
        assert not worker.is_alive(), "the poll loop did not stop"

    def run_until(self, done: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Poll by a loop until this holds."""
        with self.running():
            wait_for("the mailboxes are read", done, seconds)


async def _one_round(judging: bool) -> None:
    worker_id = await asyncio.to_thread(_start_worker)
    loop = PollLoop(worker_id, lambda: False)
    try:
        await loop._tick()
        while loop.polls:
            await asyncio.gather(*(task for _, task in loop.polls.values()))
            await loop._tick()
        if judging:
            await loop.judging.run(notices.process_due)
    finally:
        await loop._shut_down()


def _start_worker() -> uuid.UUID:
    try:
        worker_id = leases.start_worker(f"round {uuid.uuid4()}")
    finally:
        connection.close()
    assert worker_id is not None
    return worker_id


def _run(name: str, stopping: threading.Event) -> None:
    try:
        poll_loop.poll(name, stopping.is_set)
    finally:
        connection.close()


# -- What came of it


def row_of(credential: SmtpCredential) -> Mailbox:
    """The mailbox's row, as it is now."""
    return Mailbox.objects.get(pk=credential.pk)


def cursor_of(credential: SmtpCredential, name: str = "INBOX") -> MailboxFolder:
    """How far a folder was read."""
    return MailboxFolder.objects.get(mailbox_id=credential.pk, name=name)


def stored_ids(credential: SmtpCredential) -> list[str]:
    """The Message-IDs of what was stored of this mailbox, sorted."""
    found = Notice.everywhere.filter(credential=credential).values_list("headers", flat=True)
    return sorted(_message_id(headers) for headers in found)


def _message_id(headers: str) -> str:
    return next(line[12:].strip() for line in headers.splitlines() if line.startswith("Message-ID:"))


def mail_ids(*numbers: int) -> list[str]:
    """The Message-IDs of `a_mail` of these numbers, sorted."""
    return sorted(f"<mail{number}@recipient.example>" for number in numbers)


def a_bounce(number: int) -> bytes:
    """A mail that looks like a machine's notice, so that it is always worth storing."""
    sender = "Mail Delivery System <MAILER-DAEMON@mx.recipient.example>"
    extra = "Return-Path: <>\r\nAuto-Submitted: auto-replied\r\n"
    return a_mail(number, sender=sender, subject="Undelivered Mail Returned to Sender", extra=extra)


def a_reply(number: int, message: Message) -> bytes:
    """A person's answer to a message."""
    extra = f"In-Reply-To: {message.message_id}\r\n"
    return a_mail(number, sender=message.recipient, subject="Re: Hello", extra=extra, body="Yes, please.")


def ahead_of(real_now: Callable[[], datetime], room: MailRoom) -> datetime:
    """The room's time."""
    return real_now() + room.ahead
