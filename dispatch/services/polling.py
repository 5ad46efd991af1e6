"""One poll of one mailbox: what is new is looked at, what may concern us is stored, and the cursor moves past it.

1. Take the open connection to this login, or make one.
2. For INBOX and junk: EXAMINE; begin anew where the numbers changed; search from a little below the cursor.
3. In batches: header blocks, the decision which mails are worth it, those mails whole; then one transaction stores
   them and moves the cursor.
4. While messages of this credential are `unknown`: look for their copies among what was sent.
5. Look at what showed late, below the cursor, and at mails that could not be read before. Whatever these do, the poll
   has gone well.
6. Say when it is due again; keep the connection.

IMAP blocks, so every stretch of it runs in a thread; the database has a thread of its own.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

from ampout.lib import clock
from ampout.lib.crypto import DecryptionFailed
from ampout.lib.database_thread import DatabaseThread
from credentials.gateways.imap_connection import ImapFailure, ImapStage, Limits
from dispatch.gateways.mailbox import FolderState, OpenMailbox, WholeMail, Withheld
from dispatch.rules import mailbox_cursor
from dispatch.rules.folders import Folder, Role
from dispatch.rules.mail.reader import Mail, read_mail
from dispatch.rules.mail_traces import without_traces
from dispatch.rules.mailbox_cursor import Cursor
from dispatch.rules.poll_timing import DEATHS_TO_TRIAL, LARGEST_BATCH, MAILS_ON_TRIAL, batch_size, may_pass_by
from dispatch.services import mailboxes
from dispatch.services.failpoints import crash, crash_over
from dispatch.services.mailboxes import Arrived, Fenced, Lease, Work

logger = logging.getLogger(__name__)

P = ParamSpec("P")
Answer = TypeVar("Answer")

LONGEST_POLL_SECONDS = 55.0
"""What a server may take of us at a time: whatever is under way then is cut off."""
SHORTEST_STRETCH_SECONDS = 5.0
"""What a stretch of IMAP gets at least, however late it begins."""
POLL_SECONDS = 30.0
"""After this long a poll begins no further batch; it goes on once the other mailboxes that are due had their turn."""
POLL_BYTES = 100_000_000
"""Likewise after so many bytes of mail, as it was announced."""
HELLO_SECONDS = 10.0
"""For the first answer on a connection that rested; without one a new connection is made."""

WHY_NO_LOGIN = (
    "The stored IMAP password cannot be decrypted by any key of FIELD_KEYS: "
    "put back the key it was written with, or set the password anew."
)
OUR_ERROR = "An error of Ampout itself stopped the poll; its log has the details. It is tried again."


class Connections(Protocol):
    """The open connections of a loop, by login."""

    is_closing: bool
    """Whether the loop stops: what fails then has not failed by itself."""

    def may_keep(self, mailbox: OpenMailbox) -> bool:
        """Whether there is room for this connection to rest, and it is young enough."""

    def take(self, login: str) -> OpenMailbox | None:
        """The connection that rests at this login, which then belongs to the caller."""

    def put(self, login: str, mailbox: OpenMailbox, due: datetime) -> None:
        """Let it rest until the mailbox is due."""

    def use(self, lease: Lease, mailbox: OpenMailbox) -> None:
        """This connection is in use now, and is to be cut off where the loop has to stop."""


@dataclass(frozen=True, slots=True)
class Means:
    """What polls share: the database's thread, the threads for IMAP, the connections."""

    database: DatabaseThread
    threads: Executor
    connections: Connections
    court: asyncio.Lock
    """Held for the time in which one mail is read alone, so that whoever dies then died of it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a poll came to: how many mails it stored, and whether it was the last word on the mailbox."""

    stored: int = 0
    settled: int = 0
    failed: bool = False


class Poll:
    """One poll, from the lease to its end."""

    def __init__(self, lease: Lease, means: Means) -> None:
        self.lease = lease
        self.means = means
        self.stored = 0
        self.settled = 0
        self._bytes = 0
        self._began = asyncio.get_running_loop().time()
        self._mailbox: OpenMailbox | None = None

    async def run(self) -> Result:
        """Poll, and record how it ended. Never raises for what a server does, nor for an error of ours."""
        crash("poll_after_lease")
        try:
            work = await self.means.database.run(mailboxes.load_work, self.lease)
            again = await self._read(work)
            await self._end(again=again)
        except Fenced:
            await self._drop()
            return Result(self.stored, self.settled, failed=True)
        except (ImapFailure, DecryptionFailed, Withheld) as failure:
            await self._fail(_explain(failure))
            return Result(self.stored, self.settled, failed=True)
        except Exception:
            logger.exception("Mailbox %s: an error of ours.", self.lease.credential_id, extra={"action": "poll"})
            await self._fail(OUR_ERROR)
            return Result(self.stored, self.settled, failed=True)
        return Result(self.stored, self.settled)

    async def _read(self, work: Work) -> bool:
        """Read every folder; True when there is more than this poll has time for."""
        self._mailbox = mailbox = await self._connect(work)
        crash("poll_after_connect")
        folders = await self.imap(mailbox, mailbox.folders)
        if any(name not in {folder.name for folder in folders} for name in work.cursors):
            await self.means.database.run(mailboxes.forget_folders, self.lease, folders)
        readings = [FolderReading(self, mailbox, folder, work) for folder in folders if folder.role is not Role.SENT]
        for reading in readings:
            if await reading.read_new():
                return True
        await self._look_for_copies(mailbox, folders, work)
        for reading in readings:
            await reading.read_late()
        return False

    async def _connect(self, work: Work) -> OpenMailbox:
        """The connection that rests at this login, if the server still listens and the password is the same."""
        credential = work.credential
        facts = (credential.imap_host, credential.imap_port or 0, credential.imap_username, credential.imap_password)
        rested = self.means.connections.take(self.lease.login)
        if rested is not None:
            self.means.connections.use(self.lease, rested)
            if rested.login.password == credential.imap_password and await self._still_listens(rested):
                return rested
            await self._in_thread(rested.close)
        opened = await self._in_thread(self._open, *facts, Limits(whole=self._seconds_left()))
        self.means.connections.use(self.lease, opened)
        return opened

    def _open(self, host: str, port: int, username: str, password: str, limits: Limits) -> OpenMailbox:
        """A new connection; closed again where the loop stops meanwhile, as nobody would take it any more."""
        opened = OpenMailbox.open(host, port, username, password, limits)
        if self.means.connections.is_closing:
            opened.close()
            raise ImapFailure(ImapStage.CONNECT, "The poll loop stops.")
        return opened

    async def _still_listens(self, rested: OpenMailbox) -> bool:
        def ask() -> None:
            with rested.within(HELLO_SECONDS):
                rested.say_hello()

        try:
            await self._in_thread(ask)
        except ImapFailure:
            return False
        return True

    async def _look_for_copies(self, mailbox: OpenMailbox, folders: Sequence[Folder], work: Work) -> None:
        """A copy in Sent proves that a message left; no copy proves nothing (law 3)."""
        sent = next((folder for folder in folders if folder.role is Role.SENT), None)
        if sent is None or not work.unknown or self.is_over:
            return

        def search() -> list[mailboxes.UnknownMessage]:
            mailbox.examine(sent)
            return [message for message in work.unknown if mailbox.holds_copy(message.message_ids)]

        try:
            found = await self.imap(mailbox, search)
        except Withheld as refusal:
            logger.info("Mailbox %s: %s stays closed: %s", self.lease.credential_id, sent.name, refusal)
            return
        if found:
            ids = [message.pk for message in found]
            self.settled = await self.means.database.run(mailboxes.settle_found, self.lease, ids)

    # -- What readings of folders ask

    @property
    def is_over(self) -> bool:
        """Whether this poll has had its time."""
        return self._seconds_spent() > POLL_SECONDS or self._bytes > POLL_BYTES

    def _seconds_spent(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    def _seconds_left(self) -> float:
        return max(SHORTEST_STRETCH_SECONDS, LONGEST_POLL_SECONDS - self._seconds_spent())

    def count_bytes(self, count: int) -> None:
        """So much was read."""
        self._bytes += count

    async def imap(
        self, mailbox: OpenMailbox, function: Callable[P, Answer], *args: P.args, **kwargs: P.kwargs
    ) -> Answer:
        """One stretch of IMAP in a thread, under one deadline."""
        seconds = self._seconds_left()

        def stretch() -> Answer:
            with mailbox.within(seconds):
                return function(*args, **kwargs)

        return await self._in_thread(stretch)

    async def _in_thread(self, function: Callable[P, Answer], *args: P.args, **kwargs: P.kwargs) -> Answer:
        running = asyncio.get_running_loop()
        return await running.run_in_executor(self.means.threads, partial(function, *args, **kwargs))

    # -- Ends

    async def _end(self, *, again: bool) -> None:
        connections, mailbox = self.means.connections, self._mailbox
        keep = mailbox is not None and connections.may_keep(mailbox)
        crash("poll_before_end")
        due = await self.means.database.run(mailboxes.end_poll, self.lease, again=again, keep=keep)
        crash("poll_after_end")
        if due is None:
            raise Fenced
        self._mailbox = None
        if mailbox is not None and keep and not connections.is_closing:
            connections.put(self.lease.login, mailbox, due)
        elif mailbox is not None:
            await self._in_thread(mailbox.log_out, HELLO_SECONDS)

    async def _fail(self, problem: str) -> None:
        await self._drop()
        if not self.means.connections.is_closing:
            await self.means.database.run(mailboxes.fail_poll, self.lease, problem)

    async def _drop(self) -> None:
        mailbox, self._mailbox = self._mailbox, None
        if mailbox is not None:
            await self._in_thread(mailbox.close)


def _explain(failure: Exception) -> str:
    if isinstance(failure, ImapFailure):
        return failure.sentence
    if isinstance(failure, Withheld):
        return f"The server lets no new mail be read: {failure}"
    return WHY_NO_LOGIN


class FolderReading:
    """One folder, from EXAMINE to its last new mail."""

    def __init__(self, poll: Poll, mailbox: OpenMailbox, folder: Folder, work: Work) -> None:
        self.poll = poll
        self.mailbox = mailbox
        self.folder = folder
        self.work = work
        self.cursor = work.cursors.get(folder.name, Cursor())
        self.is_new = False
        self.late: list[int] = []

    async def read_new(self) -> bool:
        """Read what is new; True when there is more."""
        try:
            found = await self.poll.imap(self.mailbox, self._search)
        except Withheld as refusal:
            logger.info("Mailbox %s: %s stays closed: %s", self.poll.lease.credential_id, self.folder.name, refusal)
            return False
        crash("poll_after_search")
        if self.is_new:
            await self._store([])
        new = [uid for uid in found if uid > self.cursor.last_uid]
        self.late = [uid for uid in found if uid <= self.cursor.last_uid]
        lease = self.poll.lease
        size = batch_size(lease.failures + lease.deaths)
        on_trial = MAILS_ON_TRIAL if lease.deaths >= DEATHS_TO_TRIAL else 0
        while new:
            if self.poll.is_over:
                return True
            if on_trial > 0:
                batch, new, on_trial = new[:1], new[1:], on_trial - 1
                async with self._trial(batch[0]):
                    await self._read_or_pass_by(batch)
            else:
                batch, new = new[:size], new[size:]
                await self._read_or_pass_by(batch)
        return False

    @asynccontextmanager
    async def _trial(self, uid: int) -> AsyncIterator[None]:
        """For the time in which this mail is read alone; should we die meanwhile, the next reader leaves it out."""
        database, lease = self.poll.means.database, self.poll.lease
        async with self.poll.means.court:
            await database.run(mailboxes.put_on_trial, lease, self.folder, uid)
            try:
                yield
            finally:
                await database.run(mailboxes.put_on_trial, lease, self.folder, None)

    async def read_late(self) -> None:
        """Read what showed below the cursor. A mail that cannot be read has had its turn, and ends nothing."""
        if not self.late or self.poll.is_over or self.mailbox.has_failed:
            return
        try:
            await self.poll.imap(self.mailbox, self.mailbox.examine, self.folder)
            while self.late and not self.poll.is_over:
                await self._read_some_late()
        except (ImapFailure, Withheld) as failure:
            logger.info("Mailbox %s: mails are withheld: %s", self.poll.lease.credential_id, failure)

    async def _read_some_late(self) -> None:
        if self.poll.lease.deaths < DEATHS_TO_TRIAL:
            batch, self.late = self.late[:LARGEST_BATCH], self.late[LARGEST_BATCH:]
            await self._read_batch(batch)
            return
        uid = self.late.pop(0)
        async with self._trial(uid):
            await self._read_batch([uid])

    async def _read_or_pass_by(self, batch: list[int]) -> None:
        failures = self.poll.lease.failures
        try:
            await self._read_batch(batch)
        except Withheld:
            if not may_pass_by(failures, len(batch), refused=True):
                raise
            await self._pass_by(batch)
        except ImapFailure:
            if may_pass_by(failures, len(batch), refused=False):
                await self._pass_by(batch)
            raise

    async def _pass_by(self, batch: list[int]) -> None:
        self.cursor = mailbox_cursor.advance(self.cursor, batch, [])
        await self._store([])

    def _search(self) -> list[int]:
        state = self.mailbox.examine(self.folder)
        if mailbox_cursor.must_begin_anew(self.cursor, state.uid_validity, state.uid_next):
            return self._begin(state)
        left_out = self.work.left_out.get(self.folder.name, frozenset())
        found = [uid for uid in self.mailbox.search_range(self.cursor.search_from) if uid not in left_out]
        return mailbox_cursor.still_to_read(self.cursor, found)

    def _begin(self, state: FolderState) -> list[int]:
        """Of a folder that is new to us, only what arrived since our time; what lies below is left alone."""
        wanted = self.mailbox.search_since(self.work.since.date())
        highest = state.uid_next - 1 if state.uid_next else max(self.mailbox.search_range(1), default=0)
        self.cursor = mailbox_cursor.begin(state.uid_validity, wanted, highest)
        if self.cursor.last_uid:
            present = self.mailbox.search_range(self.cursor.search_from, self.cursor.last_uid)
            self.cursor = mailbox_cursor.leave_alone(self.cursor, present)
        self.is_new = True
        return wanted

    async def _read_batch(self, batch: list[int]) -> None:
        """Headers, the decision, the mails, and the one transaction."""
        mails = await self.poll.imap(self.mailbox, self._read_headers, batch)
        crash("poll_after_headers")
        uids = list(mails)
        chosen = await self._choose([mails[uid] for uid in uids])
        wanted = [uid for uid, is_wanted in zip(uids, chosen, strict=True) if is_wanted]
        whole = await self.poll.imap(self.mailbox, self._read_whole, wanted) if wanted else {}
        crash("poll_after_fetch")
        done = [uid for uid in uids if uid in whole or uid not in wanted]
        self.cursor = mailbox_cursor.advance(self.cursor, batch, done)
        await self._store([Arrived(mail.raw, _arrival(mail)) for mail in whole.values()])

    async def _store(self, arrived: list[Arrived]) -> None:
        facts = (self.poll.lease, self.work.credential.account_id, self.folder, self.cursor, arrived)
        self.poll.stored += await self.poll.means.database.run(mailboxes.store_batch, *facts)

    def _read_headers(self, batch: list[int]) -> dict[int, Mail]:
        headers = self.mailbox.headers(batch)
        self.poll.count_bytes(sum(map(len, headers.values())))
        for raw in headers.values():
            crash_over("read", raw)
        return {uid: read_mail(without_traces(raw)) for uid, raw in headers.items()}

    def _read_whole(self, wanted: list[int]) -> dict[int, WholeMail]:
        whole = self.mailbox.mails(wanted)
        self.poll.count_bytes(sum(len(mail.raw) for mail in whole.values()))
        return whole

    async def _choose(self, mails: Sequence[Mail]) -> list[bool]:
        return await self.poll.means.database.run(mailboxes.choose_mails, self.work.credential, mails)


def _arrival(mail: WholeMail) -> datetime:
    """When the server took a mail in; servers' clocks run ahead, and some name no time."""
    now = clock.utc_now()
    return min(mail.arrived_at or now, now)
