"""A receiver of webhooks on loopback that does what each path's script says, and remembers every call.

It speaks HTTP by hand, so that it can be silent, slow, endless or gone at any point. `calls` holds what was received
whole; `accepted` what was answered by a 2xx.
"""

import asyncio
import contextlib
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from random import Random

import pytest

from tests.peers.certificates import Certificates

TLS_HANDSHAKE = b"\x16"
"""What TLS begins with, to a server that does not speak it."""


class Manner(Enum):
    """How an answer is given."""

    ANSWER = auto()
    HANG = auto()
    """Read the call and say nothing more."""
    DROP = auto()
    """Close the connection in the place of an answer."""
    DRIP_BODY = auto()
    """The head at once, then a byte now and then, for ever."""
    ENDLESS_BODY = auto()
    """The head at once, then as many bytes as are taken."""
    ENDLESS_HEAD = auto()
    """Header lines without an end."""
    GARBAGE = auto()
    """Bytes that are not HTTP."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One scripted answer."""

    status: int = 204
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    manner: Manner = Manner.ANSWER
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was received whole. `at` is the monotonic clock's."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    status: int
    """Of the answer; 0 when none was given."""


@dataclass(slots=True)
class _Script:
    replies: list[Reply] = field(default_factory=lambda: [Reply()])
    drop_share: float = 0.0


class WebhookSink:
    """The server, its scripts by path (without query) and its memory. Runs in a thread of its own."""

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self._host = host
        self._tls = tls
        self._rng = Random(20)
        self._scripts: dict[str, _Script] = defaultdict(_Script)
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._calls: list[Call] = []
        self._started = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.open_by_path: dict[str, int] = defaultdict(int)
        self.most_open_by_path: dict[str, int] = defaultdict(int)
        self.port = 0
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def start(self) -> None:
        """Listen; returns once `port` is known."""
        self._thread.start()
        self._started.wait(10)

    def stop(self) -> None:
        """End every connection and the thread."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)

    def hang_up(self) -> None:
        """End every call that is under way, at once and without an answer."""
        self._loop.call_soon_threadsafe(self._cancel_all)

    def _cancel_all(self) -> None:
        for task in self._tasks:
            task.cancel()

    def url(self, path: str, scheme: str | None = None, host: str = "127.0.0.1") -> str:
        """The URL of a path here."""
        return f"{scheme or ('https' if self._tls else 'http')}://{host}:{self.port}{path}"

    # -- The script

    def reply(self, path: str, *replies: Reply) -> None:
        """Answer calls of `path` by the first, then the second …; the last one stays."""
        with self._lock:
            self._scripts[path].replies = list(replies)

    def drop(self, path: str, share: float) -> None:
        """Of the calls of `path`, let this share end without an answer, some received whole and some not."""
        with self._lock:
            self._scripts[path].drop_share = share

    # -- The memory

    def calls(self, path: str) -> list[Call]:
        """What `path` received whole, in order."""
        with self._lock:
            return [call for call in self._calls if call.path.partition("?")[0] == path]

    def accepted(self, path: str) -> list[Call]:
        """What `path` answered by a 2xx."""
        return [call for call in self.calls(path) if 200 <= call.status < 300]

    def wait_for(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        """Return once `condition` holds; it is looked at after each call. Raises AssertionError when time is up."""
        deadline = time.monotonic() + seconds
        while not condition():
            with self._changed:
                self._changed.wait(0.2)
            assert time.monotonic() < deadline, "the calls did not come in time"

    # -- The server

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        server = await asyncio.start_server(self._connected, self._host, 0, ssl=self._tls, backlog=1_000)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._ended.wait()
        server.close()
        self._cancel_all()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
                await self._converse(reader, writer)
        except asyncio.CancelledError:
            pass  # the server stops
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(1)
        if first == TLS_HANDSHAKE:
            await _answer(Reply(400), reader, writer)
            return
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:]) if name}
        plain_path = path.partition("?")[0]
        reply = self._choose(plain_path)
        if reply is None:
            return
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.open_by_path[plain_path] += 1
        self.most_open_by_path[plain_path] = max(self.most_open_by_path[plain_path], self.open_by_path[plain_path])
        try:
            answered = reply.manner not in {Manner.HANG, Manner.DROP, Manner.GARBAGE, Manner.ENDLESS_HEAD}
            self._remember(Call(method, path, headers, body, time.monotonic(), reply.status if answered else 0))
            await asyncio.sleep(reply.wait_seconds)
            await _MANNERS[reply.manner](reply, reader, writer)
        finally:
            self.open_by_path[plain_path] -= 1

    def _choose(self, path: str) -> Reply | None:
        """The next reply; None to close before the body was read."""
        with self._lock:
            script = self._scripts[path]
            if self._rng.random() < script.drop_share:
                return Reply(manner=Manner.DROP) if self._rng.random() < 0.5 else None
            return script.replies.pop(0) if len(script.replies) > 1 else script.replies[0]

    def _remember(self, call: Call) -> None:
        with self._changed:
            self._calls.append(call)
            self._changed.notify_all()


# -- Manners


async def _answer(reply: Reply, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_head(reply, len(reply.body)) + reply.body)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def _hang(_reply: Reply, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _drop(_reply: Reply, _reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    return


async def _drip_body(reply: Reply, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_head(reply, 1_000_000))
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _endless_body(reply: Reply, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_head(reply, 10**12))
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def _endless_head(_reply: Reply, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Filler: " + b"x" * 4_000 + b"\r\n")
        await writer.drain()


async def _garbage(_reply: Reply, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example.com ESMTP\r\n\r\n")
    await writer.drain()


def _head(reply: Reply, length: int) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} Scripted", f"Content-Length: {length}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    return "\r\n".join([*lines, "", ""]).encode()


_Act = Callable[[Reply, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_MANNERS: dict[Manner, _Act] = {
    Manner.ANSWER: _answer,
    Manner.HANG: _hang,
    Manner.DROP: _drop,
    Manner.DRIP_BODY: _drip_body,
    Manner.ENDLESS_BODY: _endless_body,
    Manner.ENDLESS_HEAD: _endless_head,
    Manner.GARBAGE: _garbage,
}


@contextlib.contextmanager
def running_webhook_sink(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[WebhookSink]:
    """A receiver that runs inside the block."""
    sink = WebhookSink(tls, host)
    sink.start()
    try:
        yield sink
    finally:
        sink.stop()


@pytest.fixture
def sink() -> Iterator[WebhookSink]:
    """A receiver over plain HTTP."""
    with running_webhook_sink() as running:
        yield running


@pytest.fixture
def tls_sink(certificates: Certificates) -> Iterator[WebhookSink]:
    """A receiver over TLS with the good certificate of the test authority."""
    with running_webhook_sink(certificates.good.server_context()) as running:
        yield running
