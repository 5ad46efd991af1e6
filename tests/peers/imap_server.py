"""A small scripted IMAP server on loopback: enough of RFC 9051 to log in, and many ways to misbehave."""

import base64
import contextlib
import shlex
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

PLENTY = 4_000_000
"""Bytes that a flood sends at most, so that a client without limits does not fill the machine."""


@dataclass(slots=True)
class ImapScript:
    """How the server behaves. `tls` is its context; `begins_in_clear` asks for STARTTLS.

    `answers` replaces the answer to a command ("LOGIN", "STARTTLS", "EXAMINE" …, or "greeting"): text with {tag} in
    it, sent as it is. `drip` sends the greeting a byte at a time, one each `drip` seconds, and never ends it.
    """

    username: str = "alice"
    password: str = "correct-horse-battery"
    tls: ssl.SSLContext | None = None
    begins_in_clear: bool = False
    capabilities: str = "IMAP4rev1 AUTH=PLAIN"
    answers: dict[str, str] = field(default_factory=dict)
    hang_up_at: str = ""
    silent_at: str = ""
    drip_seconds: float = 0
    after_starttls: bytes = b""


class ImapServer:
    """The script, the socket, and what clients said: every line, in order, with "TLS" where it began."""

    def __init__(self, script: ImapScript) -> None:
        self.script = script
        self.heard: list[str] = []
        self.released = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Conversation)
        self._server.peer = self
        self.port: int = self._server.socket.getsockname()[1]

    def heard_a_login(self) -> bool:
        """Whether any client tried to log in."""
        return any(word in line.upper() for line in self.heard for word in ("LOGIN", "AUTHENTICATE"))

    def start(self) -> None:
        """Serve from a thread until `stop`."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        """Let go of clients that wait, and close the socket."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    peer: ImapServer


class _Gone(Exception):
    """The conversation is over."""


class _Conversation(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _Server)
        self._peer = self.server.peer
        self._script = self._peer.script
        try:
            with contextlib.suppress(_Gone, OSError):
                if self._script.tls and not self._script.begins_in_clear:
                    self._start_tls()
                self._converse()
        finally:
            with contextlib.suppress(OSError):
                self.request.shutdown(socket.SHUT_RDWR)
            self.request.close()

    def _start_tls(self) -> None:
        assert self._script.tls is not None
        self.request = self._script.tls.wrap_socket(self.request, server_side=True)
        self._peer.heard.append("TLS")

    def _converse(self) -> None:
        self._answer("greeting", "*", "* OK ready\r\n")
        while True:
            tag, _, rest = self._hear().partition(" ")
            command = rest.partition(" ")[0].upper()
            handler = getattr(self, f"_on_{command.lower()}", None)
            if handler is None:
                self._answer(command, tag, "{tag} BAD unknown\r\n")
            else:
                handler(tag, rest)

    def _hear(self) -> str:
        line = b""
        while not line.endswith(b"\r\n"):
            octet = self.request.recv(1)
            if not octet:
                raise _Gone
            line += octet
        text = line[:-2].decode("utf-8", "replace")
        self._peer.heard.append(text)
        return text

    def _answer(self, command: str, tag: str, usual: str) -> None:
        if self._script.hang_up_at == command:
            raise _Gone
        if self._script.silent_at == command:
            self._peer.released.wait(30)
            raise _Gone
        if command == "greeting" and self._script.drip_seconds:
            self._drip()
        text = self._script.answers.get(command, usual).replace("{tag}", tag)
        self.request.sendall(text.encode("utf-8", "surrogateescape"))

    def _drip(self) -> None:
        while not self._peer.released.wait(self._script.drip_seconds):
            self.request.sendall(b"*")
        raise _Gone

    # -- Commands

    def _on_capability(self, tag: str, _rest: str) -> None:
        self._answer("CAPABILITY", tag, f"* CAPABILITY {self._script.capabilities}\r\n{{tag}} OK done\r\n")

    def _on_starttls(self, tag: str, _rest: str) -> None:
        self._answer("STARTTLS", tag, "{tag} OK begin\r\n" + self._script.after_starttls.decode())
        self._start_tls()

    def _on_login(self, tag: str, rest: str) -> None:
        self._judge("LOGIN", tag, shlex.split(rest)[1:])

    def _on_authenticate(self, tag: str, _rest: str) -> None:
        self.request.sendall(b"+ \r\n")
        words = base64.b64decode(self._hear()).decode().split("\0")
        self._judge("AUTHENTICATE", tag, words[1:])

    def _judge(self, command: str, tag: str, words: list[str]) -> None:
        good = words == [self._script.username, self._script.password]
        usual = "{tag} OK done\r\n" if good else "{tag} NO [AUTHENTICATIONFAILED] wrong user name or password\r\n"
        self._answer(command, tag, usual)

    def _on_examine(self, tag: str, _rest: str) -> None:
        usual = "* FLAGS ()\r\n* 3 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n{tag} OK [READ-ONLY] done\r\n"
        self._answer("EXAMINE", tag, usual)

    def _on_logout(self, tag: str, _rest: str) -> None:
        self._answer("LOGOUT", tag, "* BYE bye\r\n{tag} OK done\r\n")
        raise _Gone


@contextlib.contextmanager
def running_imap_server(script: ImapScript) -> Iterator[ImapServer]:
    """A server that runs inside the block."""
    server = ImapServer(script)
    server.start()
    try:
        yield server
    finally:
        server.stop()
