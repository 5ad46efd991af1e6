"""The bytes of one SMTP connection: writing, back-pressure, and replies in order, each against a deadline.

An asyncio.Protocol rather than streams: a message costs a fifth of the CPU, and what arrived when is known exactly.
Deadlines are instants of the event loop's own monotonic clock, in seconds.
"""

import asyncio
import select
import ssl
from collections import deque
from typing import cast

from credentials.rules.smtp_parser import ReplyParser
from credentials.rules.smtp_words import Failure, Reply

WRITE_BLOCK_BYTES = 65_536
"""How much is written between two looks at the connection."""

_MAX_UNREAD_REPLIES = 32
_LOOP_TURNS_TO_NOTICE = 3
"""A reset reaches us in three turns of the loop: the readable event, the transport's close, connection_lost."""


class ConversationEnded(Exception):
    """No further reply will be read; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


class SmtpProtocol(asyncio.Protocol):
    """One connection. One task at a time waits on it, for a reply or for room to write."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = ReplyParser()
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._writable = True
        self._ended: Failure | None = None
        self._transport: asyncio.Transport | None = None
        self._peek = select.poll()
        self._closed = self._loop.create_future()

    # -- What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and look at its socket directly where the loop would be late."""
        self._transport = cast("asyncio.Transport", transport)
        self._peek.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Cut the bytes into replies and wake whoever waits for one; after garbage or a flood nothing more is read."""
        if self._ended is not None:
            return
        self._replies.extend(self._parser.feed(data))
        if self._parser.broken or len(self._replies) > _MAX_UNREAD_REPLIES:
            self._end(Failure.GARBAGE)
            self.abort()
        self._wake()

    def eof_received(self) -> None:
        """The peer is done; SMTP has no use for a half-open connection."""
        self._end(Failure.DISCONNECTED)

    def connection_lost(self, _exc: Exception | None) -> None:
        """The connection is gone, whoever closed it."""
        self._end(Failure.DISCONNECTED)
        if not self._closed.done():
            self._closed.set_result(None)

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self._writable = False

    def resume_writing(self) -> None:
        """The transport's buffer has room again."""
        self._writable = True
        self._wake()

    def _end(self, failure: Failure) -> None:
        if self._ended is None:
            self._ended = failure
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, deadline: float) -> None:
        """Until something changed; raises ConversationEnded(timeout) at `deadline`."""
        self._waiter = self._loop.create_future()
        timer = self._loop.call_at(deadline, _expire, self._waiter)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    # -- What a conversation calls

    @property
    def quiet(self) -> bool:
        """Connected, and the server has said nothing that has not been read."""
        return self._ended is None and not self._replies and not self._parser.pending

    @property
    def speaking(self) -> bool:
        """Whether the server has sent a reply that has not been read."""
        return bool(self._replies)

    def write(self, data: bytes) -> None:
        """Write, unless the peer is known to be gone: the next read or drain tells."""
        if self._transport is not None and self._ended is None:
            self._transport.write(data)

    async def read_reply(self, deadline: float) -> Reply:
        """The next reply. Raises ConversationEnded; after a timeout a later call may still get the late reply."""
        while not self._replies:
            if self._ended is not None:
                raise ConversationEnded(self._ended)
            await self._wait(deadline)
        return self._replies.popleft()

    async def drain(self, seconds: float, latest: float) -> None:
        """Until there is room to write again, for at most `seconds` and not beyond the instant `latest`.

        Raises ConversationEnded when the peer has closed. What the kernel already knows about the peer counts, even
        where the event loop has not read it yet.
        """
        deadline = min(self._loop.time() + seconds, latest)
        while not self._writable and self._ended is None:
            await self._wait(deadline)
        if self._ended is None and self._peek.poll(0):
            for _ in range(_LOOP_TURNS_TO_NOTICE):
                await asyncio.sleep(0)
        if self._ended is not None:
            raise ConversationEnded(self._ended)

    async def start_tls(self, context: ssl.SSLContext, server_name: str, seconds: float) -> None:
        """Go on under TLS. Raises ConversationEnded(tls) when plaintext came after the server's go-ahead
        (RFC 3207, section 6; CVE-2011-0411), ssl.SSLError, OSError or TimeoutError when the handshake fails.
        """
        if not self.quiet or self._transport is None:
            raise ConversationEnded(self._ended or Failure.TLS)
        async with asyncio.timeout(seconds):
            transport = await self._loop.start_tls(self._transport, self, context, server_hostname=server_name)
        if transport is None:
            raise ConversationEnded(Failure.TLS)
        self._transport = transport

    async def close(self, seconds: float) -> None:
        """Close in good order, for at most `seconds`; then hard."""
        if self._transport is not None:
            self._transport.close()
        await asyncio.wait([self._closed], timeout=seconds)
        self.abort()

    def abort(self) -> None:
        """Close at once; nothing more is read."""
        self._end(Failure.DISCONNECTED)
        if self._transport is not None:
            self._transport.abort()


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(ConversationEnded(Failure.TIMEOUT))
