"""The SMTP server of the pretend internet: submission with STARTTLS and AUTH, answered by the simulated recipients."""

import asyncio
import hmac
import logging
import ssl
from collections.abc import Callable
from datetime import datetime
from typing import AnyStr

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from ampout.sandbox.aftermath import Aftermath
from ampout.sandbox.log import JsonLinesLog, LogNotWrittenError
from ampout.sandbox.logins import LOGIN
from ampout.sandbox.recipients import Memory, Pace, Stage, behaviour_of, decide
from ampout.sandbox.records import Submission, Try, conclude, refusal_line

logger = logging.getLogger(__name__)

HOSTNAME = "smtp.sandbox.test"
"""The name the server greets with."""
SIZE_LIMIT = 10 * 1024 * 1024
"""Largest message taken, in bytes, as announced by SIZE (RFC 1870)."""
RECIPIENT_LIMIT = 100
"""Recipients a transaction may have (RFC 5321 section 4.5.3.1.8 asks for at least this many)."""
FLOOD_LIMIT = 2 * SIZE_LIMIT
"""Bytes a client may send without waiting for an answer; beyond that its connection is cut."""
IDLE_SECONDS = 300.0
"""Silence after which a connection is closed (RFC 5321 section 4.5.3.2.7)."""


class Transaction(Envelope):
    """An SMTP transaction; RSET, EHLO and the end of DATA begin a new one."""

    def __init__(self) -> None:
        super().__init__()
        self.tries: list[Try] = []

    @property
    def delay_seconds(self) -> float:
        """How long a command of this transaction waits: as long as its slowest recipient makes it."""
        return max((one.answer.delay_seconds for one in self.tries), default=0.0)


class Conversation(SMTP):
    """One client's connection, with what aiosmtpd lacks: slow DATA answers and an end to floods.

    aiosmtpd keeps what a client sends without line ends, without bound; what is not answered is counted here instead.
    """

    _unanswered_bytes = 0

    def _create_envelope(self) -> Transaction:
        return Transaction()

    def data_received(self, data: bytes) -> None:
        """Hand on what came in; cut the connection of a client that never stops to listen."""
        self._unanswered_bytes += len(data)
        if self._unanswered_bytes <= FLOOD_LIMIT:
            super().data_received(data)
        elif isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    async def push(self, status: AnyStr) -> None:
        """Answer the client."""
        self._unanswered_bytes = 0
        await super().push(status)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - named by aiosmtpd
        """DATA, answered late when a recipient is slow."""
        if isinstance(self.envelope, Transaction):
            await asyncio.sleep(self.envelope.delay_seconds)
        await super().smtp_DATA(arg)


class Recipients:
    """aiosmtpd's handler: what the simulated recipients answer, written down before it is said."""

    def __init__(
        self,
        *,
        accepted: JsonLinesLog,
        refused: JsonLinesLog,
        aftermath: Aftermath,
        password: str,
        pace: Pace,
        read_clock: Callable[[], datetime],
    ) -> None:
        self._accepted = accepted
        self._refused = refused
        self._aftermath = aftermath
        self._password = password.encode()
        self._pace = pace
        self._read_clock = read_clock
        self._memory = Memory()

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: LoginPassword
    ) -> AuthResult:
        """Whether ``given`` is a login of the sandbox with its password."""
        known = LOGIN.fullmatch(given.login.decode("utf-8", "replace")) is not None
        right = hmac.compare_digest(given.password, self._password)
        return AuthResult(success=known and right, handled=False, auth_data=given)

    async def handle_EHLO(  # noqa: N802 - named by aiosmtpd
        self, _server: SMTP, session: Session, _envelope: Transaction, host_name: str, responses: list[str]
    ) -> list[str]:
        """Offer PIPELINING (RFC 2920), too: commands wait in order in the connection's buffer."""
        session.host_name = host_name
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_RCPT(  # noqa: N802 - named by aiosmtpd
        self, _server: SMTP, session: Session, envelope: Transaction, address: str, options: list[str]
    ) -> str:
        """Let the recipient decide; a refusal at this stage is logged."""
        if len(envelope.tries) >= RECIPIENT_LIMIT:
            return "452 4.5.3 Too many recipients"
        now = self._read_clock()
        behaviour = behaviour_of(address)
        one = Try(address, behaviour, decide(behaviour, self._memory.note(address, now), now, self._pace))
        await asyncio.sleep(one.answer.delay_seconds)
        if one.answer.stage is Stage.RCPT:
            await self._refused.append([refusal_line(_submission(session, envelope, now), one)])
            return one.answer.reply
        envelope.tries.append(one)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - named by aiosmtpd
        self, _server: SMTP, session: Session, envelope: Transaction
    ) -> str:
        """Answer the final dot, once the answer is in the log."""
        await asyncio.sleep(envelope.delay_seconds)
        submission = _submission(session, envelope, self._read_clock())
        verdict = conclude(submission, envelope.tries)
        await (self._accepted if verdict.accepted else self._refused).append(verdict.lines)
        if verdict.accepted:
            self._aftermath.take(submission, envelope.tries)
        return verdict.reply

    async def handle_exception(self, error: Exception) -> str:
        """The answer when something failed here: a log that cannot be written, or input aiosmtpd stumbles over."""
        if isinstance(error, LogNotWrittenError):
            logger.error("The sandbox's log cannot be written: %s", error)
            return "451 4.3.0 The sandbox cannot write its log, please try again later"
        logger.info("A client's command could not be understood: %r", error)
        return "500 5.5.2 Command not understood"


def _submission(session: Session, envelope: Transaction, now: datetime) -> Submission:
    """What is known of the transaction so far."""
    return Submission(
        received_at=now,
        sender=envelope.mail_from or "",
        login=session.auth_data.login.decode("ascii") if isinstance(session.auth_data, LoginPassword) else "",
        content=envelope.content if isinstance(envelope.content, bytes) else b"",
    )


async def start_smtp_server(recipients: Recipients, *, host: str, port: int, context: ssl.SSLContext) -> asyncio.Server:
    """Listen on ``host`` (an IP address) and ``port`` (0: any free one); raises OSError."""
    loop = asyncio.get_running_loop()

    def make_conversation() -> Conversation:
        return Conversation(
            recipients,
            authenticator=recipients.authenticate,
            auth_required=True,
            auth_require_tls=True,
            require_starttls=True,
            tls_context=context,
            data_size_limit=SIZE_LIMIT,
            enable_SMTPUTF8=True,
            hostname=HOSTNAME,
            ident="ESMTP Ampout sandbox: nothing leaves this machine",
            timeout=IDLE_SECONDS,
            loop=loop,
        )

    return await loop.create_server(make_conversation, host, port, backlog=512)
