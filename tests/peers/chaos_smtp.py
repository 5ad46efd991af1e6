"""A submission server that can misbehave in every way a client must survive, and remembers what it took.

In a test: `with ChaosSmtp(certificates) as peer:`; it runs in a thread of its own on 127.0.0.1. For kill tests it runs
as a process: `python -m tests.peers.chaos_smtp --port 2525 --log PATH --cert PEM --key PEM`; it prints its port.

Its log is the oracle: one line for each completed DATA that it answered 250 or left unanswered, on disk before the
answer leaves. Addresses choose behaviours (tests/peers/chaos_behaviours.py), options choose those of a connection.
"""

import argparse
import asyncio
import contextlib
import socket
import ssl
import threading
import warnings
from pathlib import Path
from typing import Any, Self

from tests.peers.certificates import Certificates, ServerCertificate
from tests.peers.chaos_connection import ChaosConnection, ChaosOptions, Shared
from tests.peers.oracle_log import Entry, OracleLog


def make_context(certificate: ServerCertificate, *, old_tls: bool) -> ssl.SSLContext:
    """The server's TLS context; `old_tls` speaks nothing newer than TLS 1.1."""
    context = certificate.server_context()
    if old_tls:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


class ChaosSmtp:
    """The server in a thread of its own, for tests; a context manager.

    `port` and `ca_file` tell where and whom to trust, `log` holds the completed messages, `events` the rest.
    """

    def __init__(
        self,
        certificates: Certificates,
        *,
        certificate: ServerCertificate | None = None,
        log_path: Path | None = None,
        options: ChaosOptions | None = None,
        **more: Any,
    ) -> None:
        self.options = options or ChaosOptions(**more)
        self.ca_file = str(certificates.authority)
        context = make_context(certificate or certificates.good, old_tls=self.options.old_tls)
        self._shared = Shared(self.options, context if self.options.tls != "none" else None, OracleLog(log_path))
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="chaos-smtp", daemon=True)

    @property
    def log(self) -> list[Entry]:
        """The completed messages that were answered 250 or left unanswered, oldest first."""
        return list(self._shared.log.entries)

    @property
    def events(self) -> list[Entry]:
        """Everything else that was seen, oldest first."""
        return list(self._shared.events)

    def count(self, event: str) -> int:
        """How often `event` was seen."""
        return sum(entry["event"] == event for entry in self.events)

    @property
    def connections_open(self) -> int:
        """How many clients are connected now."""
        return len(self._shared.open)

    @property
    def most_connections(self) -> int:
        """How many clients were connected at once, at most."""
        return self._shared.most_open

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10), "the chaos SMTP server did not start"
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()
        self._shared.log.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        server = await start_server(self._shared, 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        connections = list(self._shared.open)
        for connection in connections:
            connection.close()
        await asyncio.gather(*(connection.gone for connection in connections))
        await server.wait_closed()


async def start_server(shared: Shared, port: int) -> asyncio.Server:
    """Listen on 127.0.0.1."""
    context = shared.context if shared.options.tls == "implicit" else None
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # A small window, so that what a deaf peer leaves unread does not vanish into megabytes of buffers.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    listener.bind(("127.0.0.1", port))
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: ChaosConnection(shared), sock=listener, ssl=context, backlog=1024)


def main() -> None:
    """Run as a process until killed; prints the port once it listens."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--cert", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--tls", choices=["starttls", "implicit", "none"], default="starttls")
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--after-messages", type=int)
    arguments = parser.parse_args()
    options = ChaosOptions(tls=arguments.tls, delay_ms=arguments.delay_ms, after_messages=arguments.after_messages)
    context = make_context(ServerCertificate(arguments.cert, arguments.key), old_tls=False)
    shared = Shared(options, context if options.tls != "none" else None, OracleLog(arguments.log))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve_forever(shared, arguments.port))


async def _serve_forever(shared: Shared, port: int) -> None:
    server = await start_server(shared, port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    main()
