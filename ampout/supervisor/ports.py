"""Loopback ports: the web's is asked for, the sandbox's are free ones, remembered because credentials name them."""

import errno
import json
import socket
import time
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

from ampout.supervisor.children import Pause
from ampout.supervisor.errors import StartError

HOST = "127.0.0.1"
DEFAULT_WEB_PORT = 8000
SMTP_OFFSET, DNS_OFFSET, IMAP_OFFSET = 25, 53, 93
"""Where the search for the sandbox's ports begins, counted from the web port: easy to recognise in a log."""
TRIES = 1000
PATIENCE_SECONDS = 2.0
BOTH = (socket.SOCK_STREAM, socket.SOCK_DGRAM)


@dataclass(frozen=True, slots=True)
class SandboxPorts:
    """The ports of the pretend internet: SMTP and IMAP over TCP, DNS over UDP and TCP."""

    smtp: int
    dns: int
    imap: int


def web_port(text: str, pause: Pause) -> int:
    """The web port that AMPOUT_PORT asks for; raises StartError where it is no port or taken."""
    port = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < port < 65536:
        raise StartError(f"AMPOUT_PORT is {text!r}. Use a number from 1 to 65535.")
    problem = _lasting_problem(port, [socket.SOCK_STREAM], pause)
    if problem == errno.EACCES:
        raise StartError(f"Port {port} is kept for root. Set AMPOUT_PORT to one above 1023.")
    if problem:
        raise StartError(f"Port {port} is in use by another program. Set AMPOUT_PORT to a free one.")
    return port


def sandbox_ports(memory: Path, web: int, pause: Pause) -> SandboxPorts:
    """The ports kept in the file `memory`; free ones, which are then kept, where there are none or they are taken."""
    ports = _remembered(memory)
    if ports is None or any(_lasting_problem(port, BOTH, pause) for port in astuple(ports)):
        ports = SandboxPorts(*(_free_port(web + offset) for offset in (SMTP_OFFSET, DNS_OFFSET, IMAP_OFFSET)))
        memory.write_text(json.dumps(asdict(ports)))
    return ports


def _remembered(memory: Path) -> SandboxPorts | None:
    """What the file says, if it exists and makes sense: it can be made again at any time."""
    try:
        return SandboxPorts(**json.loads(memory.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _free_port(start: int) -> int:
    for port in range(start, start + TRIES):
        if port < 65536 and not any(_problem(port, kind) for kind in BOTH):
            return port
    raise StartError(f"No free port was found above {start}. Set AMPOUT_PORT to a lower one.")


def _lasting_problem(port: int, kinds: Sequence[socket.SocketKind], pause: Pause) -> int:
    """The error number of listening there, if it lasts: what a killed supervisor started takes a moment to end."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        problem = next(filter(None, (_problem(port, kind) for kind in kinds)), 0)
        if problem != errno.EADDRINUSE or time.monotonic() > deadline:
            return problem
        pause(0.1)


def _problem(port: int, kind: socket.SocketKind) -> int:
    """The error number of listening there; 0 where it is possible."""
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            # As servers do; else a connection that has just ended would count as a listener.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error.errno or errno.EADDRINUSE
    return 0
