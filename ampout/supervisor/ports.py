"""Loopback ports: the web's is asked for, the sandbox's are free ones, remembered because credentials name them."""

import errno
import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from ampout.supervisor.errors import StartError

HOST = "127.0.0.1"
DEFAULT_WEB_PORT = 8000
SMTP_OFFSET, DNS_OFFSET = 25, 53
"""Where the search for the sandbox's ports begins, counted from the web port: easy to recognise in a log."""
TRIES = 1000


@dataclass(frozen=True, slots=True)
class SandboxPorts:
    """The ports of the pretend internet: SMTP over TCP, DNS over UDP and TCP."""

    smtp: int
    dns: int


def web_port(text: str) -> int:
    """The web port that AMPOUT_PORT asks for; raises StartError where it is no port or taken."""
    port = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < port < 65536:
        raise StartError(f"AMPOUT_PORT is {text!r}. Use a number from 1 to 65535.")
    problem = _problem(port, socket.SOCK_STREAM)
    if problem == errno.EACCES:
        raise StartError(f"Port {port} is kept for root. Set AMPOUT_PORT to one above 1023.")
    if problem:
        raise StartError(f"Port {port} is in use by another program. Set AMPOUT_PORT to a free one.")
    return port


def sandbox_ports(memory: Path, web: int) -> SandboxPorts:
    """The ports kept in the file `memory`, or free ones, which are then kept; raises StartError where one is taken."""
    if not memory.exists():
        ports = SandboxPorts(_free_port(web + SMTP_OFFSET), _free_port(web + DNS_OFFSET))
        memory.write_text(json.dumps(asdict(ports)))
        return ports
    try:
        ports = SandboxPorts(**json.loads(memory.read_text()))
    except (ValueError, TypeError):
        raise StartError(f"{memory} is damaged. Remove it to have new ports chosen.") from None
    for port in (ports.smtp, ports.dns):
        if not _is_free(port):
            raise StartError(f"Port {port}, which the sandbox of this data folder uses, is taken by another program.")
    return ports


def _free_port(start: int) -> int:
    for port in range(start, start + TRIES):
        if port < 65536 and _is_free(port):
            return port
    raise StartError(f"No free port was found above {start}. Set AMPOUT_PORT to a lower one.")


def _is_free(port: int) -> bool:
    return not any(_problem(port, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM))


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
