"""What happens after the 250: the sender's copy in Sent, and the recipients' reactions, each when its time has come."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime

from ampout.sandbox.delivered import Delivered, read_delivered
from ampout.sandbox.log import JsonLinesLog, LogNotWrittenError, Record
from ampout.sandbox.logins import mailbox_of
from ampout.sandbox.mailboxes import SENT, Mailboxes
from ampout.sandbox.reactions import Letter, Reaction, is_passive, react
from ampout.sandbox.recipients import Behaviour, Pace
from ampout.sandbox.records import Submission, Try, delivered_id, timestamp
from ampout.sandbox.visits import Visit, make_visit

logger = logging.getLogger(__name__)

PENDING_LIMIT = 20_000
"""Acts that may wait for their time; recipients of further mails do nothing."""
CLOSE_SECONDS = 5.0
"""How long a stop of the sandbox waits for acts that have begun."""
VISITS_AT_ONCE = 16
"""Requests side by side."""


class Aftermath:
    """Keeps the senders' mailboxes and lets the recipients act; what waits when the sandbox stops is never done."""

    def __init__(
        self,
        *,
        mailboxes: Mailboxes,
        log: JsonLinesLog,
        pace: Pace,
        web_port: int | None,
        read_clock: Callable[[], datetime],
    ) -> None:
        """`web_port` is where recipients find Ampout on loopback; with None they visit nothing."""
        self._mailboxes = mailboxes
        self._log = log
        self._pace = pace
        self._web_port = web_port
        self._read_clock = read_clock
        self._pending: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self._visits = asyncio.Semaphore(VISITS_AT_ONCE)

    def take(self, submission: Submission, tries: Sequence[Try]) -> None:
        """A mail was accepted by the recipients in ``tries``; what follows needs no waiting for."""
        self._begin(self._file_copy(submission))
        for one in tries:
            if mailbox_of(one.recipient) is not None:
                self._begin(self._deliver(Letter(submission.content, one.recipient), submission.login))
            if not is_passive(one.behaviour):
                self._begin(self._let_react(submission, one))

    async def close(self) -> None:
        """Drop what waits for its time, and finish what has begun."""
        self._is_closing = True
        for task in self._waiting:
            task.cancel()
        if self._pending:
            await asyncio.wait(self._pending, timeout=CLOSE_SECONDS)
        self._mailboxes.close()
        await self._log.close()

    def _begin(self, act: Coroutine[None, None, None]) -> None:
        if self._is_closing or len(self._pending) >= PENDING_LIMIT:
            act.close()
            return
        task = asyncio.create_task(act)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _file_copy(self, submission: Submission) -> None:
        """As Gmail and Outlook do with what is handed in by SMTP."""
        if submission.login:
            await self._deliver(Letter(submission.content, submission.login, SENT), submission.login)

    async def _let_react(self, submission: Submission, one: Try) -> None:
        mail = await asyncio.to_thread(
            read_delivered,
            submission.content,
            received_at=submission.received_at,
            sender=submission.sender,
            recipient=one.recipient,
            login=submission.login,
            message_id=delivered_id(submission, one),
        )
        if mail is None:
            return
        # What waits for its time needs to know which mail it is about, not what stands in it.
        about = replace(mail, text="", html="", images=(), links=(), header=b"", body=b"")
        for reaction in react(one.behaviour, mail):
            self._begin(self._act(reaction, one.behaviour, about))

    async def _act(self, reaction: Reaction, behaviour: Behaviour, mail: Delivered) -> None:
        await self._wait(reaction.after * self._pace.answer_seconds)
        if isinstance(reaction.act, Letter):
            await self._note(_line(reaction, behaviour, mail, self._read_clock()))
            await self._deliver(reaction.act, mail.login)
        elif self._web_port is not None:
            async with self._visits:
                status = await asyncio.to_thread(make_visit, reaction.act, self._web_port, mail.recipient)
            await self._note(_line(reaction, behaviour, mail, self._read_clock(), status))

    async def _wait(self, seconds: float) -> None:
        """Let time pass; the only part of an act that a stop of the sandbox cuts short."""
        nap = asyncio.create_task(asyncio.sleep(seconds))
        self._waiting.add(nap)
        try:
            await nap
        finally:
            self._waiting.discard(nap)

    async def _deliver(self, letter: Letter, login: str) -> None:
        """Into the mailbox of the address; where that is none of ours, it forwards to who handed the mail in."""
        mailbox = mailbox_of(letter.to) or mailbox_of(login)
        if mailbox is None:
            return
        try:
            await self._mailboxes.deliver(mailbox, letter.folder, letter.raw, self._read_clock())
        except OSError as error:
            logger.warning("A mail for %s cannot be kept: %s", mailbox, error)

    async def _note(self, line: Record) -> None:
        try:
            await self._log.append([line])
        except LogNotWrittenError as error:
            logger.warning("The sandbox's log cannot be written: %s", error)


def _line(
    reaction: Reaction, behaviour: Behaviour, mail: Delivered, now: datetime, status: int | None = None
) -> Record:
    """What the third log says of an act; a visit that was not answered counts as nothing."""
    act = reaction.act
    succeeded = isinstance(act, Letter) or (status is not None and status < 400)
    return {
        "time": timestamp(now),
        "recipient": mail.recipient,
        "sender": mail.sender,
        "login": mail.login,
        "behaviour": str(behaviour),
        "message_id": mail.message_id,
        "action": "mail" if isinstance(act, Letter) else act.method,
        "kind": str(reaction.kind) if succeeded else None,
        "folder": act.folder if isinstance(act, Letter) else None,
        "url": act.url if isinstance(act, Visit) else None,
        "status": status,
    }
