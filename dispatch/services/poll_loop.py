"""The poll loop: one long-lived task a worker, which reads many mailboxes side by side (design: A reply).

It leases what is due, polls each in a task of its own, and keeps connections open between polls: a poll over an open
connection costs a fortieth of one with a login. A mailbox stays with the loop that keeps its connection, and goes to
any other once that loop is late. Whatever one server does, the other mailboxes are read at their times.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings

from ampout.lib import clock
from ampout.lib.database_thread import DatabaseThread
from ampout.lib.heartbeat import renew_until_lost
from dispatch.gateways.mailbox import OpenMailbox
from dispatch.services import leases, mailboxes, notices
from dispatch.services.mailboxes import Lease
from dispatch.services.polling import Means, Poll

logger = logging.getLogger(__name__)

IDLE_SECONDS = 1.0
"""Between two looks at what is due."""
SYNC_SECONDS = 10.0
"""Between two looks at which credentials have a mailbox."""
MOST_RESTING = 1_000
"""Connections that one loop keeps open; each costs a socket and some 100 KB."""
LONGEST_CONNECTION = timedelta(hours=1)
"""After this long a connection is made anew, which also asks for the folders again."""
STOP_SECONDS = 10.0
"""What polls may take to end once their connections were cut off."""
JUDGED_AT_ONCE = 50


@dataclass(slots=True)
class Resting:
    """A connection between two polls, and when it is given up."""

    mailbox: OpenMailbox
    until: datetime


class ConnectionPool:
    """The open connections of this loop: resting ones by login, and those in use by mailbox."""

    def __init__(self) -> None:
        self.is_closing = False
        self.resting: dict[str, Resting] = {}
        self.in_use: dict[uuid.UUID, OpenMailbox] = {}

    def may_keep(self, mailbox: OpenMailbox) -> bool:
        """Whether there is room for this connection to rest, and it is young enough."""
        is_young = clock.utc_now() - mailbox.opened_at < LONGEST_CONNECTION
        return is_young and not self.is_closing and not mailbox.has_failed and len(self.resting) < MOST_RESTING

    def take(self, login: str) -> OpenMailbox | None:
        """The connection that rests at this login, which then belongs to the caller."""
        resting = self.resting.pop(login, None)
        return resting.mailbox if resting else None

    def put(self, login: str, mailbox: OpenMailbox, due: datetime) -> None:
        """Let it rest until the mailbox is due, and as long as the lease holds then."""
        self.resting[login] = Resting(mailbox, due + timedelta(seconds=settings.LEASE_SECONDS))

    def use(self, lease: Lease, mailbox: OpenMailbox) -> None:
        """This connection is in use now; where the loop stops already, it is cut off."""
        self.in_use[lease.credential_id] = mailbox
        if self.is_closing:
            mailbox.cut_off()

    def end_use(self, lease: Lease) -> None:
        """The poll of this mailbox has ended."""
        self.in_use.pop(lease.credential_id, None)

    def take_outdated(self, now: datetime) -> dict[str, OpenMailbox]:
        """Connections that rested for too long: their mailbox is somebody else's, or nobody's."""
        outdated = [login for login, resting in self.resting.items() if resting.until < now]
        return {login: self.resting.pop(login).mailbox for login in outdated}

    def cut_all(self) -> list[OpenMailbox]:
        """Cut off what is in use, and hand over what rests, to be closed."""
        self.is_closing = True
        for mailbox in self.in_use.values():
            mailbox.cut_off()
        resting = [one.mailbox for one in self.resting.values()]
        self.resting.clear()
        return resting


class PollLoop:
    """One loop under one lease. `stop_requested` is polled; the loop then gives back its mailboxes and returns."""

    def __init__(self, worker_id: uuid.UUID, stop_requested: Callable[[], bool]) -> None:
        self.worker_id = worker_id
        self.stop_requested = stop_requested
        self.fenced = False
        self.database = DatabaseThread()
        self.judging = DatabaseThread()
        self.threads = ThreadPoolExecutor(settings.POLL_CONVERSATIONS, thread_name_prefix="imap")
        self.connections = ConnectionPool()
        self.court = asyncio.Lock()
        self.polls: dict[uuid.UUID, tuple[Lease, asyncio.Task[None]]] = {}
        self._something_ended = asyncio.Event()
        self._something_stored = asyncio.Event()
        self._synced_at = float("-inf")

    async def run(self) -> None:
        """Poll until asked to stop, or until the lease is lost."""
        helpers = [asyncio.create_task(self._renew()), asyncio.create_task(self._judge())]
        try:
            while not self.stop_requested() and not self.fenced:
                await self._tick()
                await self._wait()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await self._shut_down()

    async def _tick(self) -> None:
        now = clock.utc_now()
        passed = asyncio.get_running_loop().time()
        if passed - self._synced_at >= SYNC_SECONDS:
            await self.database.run(mailboxes.sync_mailboxes, now=now)
            self._synced_at = passed
        room = settings.POLL_CONVERSATIONS - len(self.polls)
        if room > 0:
            failing = sum(lease.failures > 0 for lease, _ in self.polls.values())
            ask = partial(mailboxes.lease_due, now=now, room=room, busy=list(self.polls), failing=failing)
            for lease in await self.database.run(ask, self.worker_id):
                self.polls[lease.credential_id] = (lease, asyncio.create_task(self._poll(lease)))
        await self._close_outdated(now)

    async def _wait(self) -> None:
        self._something_ended.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._something_ended.wait(), IDLE_SECONDS)

    async def _poll(self, lease: Lease) -> None:
        means = Means(self.database, self.threads, self.connections, self.court)
        try:
            result = await Poll(lease, means).run()
            if result.stored:
                self._something_stored.set()
        finally:
            self.connections.end_use(lease)
            del self.polls[lease.credential_id]
            self._something_ended.set()

    async def _renew(self) -> None:
        await renew_until_lost(self._renew_leases, settings.LEASE_SECONDS)
        logger.error("This poll loop lost its lease: it drops its connections and stops.")
        self.fenced = True
        self._something_ended.set()

    async def _renew_leases(self) -> bool:
        """The loop's own, and those of the mailboxes that it reads now."""
        if not await self.database.run(leases.renew_lease, self.worker_id):
            return False
        await self.database.run(mailboxes.renew_leases, self.worker_id, list(self.polls))
        return True

    async def _judge(self) -> None:
        """Judge what was stored, at once: a reply stops its sequence within seconds."""
        while True:
            await self._something_stored.wait()
            self._something_stored.clear()
            try:
                while await self.judging.run(notices.process_due, JUDGED_AT_ONCE):
                    pass
            except Exception:
                logger.exception("Notices could not be judged; the next round tries again.", extra={"action": "poll"})

    async def _close_outdated(self, now: datetime) -> None:
        for login, mailbox in self.connections.take_outdated(now).items():
            await self._in_thread(mailbox.close)
            await self.database.run(mailboxes.release_login, self.worker_id, login)

    async def _shut_down(self) -> None:
        resting = self.connections.cut_all()
        tasks = [task for _, task in self.polls.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
        await asyncio.gather(*(self._in_thread(mailbox.close) for mailbox in resting))
        if not self.fenced:
            await self.database.run(mailboxes.release_all, self.worker_id)
            await self.database.run(leases.end_worker, self.worker_id)
        await self.judging.close()
        await self.database.close()
        self.threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, function: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self.threads, function)


def poll(name: str, stop_requested: Callable[[], bool]) -> bool:
    """Run a poll loop under `name` until asked to stop; False at once while a live one holds that name."""
    worker_id = leases.start_worker(f"poll {name}")
    if worker_id is None:
        return False
    logger.info("Poll loop %s started.", name, extra={"action": "poll", "worker_id": str(worker_id)})
    asyncio.run(PollLoop(worker_id, stop_requested).run())
    logger.info("Poll loop %s ended.", name, extra={"action": "poll", "worker_id": str(worker_id)})
    return True
