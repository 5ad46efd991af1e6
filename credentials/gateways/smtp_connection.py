"""A connection to a user's SMTP server, up to and including the login: the part that checks and deliveries share.

1. Connect to the addresses the outbound door has checked, one after the other.
2. Port 465: TLS from the first byte. Any other port: EHLO, STARTTLS, and everything before it is forgotten (RFC 3207).
3. EHLO, then AUTH where there is a user name.

Nothing of the login and nothing of a message is written before TLS with a verified certificate for the login's host is
up, unless the operator declared the host insecure.
"""

import asyncio
import base64
import re
import ssl
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Self

from ampout.lib.door import SMTP_PORTS, CheckedTarget, TargetRefused, TargetUnresolved, check_target_async
from credentials.gateways.smtp_protocol import ConversationEnded, SmtpProtocol
from credentials.gateways.tls import client_context, describe_tls_error
from credentials.rules.redaction import encode_plain, redactor_of
from credentials.rules.smtp_parser import Capabilities, parse_capabilities
from credentials.rules.smtp_words import Failure, Reply, Stage

IMPLICIT_TLS_PORTS = frozenset({443, 465, 2465, 8465})
"""TLS from the first byte (RFC 8314, section 7.3), with the spare ports of Amazon SES and SMTP2GO (presets.toml)."""

_EHLO_NAME = re.compile(r"[A-Za-z0-9.:_\[\]-]{1,255}")
_QUIT_SECONDS = 5.0
_CLOSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class SmtpLogin:
    """Where and as whom to connect. An empty `username` means no AUTH.

    `ca_file` (PEM, may be empty) adds authorities to the system's. `insecure` is the operator's word for this host:
    plaintext and unverified certificates are then allowed. Raises ValueError for an `ehlo_name` that is no host name.
    """

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    insecure: bool = False
    ehlo_name: str = "localhost"

    def __post_init__(self) -> None:
        if not _EHLO_NAME.fullmatch(self.ehlo_name):
            raise ValueError("ehlo_name must be a host name or an address in brackets; see the setting EHLO_NAME.")

    @property
    def server(self) -> str:
        """Host and port, as sentences name them."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long to wait, in seconds (RFC 5321 4.5.3.2; promises A12).

    `connect` holds for all addresses together, and for a TLS handshake; `reply` for each reply; `data_block` for each
    64 kB of the body to be taken; `final_reply` after the final dot; `transaction` for opening, and again for each
    message, as a whole.
    """

    connect: float = 30
    reply: float = 300
    data_block: float = 180
    final_reply: float = 600
    transaction: float = 1200


class SmtpFailure(Exception):
    """The conversation ended before it could carry a message: at `stage`, by a `reply` or by a `failure`.

    The message is one sentence for the mailbox's owner, with the server's own words and never a secret.
    """

    def __init__(
        self, stage: Stage, sentence: str, *, reply: Reply | None = None, failure: Failure | None = None
    ) -> None:
        super().__init__(sentence)
        self.stage = stage
        self.reply = reply
        self.failure = failure
        self.sentence = sentence


def no_crash(_point: str) -> None:
    """The failpoint hook outside of tests: does nothing."""


async def resolve_target(login: SmtpLogin, ports: Collection[int] | None = SMTP_PORTS) -> CheckedTarget:
    """The login's server through the outbound door (`ports`: see `check_target`).

    Raises SmtpFailure at the stage `connect`, with `target_refused` or `unresolved`.
    """
    try:
        return await check_target_async(login.host, login.port, ports=ports)
    except TargetRefused as refusal:
        raise SmtpFailure(Stage.CONNECT, refusal.message, failure=Failure.TARGET_REFUSED) from refusal
    except TargetUnresolved as silence:
        raise SmtpFailure(Stage.CONNECT, silence.message, failure=Failure.UNRESOLVED) from silence


class SmtpConnection:
    """A connection that is logged in; its owner sends commands and reads their replies in order."""

    def __init__(self, login: SmtpLogin, protocol: SmtpProtocol, deadlines: Deadlines) -> None:
        self.login = login
        self.protocol = protocol
        self.deadlines = deadlines
        self.capabilities = Capabilities()
        self.encrypted = False
        self._redactor = redactor_of(login.username, login.password)
        self._loop = asyncio.get_running_loop()
        self._latest = self._loop.time() + deadlines.transaction

    @classmethod
    async def open(
        cls,
        login: SmtpLogin,
        target: CheckedTarget,
        deadlines: Deadlines,
        crash: Callable[[str], None] = no_crash,
    ) -> Self:
        """Connect, set up TLS and log in. Raises SmtpFailure; nothing stays open then."""
        protocol = await _connect(login, target, deadlines)
        crash("after_connect")
        connection = cls(login, protocol, deadlines)
        try:
            await connection._greet()
            await connection._log_in()
        except BaseException:
            protocol.abort()
            raise
        crash("after_auth")
        return connection

    # -- Commands and replies

    def begin_transaction(self) -> None:
        """Start the clock of a new transaction."""
        self._latest = self._loop.time() + self.deadlines.transaction

    def write(self, line: bytes) -> None:
        """Write a command, or several at once, CRLF included."""
        self.protocol.write(line)

    async def read(self, seconds: float | None = None) -> Reply:
        """The next reply, free of our secrets; `seconds` instead of the usual deadline. Raises ConversationEnded."""
        seconds = self.deadlines.reply if seconds is None else seconds
        reply = await self.protocol.read_reply(min(self._loop.time() + seconds, self._latest))
        return Reply(reply.code, reply.enhanced, self._redactor.redact(reply.text))

    async def drain(self) -> None:
        """Until there is room for the next block of a message. Raises ConversationEnded."""
        await self.protocol.drain(self.deadlines.data_block, self._latest)

    async def _ask(self, stage: Stage, line: bytes | None = None) -> Reply:
        """Write a command, if any, and read its reply. Raises SmtpFailure when none comes."""
        try:
            if line is not None:
                self.write(line)
            return await self.read()
        except ConversationEnded as end:
            raise self._failed(stage, end.failure) from end

    def describe(self, stage: Stage, reply: Reply | None, failure: Failure | None = None) -> str:
        """One sentence on what the server answered, or how it failed to answer, at `stage`."""
        if failure is None:
            return f"{self.login.server} answered {_ASKED[stage]}: {reply}"
        return f"{self.login.server} {_SILENCES[failure]} {_ASKED[stage]}."

    def _refused(self, stage: Stage, reply: Reply) -> SmtpFailure:
        """The failure for an answer that does not let us go on."""
        return SmtpFailure(stage, self.describe(stage, reply), reply=reply)

    def _failed(self, stage: Stage, failure: Failure) -> SmtpFailure:
        """The failure for an answer that never came."""
        return SmtpFailure(stage, self.describe(stage, None, failure), failure=failure)

    # -- From the greeting to the login

    async def _greet(self) -> None:
        """Banner, EHLO and TLS, in the order the port asks for."""
        implicit = self.login.port in IMPLICIT_TLS_PORTS
        if implicit:
            await self._start_tls()
        banner = await self._ask(Stage.BANNER)
        if not banner.positive:
            raise self._refused(Stage.BANNER, banner)
        await self._say_ehlo()
        if implicit:
            return
        if self.capabilities.starttls:
            await self._upgrade()
        elif not self.login.insecure:
            sentence = f"{self.login.server} does not offer STARTTLS, so no login and no message was sent."
            raise SmtpFailure(Stage.STARTTLS, sentence, failure=Failure.TLS)

    async def _say_ehlo(self) -> None:
        """EHLO, and what the server offers."""
        reply = await self._ask(Stage.EHLO, f"EHLO {self.login.ehlo_name}\r\n".encode())
        if not reply.positive:
            raise self._refused(Stage.EHLO, reply)
        self.capabilities = parse_capabilities(reply)

    async def _upgrade(self) -> None:
        """STARTTLS, and a second EHLO: what was offered in the clear is not believed (RFC 3207, section 4.2)."""
        reply = await self._ask(Stage.STARTTLS, b"STARTTLS\r\n")
        if not reply.positive:
            raise self._refused(Stage.STARTTLS, reply)
        await self._start_tls()
        await self._say_ehlo()

    async def _start_tls(self) -> None:
        host = self.login.host
        try:
            await self.protocol.start_tls(self._context(), host, self.deadlines.connect)
        except ConversationEnded as end:
            sentence = f"{self.login.server} sent plaintext after agreeing to TLS."
            raise SmtpFailure(Stage.STARTTLS, sentence, failure=Failure.TLS) from end
        except TimeoutError as error:
            raise self._failed(Stage.STARTTLS, Failure.TIMEOUT) from error
        except OSError as error:
            raise SmtpFailure(Stage.STARTTLS, describe_tls_error(error, host), failure=Failure.TLS) from error
        self.encrypted = True

    def _context(self) -> ssl.SSLContext:
        try:
            return client_context(self.login.ca_file, insecure=self.login.insecure)
        except OSError as error:
            sentence = f"The operator's file of trusted authorities (SMTP_CA_FILE) cannot be used: {error.strerror}."
            raise SmtpFailure(Stage.STARTTLS, sentence, failure=Failure.TLS) from error

    async def _log_in(self) -> None:
        """AUTH PLAIN, or LOGIN where PLAIN is not offered (RFC 4954)."""
        if not self.login.username:
            return
        methods = self.capabilities.login_methods
        if "PLAIN" in methods:
            reply = await self._auth_plain()
        elif "LOGIN" in methods:
            reply = await self._auth_login()
        else:
            offered = ", ".join(sorted(methods)) or "none"
            sentence = f"{self.login.server} offers no login method Ampout speaks (PLAIN, LOGIN); it offers: {offered}."
            raise SmtpFailure(Stage.AUTH, sentence, failure=Failure.UNSUPPORTED)
        if not reply.positive:
            raise self._refused(Stage.AUTH, reply)

    async def _auth_plain(self) -> Reply:
        """The initial response goes with the command; servers that ask for it once more get it once more."""
        response = encode_plain(self.login.username, self.login.password)
        reply = await self._ask(Stage.AUTH, f"AUTH PLAIN {response}\r\n".encode())
        if reply.code == 334:
            reply = await self._ask(Stage.AUTH, f"{response}\r\n".encode())
        return reply

    async def _auth_login(self) -> Reply:
        """User name and password, each on its own challenge; the challenges' words do not matter."""
        reply = await self._ask(Stage.AUTH, b"AUTH LOGIN\r\n")
        for answer in (self.login.username, self.login.password):
            if reply.code != 334:
                return reply
            reply = await self._ask(Stage.AUTH, base64.b64encode(answer.encode()) + b"\r\n")
        return reply

    # -- The end

    async def quit(self) -> None:
        """QUIT, wait a few seconds for the answer, close. Never raises for what the server does."""
        if self.protocol.quiet:
            self.write(b"QUIT\r\n")
            try:
                await self.protocol.read_reply(self._loop.time() + min(self.deadlines.reply, _QUIT_SECONDS))
            except ConversationEnded:
                self.abort()
        await self.protocol.close(_CLOSE_SECONDS)

    def abort(self) -> None:
        """Close at once, saying nothing."""
        self.protocol.abort()


async def _connect(login: SmtpLogin, target: CheckedTarget, deadlines: Deadlines) -> SmtpProtocol:
    """A TCP connection to the first checked address that takes one; each gets its share of the deadline."""
    loop = asyncio.get_running_loop()
    latest = loop.time() + deadlines.connect
    failure = Failure.REFUSED
    for index, address in enumerate(target.addresses):
        share = (latest - loop.time()) / (len(target.addresses) - index)
        try:
            async with asyncio.timeout(share):
                _, protocol = await loop.create_connection(SmtpProtocol, address, target.port)
        except TimeoutError:
            failure = Failure.TIMEOUT
        except OSError:
            failure = Failure.REFUSED
        else:
            return protocol
    sentence = f"{login.server} {_SILENCES[failure]} {_ASKED[Stage.CONNECT]}."
    raise SmtpFailure(Stage.CONNECT, sentence, failure=failure)


_ASKED = {
    Stage.CONNECT: "the connection",
    Stage.BANNER: "the connection (its greeting)",
    Stage.EHLO: "EHLO",
    Stage.STARTTLS: "STARTTLS",
    Stage.AUTH: "the login",
    Stage.MAIL: "MAIL FROM",
    Stage.RCPT: "RCPT TO",
    Stage.DATA: "DATA",
    Stage.BODY: "the message",
    Stage.DOT: "the end of the message",
}

_SILENCES = {
    Failure.REFUSED: "refused",
    Failure.TIMEOUT: "did not answer in time to",
    Failure.DISCONNECTED: "closed the connection instead of answering",
    Failure.GARBAGE: "sent something that is no SMTP reply to",
    Failure.TLS: "failed at",
    Failure.UNRESOLVED: "has no address for",
    Failure.TARGET_REFUSED: "may not be used for",
    Failure.UNSUPPORTED: "does not offer what it takes for",
}
"""Verbs between the server's name and what was asked of it."""
