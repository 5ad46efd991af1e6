"""One client's conversation with the chaos SMTP server."""

import asyncio
import base64
import hashlib
import re
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from ampout.lib import clock
from tests.peers.chaos_behaviours import Action, Kind, Plan, plan_for
from tests.peers.oracle_log import Entry, OracleLog

_MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_UNSUBSCRIBE = re.compile(rb"^list-unsubscribe:\s*<([^>]*)>", re.IGNORECASE | re.MULTILINE)
_PATH = re.compile(r"<([^>]*)>")


@dataclass(frozen=True, slots=True)
class ChaosOptions:
    """What the server is like, to every connection.

    `tls` is starttls, implicit or none; `logins` maps user names to passwords (None: any will do); `script` acts at a
    stage for everyone; `after_messages` says 421 to the next MAIL (or closes at once with `close_after`).
    """

    tls: str = "starttls"
    old_tls: bool = False
    logins: Mapping[str, str] | None = None
    require_login: bool = True
    login_methods: tuple[str, ...] = ("PLAIN", "LOGIN")
    capabilities: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
    script: Plan = field(default_factory=dict)
    delay_ms: float = 0.0
    size_limit: int | None = None
    after_messages: int | None = None
    close_after: bool = False
    inject_after_starttls: bytes = b""
    keep_bodies: bool = False


@dataclass(slots=True)
class Shared:
    """What all connections of a server write to."""

    options: ChaosOptions
    context: ssl.SSLContext | None
    log: OracleLog
    events: list[Entry] = field(default_factory=list)
    tries: Counter[str] = field(default_factory=Counter)
    open: set["ChaosConnection"] = field(default_factory=set)
    most_open: int = 0


class ChaosConnection(asyncio.Protocol):
    """One client. Commands are handled one after the other; a slow answer holds the next."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._options = shared.options
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._busy = False
        self._in_data = False
        self._scanned = 0
        self._encrypted = shared.options.tls == "implicit"
        self._login = ""
        self._sender = ""
        self._began = ""
        self._recipient = ""
        self._plan: Plan = {}
        self._messages = 0
        self._expecting: Callable[[bytes], None] | None = None
        self._tls_task: asyncio.Task[None] | None = None
        self.gone: asyncio.Future[None] = self._loop.create_future()
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)

    # -- What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._shared.open.add(self)
        self._shared.most_open = max(self._shared.most_open, len(self._shared.open))
        self._note("connect")
        self._answer("banner", b"220 chaos.peer.test ESMTP\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self._shared.open.discard(self)
        self._busy = True
        if not self.gone.done():
            self.gone.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._go_on()

    def close(self) -> None:
        """Hang up."""
        self._transport.abort()

    def _note(self, event: str, **facts: Any) -> None:
        self._shared.events.append({"event": event, "encrypted": self._encrypted, **facts})

    # -- Input: commands by line, messages by their final dot

    def _go_on(self) -> None:
        while not self._busy and (self._take_message() if self._in_data else self._take_command()):
            pass

    def _take_command(self) -> bool:
        end = self._buffer.find(b"\n")
        if end < 0:
            return False
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        if not line.endswith(b"\r\n"):
            self._note("violation", what="a command that ends with a bare LF")
        expecting, self._expecting = self._expecting, None
        if expecting is not None:
            expecting(line.strip())
        else:
            self._obey(line.strip())
        return True

    def _take_message(self) -> bool:
        body = self._plan.get("body")
        if body is not None:
            self._perform(body)
            self._busy = True  # whatever else comes is left unread
            return False
        if self._buffer.startswith(b".\r\n"):
            end, length = 0, 3
        else:
            end, length = self._buffer.find(b"\r\n.\r\n", self._scanned) + 2, 3
            self._scanned = max(0, len(self._buffer) - 4)
            if end < 2:
                return False
        raw = bytes(self._buffer[:end])
        del self._buffer[: end + length]
        self._in_data, self._scanned = False, 0
        self._finish_message(raw)
        return True

    # -- Commands

    def _obey(self, line: bytes) -> None:
        verb = line.split(b" ", 1)[0].upper()
        handler = _HANDLERS.get(verb, ChaosConnection._on_unknown)
        handler(self, line.decode("utf-8", "replace"))

    def _on_unknown(self, line: str) -> None:
        self._answer("unknown", b"500 5.5.2 What?\r\n")

    def _on_ehlo(self, line: str) -> None:
        options = self._options
        offers = list(options.capabilities)
        if options.tls == "starttls" and not self._encrypted:
            offers.append("STARTTLS")
        elif options.login_methods:
            offers.append("AUTH " + " ".join(options.login_methods))
        if options.size_limit is not None:
            offers.append(f"SIZE {options.size_limit}")
        self._note("ehlo", name=line[5:])
        lines = ["chaos.peer.test", *offers]
        text = "".join(f"250-{offer}\r\n" for offer in lines[:-1]) + f"250 {lines[-1]}\r\n"
        self._answer("ehlo", text.encode())

    def _on_starttls(self, line: str) -> None:
        self._note("starttls")
        if self._shared.context is None or self._encrypted:
            self._answer("starttls", b"502 5.5.1 Not offered\r\n")
            return
        if "starttls" in self._options.script:
            self._answer("starttls", b"")
            return
        # The client's handshake must not be read as a command.
        self._transport.pause_reading()
        go_ahead = b"220 2.0.0 Go ahead\r\n" + self._options.inject_after_starttls
        self._perform(Action(Kind.ANSWER, go_ahead), then=self._begin_tls)

    def _begin_tls(self) -> None:
        assert self._shared.context is not None
        self._busy = True
        self._tls_task = self._loop.create_task(self._start_tls(self._shared.context))

    async def _start_tls(self, context: ssl.SSLContext) -> None:
        self._buffer.clear()
        try:
            transport = await self._loop.start_tls(self._transport, self, context, server_side=True)
        except OSError:
            transport = None
        if transport is None:
            # asyncio tells nobody about a connection that is lost during its handshake.
            self._note("tls_failed")
            self.connection_lost(None)
            return
        self._transport, self._encrypted = transport, True
        self._note("tls", version=transport.get_extra_info("ssl_object").version())
        self._busy = False
        self._go_on()

    def _on_auth(self, line: str) -> None:
        _, method, *initial = line.split(" ")
        self._note("auth", method=method)
        if method.upper() == "LOGIN":
            self._expecting = self._on_login_name
            self._answer("auth-challenge", b"334 VXNlcm5hbWU6\r\n")
        elif initial and "PLAIN-CHALLENGE" not in self._options.login_methods:
            self._on_plain(initial[0].encode())
        else:
            self._expecting = self._on_plain
            self._answer("auth-challenge", b"334 \r\n")

    def _on_plain(self, response: bytes) -> None:
        _, name, password = base64.b64decode(response).split(b"\0")
        self._check_login(name.decode(), password.decode())

    def _on_login_name(self, response: bytes) -> None:
        name = base64.b64decode(response).decode()
        self._expecting = lambda password: self._check_login(name, base64.b64decode(password).decode())
        self._answer("auth-challenge", b"334 UGFzc3dvcmQ6\r\n")

    def _check_login(self, name: str, password: str) -> None:
        logins = self._options.logins
        if logins is not None and logins.get(name) != password:
            echo = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
            self._answer("auth", f"535 5.7.8 No: {name} with {password} ({echo})\r\n".encode())
            return
        self._login = name
        self._answer("auth", b"235 2.7.0 Welcome\r\n")

    def _on_mail(self, line: str) -> None:
        self._note("mail", line=line)
        self._began = clock.utc_now().isoformat()
        limit = self._options.after_messages
        if self._options.require_login and not self._login:
            self._answer("mail", b"530 5.7.0 Authentication required\r\n")
        elif limit is not None and self._messages >= limit:
            self._answer("mail", b"421 4.7.0 Enough for one connection\r\n")
        elif self._sender:
            self._answer("mail", b"503 5.5.1 RSET first\r\n")
        else:
            sender = _path(line)
            self._plan = plan_for(sender, 1)
            if self._answer("mail", b"250 2.1.0 Ok\r\n") == "250":
                self._sender = sender or "<>"
            self._plan = {}

    def _on_rcpt(self, line: str) -> None:
        self._note("rcpt", line=line)
        if not self._sender:
            self._answer("rcpt", b"503 5.5.1 MAIL first\r\n")
            return
        recipient = _path(line)
        self._shared.tries[recipient] += 1
        self._plan = plan_for(recipient, self._shared.tries[recipient])
        if self._answer("rcpt", b"250 2.1.5 Ok\r\n") == "250":
            self._recipient = recipient

    def _on_data(self, line: str) -> None:
        self._note("data")
        if not self._recipient:
            self._answer("data", b"503 5.5.1 RCPT first\r\n")
        elif self._answer("data", b"354 Go ahead\r\n") == "354":
            self._in_data = True

    def _on_rset(self, line: str) -> None:
        self._note("rset")
        self._forget()
        self._answer("rset", b"250 2.0.0 Ok\r\n")

    def _on_quit(self, line: str) -> None:
        self._note("quit")
        self._perform(self._options.script.get("quit", Action(Kind.DROP, b"221 2.0.0 Bye\r\n")))

    def _forget(self) -> None:
        self._sender, self._recipient, self._plan = "", "", {}

    # -- A complete message

    def _finish_message(self, raw: bytes) -> None:
        self._messages += 1
        limit = self._options.size_limit
        default = b"250 2.0.0 Ok: queued\r\n"
        if limit is not None and len(raw) > limit:
            default = b"552 5.3.4 Too big\r\n"
        action = self._chosen("dot", default)
        entry = self._describe(raw, action)
        self._forget()
        if action.code == "none" or action.code.startswith("2"):
            self._busy = True
            self._shared.log.append(entry, lambda: self._release(action))
        else:
            self._note("refused", **entry)
            self._perform(action)

    def _release(self, action: Action) -> None:
        """Answer, now that the message is in the log."""
        if self not in self._shared.open:
            return
        self._busy = False
        self._perform(action)
        if self._options.close_after and self._messages >= (self._options.after_messages or 0):
            self._transport.close()
        self._go_on()

    def _describe(self, raw: bytes, action: Action) -> Entry:
        """The log's line; `raw` is the message as it came, dots still stuffed."""
        body = raw.removeprefix(b".") if raw.startswith(b"..") else raw
        body = body.replace(b"\r\n..", b"\r\n.")
        header = body.partition(b"\r\n\r\n")[0]
        entry: Entry = {
            "message_id": _first(_MESSAGE_ID, header),
            "unsubscribe": _first(_UNSUBSCRIBE, header),
            "recipient": self._recipient,
            "sender": self._sender,
            "login": self._login,
            "digest": hashlib.sha256(body).hexdigest(),
            "size": len(body),
            "stage": "dot",
            "answer": action.code,
            "violations": _violations(raw),
            "began": self._began,
            "time": clock.utc_now().isoformat(),
        }
        return entry | {"body": body, "raw": raw} if self._options.keep_bodies else entry

    # -- Output

    def _chosen(self, stage: str, default: bytes) -> Action:
        """What the script or the address wants at `stage`, or the good answer."""
        return self._options.script.get(stage) or self._plan.get(stage) or Action(Kind.ANSWER, default)

    def _answer(self, stage: str, default: bytes) -> str:
        """Answer a command; the code that is sent."""
        action = self._chosen(stage, default)
        self._perform(action)
        return action.code

    def _perform(self, action: Action, then: Callable[[], None] | None = None) -> None:
        delay = action.seconds if action.kind is Kind.ANSWER else 0.0
        delay += self._options.delay_ms / 1000
        if delay:
            self._busy = True
            self._loop.call_later(delay, self._perform_late, action, then)
        else:
            self._perform_now(action, then)

    def _perform_late(self, action: Action, then: Callable[[], None] | None) -> None:
        if self in self._shared.open:
            self._busy = False
            self._perform_now(action, then)
            self._go_on()

    def _perform_now(self, action: Action, then: Callable[[], None] | None) -> None:
        if action.kind is Kind.HANG:
            self._busy = True
        elif action.kind is Kind.DEAF:
            self._busy = True
            self._transport.pause_reading()
        elif action.kind is Kind.DRIP:
            self._busy = True
            self._drip(action.raw, action.seconds)
        elif action.kind is Kind.RESET:
            linger = struct.pack("ii", 1, 0)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()
        else:
            self._transport.write(action.raw)
            if action.kind is Kind.DROP or action.raw.startswith(b"421"):
                self._busy = True
                self._transport.close()
        if then is not None:
            then()

    def _drip(self, rest: bytes, seconds: float) -> None:
        if self not in self._shared.open:
            return
        if not rest:
            self._busy = False
            self._go_on()
            return
        self._transport.write(rest[:1])
        self._loop.call_later(seconds, self._drip, rest[1:], seconds)


_HANDLERS: dict[bytes, Callable[[ChaosConnection, str], None]] = {
    b"EHLO": ChaosConnection._on_ehlo,
    b"HELO": ChaosConnection._on_ehlo,
    b"STARTTLS": ChaosConnection._on_starttls,
    b"AUTH": ChaosConnection._on_auth,
    b"MAIL": ChaosConnection._on_mail,
    b"RCPT": ChaosConnection._on_rcpt,
    b"DATA": ChaosConnection._on_data,
    b"RSET": ChaosConnection._on_rset,
    b"QUIT": ChaosConnection._on_quit,
}


def _first(pattern: re.Pattern[bytes], header: bytes) -> str | None:
    """What the pattern finds first; None where it finds nothing."""
    found = pattern.search(header)
    return found[1].decode("utf-8", "replace") if found else None


def _path(line: str) -> str:
    match = _PATH.search(line)
    return match[1] if match else ""


def _violations(raw: bytes) -> list[str]:
    """What RFC 5321 (2.3.8, 4.5.2, 4.5.3.1.6) forbids in the bytes between DATA and the final dot."""
    lines = raw.split(b"\r\n")
    found = {
        "bare CR": any(b"\r" in line for line in lines),
        "bare LF": any(b"\n" in line for line in lines),
        "NUL": b"\0" in raw,
        "line over 998 octets": any(len(line) > 998 + line.startswith(b".") for line in lines),
        "dot not stuffed": any(line.startswith(b".") and not line.startswith(b"..") for line in lines),
    }
    return [name for name, present in found.items() if present]
