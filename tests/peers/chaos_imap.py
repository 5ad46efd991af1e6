"""A chaos IMAP server on loopback: mailboxes of its own, read by UID, where each user's name says how it misbehaves.

It keeps every line that clients said. It never changes a mailbox, and remembers who asked it to. The faults are in
tests/peers/chaos_imap_faults.py.
"""

import base64
import contextlib
import re
import shlex
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Self

from ampout.lib import clock
from tests.peers.certificates import Certificates

PASSWORD = "imap-canary-19ce"
LINE = re.compile(rb"[^\r\n]*\r\n")


@dataclass
class StoredMail:
    """A mail under a UID; `hidden` ones have a number but do not show yet."""

    uid: int
    raw: bytes
    arrived_at: datetime
    hidden: bool = False

    @property
    def header(self) -> bytes:
        """Up to and including the first empty line."""
        head, _, _ = self.raw.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"


@dataclass
class StoredFolder:
    """A folder with its numbers. `wire` is its name as LIST gives it."""

    wire: str
    flags: str = "\\HasNoChildren"
    uid_validity: int = 7
    uid_next: int = 1
    mails: list[StoredMail] = field(default_factory=list)

    def add(
        self, raw: bytes, *, arrived_at: datetime | None = None, uid: int | None = None, hidden: bool = False
    ) -> int:
        """Put a mail in; its UID."""
        number = uid or self.uid_next
        self.mails.append(StoredMail(number, raw, arrived_at or clock.utc_now(), hidden))
        self.mails.sort(key=lambda mail: mail.uid)
        self.uid_next = max(self.uid_next, number + 1)
        return number

    @property
    def shown(self) -> list[StoredMail]:
        """Its mails in order."""
        return [mail for mail in self.mails if not mail.hidden]


class ImapUser:
    """One login: its folders, its fault, and what it was asked."""

    def __init__(self, name: str, fault: str = "") -> None:
        self.name = name
        self.fault = fault
        self.folders = {"INBOX": StoredFolder("INBOX"), "Spam": StoredFolder("Spam", "\\HasNoChildren \\Junk")}
        self.folders["Sent"] = StoredFolder("Sent", "\\Sent")
        self.password = PASSWORD
        self.heard: list[str] = []
        self.logins = 0
        self.open_now = 0
        self.most_open = 0
        self.latency = 0.0
        self.times: list[float] = []

    @property
    def inbox(self) -> StoredFolder:
        """INBOX."""
        return self.folders["INBOX"]

    def heard_of(self, word: str) -> list[str]:
        """The lines with this word."""
        return [line for line in self.heard if word in line.upper()]


class ChaosImap:
    """The server; a context manager. Every user is made by `user`."""

    def __init__(self, certificates: Certificates) -> None:
        self.users: dict[str, ImapUser] = {}
        self.ca_file = str(certificates.authority)
        self.tls = certificates.good.server_context()
        self.released = threading.Event()
        self.plain = False
        self.capabilities = "IMAP4rev1 AUTH=PLAIN LIST-EXTENDED SPECIAL-USE UIDPLUS"
        self._server = _Server(("127.0.0.1", 0), Conversation)
        self._server.peer = self
        self.port: int = self._server.socket.getsockname()[1]

    def user(self, name: str, fault: str = "") -> ImapUser:
        """A new login."""
        self.users[name] = ImapUser(name, fault)
        return self.users[name]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 512
    peer: ChaosImap

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes is no error."""


class Gone(Exception):
    """The conversation is over."""


class Conversation(socketserver.BaseRequestHandler):
    """One connection, well-behaved but for the fault of its user."""

    user: ImapUser | None = None
    folder: StoredFolder
    tag = "*"

    def handle(self) -> None:
        assert isinstance(self.server, _Server)
        self.peer = self.server.peer
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._converse()
        finally:
            if self.user is not None:
                self.user.open_now -= 1
            with contextlib.suppress(OSError):
                self.request.shutdown(socket.SHUT_RDWR)
            self.request.close()

    def _converse(self) -> None:
        with contextlib.suppress(Gone, OSError, ssl.SSLError):
            if not self.peer.plain:
                self.request = self.peer.tls.wrap_socket(self.request, server_side=True)
            with self.request.makefile("rb") as self.reader:
                self.say("* OK ready\r\n")
                while True:
                    self._obey(self.hear())

    # -- Words

    def hear(self) -> str:
        line: bytes = self.reader.readline(100_000)
        if not line:
            raise Gone
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if self.user is not None:
            self.user.heard.append(text)
            if self.user.latency:
                time.sleep(self.user.latency)
        return text

    def say(self, text: str | bytes) -> None:
        self.request.sendall(text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text)

    def done(self, words: str = "done") -> None:
        self.say(f"{self.tag} OK {words}\r\n")

    def _obey(self, line: str) -> None:
        self.tag, _, rest = line.partition(" ")
        words = rest.split(" ")
        name = "_".join(words[:2] if words[0].upper() == "UID" else words[:1]).lower()
        if self._misbehave(name, rest):
            return
        handler: Callable[[str], None] | None = getattr(self, f"on_{name}", None)
        if handler is None:
            self.say(f"{self.tag} BAD unknown\r\n")
        else:
            handler(rest)

    def _misbehave(self, command: str, rest: str) -> bool:
        """Let the user's fault answer; True when it did."""
        from tests.peers.chaos_imap_faults import FAULTS  # noqa: PLC0415  # it needs this module

        fault = FAULTS.get(self.user.fault) if self.user else None
        return bool(fault and fault(self, command, rest))

    # -- Commands

    def on_capability(self, _rest: str) -> None:
        self.say(f"* CAPABILITY {self.peer.capabilities}\r\n")
        self.done()

    def on_authenticate(self, _rest: str) -> None:
        self.say("+ \r\n")
        words = base64.b64decode(self.reader.readline()).decode().split("\0")
        self._log_in(words[1], words[2])

    def on_login(self, rest: str) -> None:
        self._log_in(*shlex.split(rest)[1:3])

    def _log_in(self, name: str, password: str) -> None:
        user = self.peer.users.get(name)
        if user is None or user.password != password or user.fault == "bad_password":
            self.say(f"{self.tag} NO [AUTHENTICATIONFAILED] wrong user name or password\r\n")
            return
        self.user = user
        user.logins += 1
        user.open_now += 1
        user.most_open = max(user.most_open, user.open_now)
        user.times.append(time.monotonic())
        self.done("[CAPABILITY IMAP4rev1] welcome")

    def on_noop(self, _rest: str) -> None:
        self.done()

    def on_list(self, _rest: str) -> None:
        assert self.user is not None
        for folder in self.user.folders.values():
            self.say(f'* LIST ({folder.flags}) "/" "{folder.wire}"\r\n')
        self.done()

    def on_examine(self, rest: str) -> None:
        assert self.user is not None
        name = rest.partition(" ")[2].strip('"')
        found = [folder for folder in self.user.folders.values() if folder.wire == name]
        if not found:
            self.say(f"{self.tag} NO [NONEXISTENT] no such folder\r\n")
            return
        self.folder = found[0]
        self.say(f"* FLAGS (\\Seen)\r\n* {len(self.folder.shown)} EXISTS\r\n* 0 RECENT\r\n")
        self.say(f"* OK [UIDVALIDITY {self.folder.uid_validity}] ok\r\n* OK [UIDNEXT {self.folder.uid_next}] ok\r\n")
        self.done("[READ-ONLY] done")

    def on_uid_search(self, rest: str) -> None:
        self.say(f"* SEARCH {' '.join(map(str, self.found(rest)))}\r\n".replace(" \r\n", "\r\n"))
        self.done()

    def on_logout(self, _rest: str) -> None:
        self.say("* BYE bye\r\n")
        self.done()
        raise Gone

    def on_uid_fetch(self, rest: str) -> None:
        for mail in self.asked(rest):
            self.say(self.answer(mail, rest))
        self.done()

    # -- What there is to say

    def found(self, rest: str) -> list[int]:
        """The UIDs that a SEARCH finds; `n:*` finds the last mail whatever n is."""
        words = rest.split(" ", 2)[2]
        mails = self.folder.shown
        if words.startswith("SINCE "):
            day = datetime.strptime(words[6:], "%d-%b-%Y").date()  # noqa: DTZ007  # a day
            return [mail.uid for mail in mails if mail.arrived_at.date() >= day]
        if words.startswith("HEADER "):
            wanted = shlex.split(words)[2].encode()
            return [mail.uid for mail in mails if wanted in mail.header]
        return self._numbered(words.removeprefix("UID "))

    def _numbered(self, spelled: str) -> list[int]:
        uids = [mail.uid for mail in self.folder.shown]
        wanted: set[int] = set()
        for part in spelled.split(","):
            first, _, last = part.partition(":")
            ends = [max(uids, default=0) if end == "*" else int(end) for end in (first, last or first)]
            wanted |= {uid for uid in uids if min(ends) <= uid <= max(ends)}
        return [uid for uid in uids if uid in wanted]

    def asked(self, rest: str) -> list[StoredMail]:
        """The mails that a FETCH is about."""
        wanted = set(self._numbered(rest.split(" ")[2]))
        return [mail for mail in self.folder.shown if mail.uid in wanted]

    def answer(self, mail: StoredMail, rest: str) -> bytes:
        """What FETCH says about a mail."""
        number = self.folder.shown.index(mail) + 1
        items = [f"UID {mail.uid}".encode()]
        if "RFC822.SIZE" in rest:
            arrived = mail.arrived_at.strftime("%d-%b-%Y %H:%M:%S +0000")
            items.append(f'RFC822.SIZE {len(mail.raw)} INTERNALDATE "{arrived}"'.encode())
        if "BODY.PEEK" in rest:
            text = mail.header if "HEADER" in rest else mail.raw
            section = re.search(r"\[(.*)\]", rest)
            limit = re.search(r"<0\.(\d+)>", rest)
            assert section is not None
            text = text[: int(limit[1])] if limit else text
            items.append(f"BODY[{section[1]}]<0> {{{len(text)}}}\r\n".encode() + text)
        return f"* {number} FETCH (".encode() + b" ".join(items) + b")\r\n"


def a_mail(number: int, *, sender: str = "", subject: str = "", extra: str = "", body: str = "Hello.") -> bytes:
    """A mail with its own Message-ID; `extra` is more header lines, each ended."""
    sender = sender or f"person{number}@recipient.example"
    head = f"From: {sender}\r\nTo: sender@sender.example\r\nSubject: {subject or f'Mail {number}'}\r\n"
    when = "Date: Mon, 02 Nov 2026 10:00:00 +0000\r\n"
    return f"{head}{when}Message-ID: <mail{number}@recipient.example>\r\n{extra}\r\n{body}\r\n".encode()


def days_ago(days: float) -> datetime:
    """A time."""
    return clock.utc_now() - timedelta(days=days)


@contextlib.contextmanager
def running_chaos_imap(certificates: Certificates) -> Iterator[ChaosImap]:
    """A server that runs inside the block."""
    with ChaosImap(certificates) as server:
        yield server


def day_of(moment: datetime) -> date:
    """Its date."""
    return moment.date()
