"""A connection to a user's IMAP server that is bounded in every direction.

1. Connect to the addresses the outbound door has checked, one after the other.
2. Port 143: STARTTLS, and what was said before is forgotten (RFC 9051, 6.2.1). Any other port: TLS from the first byte.
3. AUTHENTICATE PLAIN where it is offered, else LOGIN.

Nothing of the login is written before TLS with a verified certificate for the login's host is up, unless the operator
declared the host insecure. A server can neither hold the connection longer than its deadline nor fill our memory. Who
keeps a connection open gives it a new deadline and a new allowance before each use (`BoundedClient.renew`), and lets it
rest between uses.
"""

import imaplib
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError

from ampout.lib.door import CheckedTarget
from ampout.lib.text import find_control_character
from credentials.gateways.tls import client_context, describe_tls_error
from credentials.rules.redaction import redactor_of

STARTTLS_PORT = 143
"""RFC 8314, section 3.2: TLS from the first byte everywhere else; 993 is its port."""

READ_BUFFER = 65_536
"""Bytes read from a connection at once."""

LONGEST_WORDS = 300
"""Characters of a server's answer that are passed on."""


class ImapStage(StrEnum):
    """Where a connection ended."""

    TARGET = "target"
    CONNECT = "connect"
    TLS = "tls"
    GREETING = "greeting"
    AUTH = "auth"
    INBOX = "inbox"
    READING = "reading"
    DONE = "done"


class ImapFailure(Exception):
    """The server could not be used: at `stage`, with one sentence for the mailbox's owner, never a secret."""

    def __init__(self, stage: ImapStage, sentence: str) -> None:
        super().__init__(sentence)
        self.stage = stage
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class ImapLogin:
    """Where and as whom to connect. `ca_file` (PEM, may be empty) adds authorities to the system's.

    `insecure` is the operator's word for this host: plaintext and unverified certificates are then allowed. `starttls`
    says how TLS begins; None leaves it to the port.
    """

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    ca_file: str = ""
    insecure: bool = False
    starttls: bool | None = None

    @property
    def server(self) -> str:
        """Host and port, as sentences name them."""
        return f"{self.host}:{self.port}"

    @property
    def begins_in_clear(self) -> bool:
        """Whether TLS is asked for by STARTTLS."""
        return self.port == STARTTLS_PORT if self.starttls is None else self.starttls


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, in seconds, and how much to read, in bytes.

    `connect` holds for each address, `reply` for each silence, `whole` for the connection from its opening to its end,
    or to its renewal.
    """

    connect: float = 15
    reply: float = 30
    whole: float = 60
    bytes_read: int = 1_000_000


def open_mailbox(login: ImapLogin, target: CheckedTarget, limits: Limits) -> "BoundedClient":
    """Connect to `target`, set up TLS, log in. The caller logs out. Raises ImapFailure; nothing stays open then."""
    for name, text in (("user name", login.username), ("password", login.password)):
        if find_control_character(text) is not None:
            raise ImapFailure(ImapStage.AUTH, f"The IMAP {name} holds a control character. Type it anew.")
    context = _make_context(login)
    with explain_failures(login, ImapStage.GREETING):
        client = BoundedClient(login, target, limits, context)
    try:
        if login.begins_in_clear:
            _start_tls(client, login, context)
        _log_in(client, login)
    except BaseException:
        close_mailbox(client)
        raise
    return client


def close_mailbox(client: IMAPClient) -> None:
    """Close the connection at once, saying nothing. Never raises for what the server does."""
    with suppress(OSError, imaplib.IMAP4.error):
        client.shutdown()


@contextmanager
def explain_failures(login: ImapLogin, stage: ImapStage) -> Iterator[None]:
    """A block whose network and protocol errors become ImapFailure at `stage`, in the server's words."""
    try:
        yield
    except ImapFailure:
        raise
    except ssl.SSLError as error:
        raise ImapFailure(ImapStage.TLS, describe_tls_error(error, login.host)) from None
    except TimeoutError:
        raise ImapFailure(stage, f"{login.server} did not answer in time.") from None
    except OSError:
        raise ImapFailure(stage, f"{login.server} closed the connection.") from None
    except imaplib.IMAP4.error as error:
        if str(error).endswith("socket error: EOF"):
            raise ImapFailure(stage, f"{login.server} closed the connection.") from None
        raise ImapFailure(stage, f"{login.server} {_ENDS[stage]}: {_words(error, login)}") from None
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        # What imaplib and imapclient stumble over when an answer breaks the grammar in ways they did not foresee.
        raise ImapFailure(stage, f"{login.server} sent something that is not IMAP.") from None


_ENDS = {
    ImapStage.GREETING: "did not greet as an IMAP server does",
    ImapStage.TLS: "refused STARTTLS",
    ImapStage.AUTH: "refused the login",
    ImapStage.INBOX: "did not open INBOX",
    ImapStage.READING: "did not let the mailbox be read",
}


_PREFIX = re.compile(r"(command: \w+ => )|(\w+ command error: )")
"""What imaplib puts in front of a server's words."""


_COMPLAINT = re.compile(rb"\S+ (?:NO|BAD|BYE)\b", re.IGNORECASE)
"""The beginning of a line whose words are for people (RFC 9051, 7.1)."""


def _words(error: Exception, login: ImapLogin) -> str:
    """The server's answer inside an error: one short printable line without the password."""
    raw = error.args[0] if error.args else ""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    text = _PREFIX.sub("", text, count=1)
    text = redactor_of(login.username, login.password).redact(text)
    line = "".join(character if character.isprintable() else " " for character in text)
    return line[:LONGEST_WORDS].strip() or "no reason was given"


def _make_context(login: ImapLogin) -> ssl.SSLContext:
    try:
        return client_context(login.ca_file, insecure=login.insecure)
    except OSError:
        sentence = "The file of additional authorities (SMTP_CA_FILE) cannot be read. Tell the operator of this server."
        raise ImapFailure(ImapStage.TLS, sentence) from None


def _start_tls(client: IMAPClient, login: ImapLogin, context: ssl.SSLContext) -> None:
    """STARTTLS where it is offered; without it only the operator's word lets the login go on."""
    with explain_failures(login, ImapStage.TLS):
        if client.has_capability("STARTTLS"):
            client.starttls(context)
        elif not login.insecure:
            raise ImapFailure(ImapStage.TLS, f"{login.server} does not offer STARTTLS, so no login was sent.")


def _log_in(client: IMAPClient, login: ImapLogin) -> None:
    with explain_failures(login, ImapStage.AUTH):
        if client.has_capability("AUTH=PLAIN"):
            client.plain_login(login.username, login.password)
        elif client.has_capability("LOGINDISABLED"):
            raise ImapFailure(ImapStage.AUTH, f"{login.server} offers no login method Ampout speaks (PLAIN, LOGIN).")
        elif not (login.username + login.password).isascii():
            raise ImapFailure(ImapStage.AUTH, f"{login.server} takes user names and passwords in ASCII only.")
        else:
            client.login(login.username, login.password)


class _BoundedImap4(imaplib.IMAP4):
    """imaplib's client over a checked target, with a deadline for the whole and a cap on what is read."""

    def __init__(self, login: ImapLogin, target: CheckedTarget, limits: Limits, context: ssl.SSLContext) -> None:
        self._begins_in_clear = login.begins_in_clear
        self._target = target
        self._limits = limits
        self._context = context
        self._left_to_read = limits.bytes_read
        self._redactor = redactor_of(login.username, login.password)
        self._is_overdue = False
        self._timer = self._new_timer(limits.whole)
        super().__init__(target.host, target.port)
        if self.state != "NONAUTH":
            # A greeting in the clear could be forged, to keep us from STARTTLS.
            self.shutdown()
            raise ImapFailure(ImapStage.GREETING, f"{login.server} claims that we are logged in already (PREAUTH).")

    def _create_socket(self, timeout: float | None = None) -> socket.socket:  # noqa: ARG002 -- imaplib's signature
        connected = _connect(self._target, self._limits)
        if not self._begins_in_clear:
            connected = self._context.wrap_socket(connected, server_hostname=self._target.host)
        self._timer.start()
        return connected

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        """Connect, and read in larger pieces than imaplib does: a poll reads megabytes."""
        super().open(host, port, timeout)
        self.file.close()
        self.file = self.sock.makefile("rb", READ_BUFFER)  # type: ignore[assignment]  # of bytes, as imaplib's own

    def _new_timer(self, seconds: float) -> threading.Timer:
        timer = threading.Timer(seconds, self.cut_off)
        timer.daemon = True
        return timer

    def renew(self, seconds: float, bytes_read: int) -> None:
        """Begin a new deadline and a new allowance. Raises TimeoutError when the last deadline has passed."""
        self.rest()
        self._left_to_read = bytes_read
        self._timer = self._new_timer(seconds)
        self._timer.start()

    def rest(self) -> None:
        """Nothing is under way, so nothing can be late. Raises TimeoutError when the last deadline has passed."""
        self._timer.cancel()
        if self._is_overdue:
            raise TimeoutError

    def allow(self, bytes_read: int) -> None:
        """A new allowance under the same deadline."""
        self._left_to_read = bytes_read

    def cut_off(self) -> None:
        """End the connection under whoever waits on it: a server that drips keeps every single wait short."""
        self._is_overdue = True
        with suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # below TLS, whose own shutdown is not for two threads

    def read(self, size: int) -> bytes:
        """A literal, if it fits into what may still be read."""
        self._spend(size)
        return super().read(size)

    def readline(self) -> bytes:
        """A line; where it says no, its words are free of our secrets.

        Raises TimeoutError once the deadline of the whole is over.
        """
        line = bytes(self.file.readline(self._left_to_read + 1))  # type: ignore[arg-type]  # opened in binary mode
        if self._is_overdue:
            raise TimeoutError
        self._spend(len(line))
        complaint = _COMPLAINT.match(line)
        if complaint is None:
            return line
        return complaint[0] + self._redactor.redact_bytes(line[complaint.end() :])

    def _spend(self, size: int) -> None:
        self._left_to_read -= size
        if self._left_to_read < 0:
            raise self.abort("it sent more than was asked for")

    def login(self, user: str, password: str) -> tuple[Literal["OK"], list[bytes]]:
        """LOGIN with both words quoted: imaplib sends the user name as it is."""
        kind, data = self._simple_command("LOGIN", self._quote(user), self._quote(password))
        if kind != "OK":
            raise self.error(data[-1].decode("utf-8", "replace"))
        self.state = "AUTH"
        return "OK", data

    def list_by(self, command: str, *words: str) -> list[Any]:
        """The untagged answers to LIST or XLIST, as imaplib gives them."""
        kind, data = self._simple_command(command, *words)
        if kind != "OK":
            raise self.error(data[-1].decode("utf-8", "replace"))
        return list(self._untagged_response(kind, data, command)[1])

    def shutdown(self) -> None:
        """Close the connection and forget its deadline."""
        self._timer.cancel()
        super().shutdown()

    @property
    def debug(self) -> int:
        """Always 0: what imaplib and imapclient would log are people's mails, and it is half their time."""
        return 0

    @debug.setter
    def debug(self, _level: int) -> None:
        pass


class BoundedClient(IMAPClient):  # type: ignore[misc]  # imapclient has no types
    """imapclient on top of it, for one thread at a time; `cut_off` alone may be called from any."""

    def __init__(self, login: ImapLogin, target: CheckedTarget, limits: Limits, context: ssl.SSLContext) -> None:
        self._facts = (login, target, limits, context)
        super().__init__(
            login.host,
            port=login.port,
            ssl=not login.begins_in_clear,
            timeout=SocketTimeout(limits.connect, limits.reply),
        )
        self.normalise_times = False

    def _create_IMAP4(self) -> imaplib.IMAP4:  # noqa: N802 -- imapclient's name
        return _BoundedImap4(*self._facts)

    def renew(self, seconds: float, bytes_read: int) -> None:
        """Begin a new deadline and a new allowance. Raises TimeoutError when the last deadline has passed."""
        self._imap.renew(seconds, bytes_read)

    def rest(self) -> None:
        """Nothing is under way, so nothing can be late. Raises TimeoutError when the last deadline has passed."""
        self._imap.rest()

    def allow(self, bytes_read: int) -> None:
        """A new allowance of bytes under the same deadline."""
        self._imap.allow(bytes_read)

    def cut_off(self) -> None:
        """End the connection under whoever waits on it."""
        self._imap.cut_off()

    def ask_capabilities(self) -> frozenset[bytes]:
        """What the server can do after the login; what it said before need not be all."""
        return frozenset(self._do_capabilites())

    def list_raw(self, command: str, *words: str) -> list[Any]:
        """The untagged answers to LIST or XLIST, as imaplib gives them: names as the server spells them."""
        return list(self._imap.list_by(command, *words))

    def examine(self, folder: bytes) -> dict[bytes, Any]:
        """Open a folder for reading only, by the name that the server gave it; what the answer says about it.

        Raises IMAPClientError, and no kind of it, when the answer is no.
        """
        quoted = b'"' + folder.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
        self._checkok("examine", *self._imap.select(quoted, readonly=True))
        return dict(self._process_select_response(self._imap.untagged_responses))

    def ask_by_uid(self, command: str, *words: str) -> tuple[str, list[Any]]:
        """The kind ("OK", "NO") and the untagged answers to UID `command`, as imaplib gives them."""
        kind, data = self._imap.uid(command, *words)
        return kind, list(data)

    def refusal(self, command: str, data: list[Any]) -> IMAPClientError:
        """The error of an answer that was no."""
        words = data[-1] if data and isinstance(data[-1], bytes) else b""
        return IMAPClientError(f"{command}: {words.decode('utf-8', 'replace')}")


def _connect(target: CheckedTarget, limits: Limits) -> socket.socket:
    """A TCP connection to the first checked address that takes one. Raises ImapFailure."""
    problem = "refused the connection"
    seconds = min(limits.connect, limits.whole / max(1, len(target.addresses)))
    for address in target.addresses:
        try:
            return socket.create_connection((address, target.port), timeout=seconds)
        except TimeoutError:
            problem = "did not take the connection in time"
        except OSError:
            problem = "refused the connection"
    raise ImapFailure(ImapStage.CONNECT, f"{target.host}:{target.port} {problem}.")
