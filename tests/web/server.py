"""A gunicorn as in production, and a client that says exactly which bytes go over the wire."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from django.db import connection

PROJECT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the headers by their names in small letters, and the body as it stood on the wire."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WebServer:
    """A gunicorn with one worker."""

    port: int
    pid: int

    def send(self, request: bytes, *, half_close: bool = False) -> bytes:
        """All bytes that come back until the server closes; `half_close` ends our side after the request."""
        with socket.create_connection((HOST, self.port), timeout=PATIENCE_SECONDS) as client:
            client.sendall(request)
            if half_close:
                client.shutdown(socket.SHUT_WR)
            return read_all(client)

    def ask(self, request: bytes, *, half_close: bool = False) -> Reply:
        """The one answer to a request that says `Connection: close`."""
        return read_reply(self.send(request, half_close=half_close))

    def start_measuring(self) -> int:
        """The bytes that its worker holds; `most_memory` counts anew from here (proc(5): clear_refs)."""
        (self._worker() / "clear_refs").write_text("5")
        return self._status("VmRSS")

    def most_memory(self) -> int:
        """The most bytes that its worker held since."""
        return self._status("VmHWM")

    def _worker(self) -> Path:
        [worker] = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return Path(f"/proc/{worker}")

    def _status(self, name: str) -> int:
        found = re.search(rf"{name}:\s+(\d+) kB", (self._worker() / "status").read_text())
        assert found
        return int(found[1]) * 1024


def read_all(client: socket.socket) -> bytes:
    """What comes in until the other side closes."""
    parts = []
    while part := client.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def read_reply(raw: bytes) -> Reply:
    """A reply, taken apart."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Reply(int(first.split(" ")[1]), headers, body)


@contextmanager
def running_server(**settings: str) -> Iterator[WebServer]:
    """A gunicorn on this test's database, on a port of its own."""
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    with socket.create_server((HOST, 0)) as listener:
        number, port = listener.fileno(), listener.getsockname()[1]
        os.set_inheritable(number, True)
        options = ["--bind", f"fd://{number}", "--worker-class", "gthread", "--threads", "4", "--no-control-socket"]
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "ampout.wsgi", *options, "--log-level", "error"],
            cwd=PROJECT,
            env={**os.environ, "DATABASE_URL": url, **settings},
            pass_fds=[number],
        )
    try:
        server = WebServer(port, process.pid)
        server.ask(b"GET /healthz HTTP/1.0\r\n\r\n")
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_SECONDS)
