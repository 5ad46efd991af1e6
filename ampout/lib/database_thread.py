"""The event loop's way to the database: one thread with one connection, and requests that share a transaction.

A database that goes away (a restart, a failover) is waited for; what was asked is asked again, so every function given
here must bear being run twice.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
Ask = TypeVar("Ask")
Answer = TypeVar("Answer")

FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 2.0


def _close_connection() -> None:
    """Close this thread's connection; the name is looked up in the thread, as each has its own."""
    connection.close()


class DatabaseThread:
    """Runs Django code for an event loop, one call after the other."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result; waits and asks again while the database cannot be reached."""
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                return await self.run_once(function, *args, **kwargs)
            except (OperationalError, InterfaceError) as error:
                logger.warning("The database did not answer (%s); asking again.", type(error).__name__)
                await self.run_once(_close_connection)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    async def run_once(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result or exception, without a second try."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, lambda: function(*args, **kwargs))

    async def close(self) -> None:
        """Close the connection and end the thread."""
        await self.run_once(_close_connection)
        self._executor.shutdown(wait=False)


class Batcher(Generic[Ask, Answer]):
    """Collects what many tasks ask within one database round trip, and answers all of them from the next one.

    It needs no timer: the first request goes at once, and what comes while it is under way makes the next batch.
    """

    def __init__(
        self, database: DatabaseThread, function: Callable[[Sequence[Ask]], Sequence[Answer]], limit: int = 256
    ) -> None:
        self._database = database
        self._function = function
        self._limit = limit
        self._waiting: list[tuple[Ask, asyncio.Future[Answer]]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, question: Ask) -> Answer:
        """The answer to this question; raises what the function raised for its batch."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._flush())
        return await asyncio.shield(answer)

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
            try:
                answers = await self._database.run(self._function, [question for question, _ in batch])
            except Exception as error:  # noqa: BLE001  # handed to everyone who asked
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), answer in zip(batch, answers, strict=True):
                    if not future.done():
                        future.set_result(answer)
