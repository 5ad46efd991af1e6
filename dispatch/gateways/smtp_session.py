"""Delivering messages over a kept connection, one transaction at a time, knowing at each end how far it got.

The order of one transaction (`SmtpSession.send`):

1. MAIL and RCPT, in one write where PIPELINING is offered (RFC 2920).
2. The gate: the caller commits `wire`, or refuses; then RSET, and nothing has happened.
3. DATA, never before the gate. A 4yz or 5yz here is still a definite answer.
4. The body. A peer that is found gone before the final dot is written has no message: safe to retry.
5. The final dot. From here on only a reply proves anything; silence is `unknown` (RFC 1047).

Every end is a TransactionResult; `dispatch.rules.smtp_reply.judge` says what it means.
"""

import contextlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

from ampout.lib.door import CheckedTarget
from credentials.gateways.smtp_connection import (
    Deadlines,
    SmtpConnection,
    SmtpFailure,
    SmtpLogin,
    no_crash,
    resolve_target,
)
from credentials.gateways.smtp_protocol import WRITE_BLOCK_BYTES, ConversationEnded
from dispatch.knowledge import load_bounces
from dispatch.rules.smtp_reply import Failure, Reply, Stage, judge_reply
from dispatch.rules.wire_hygiene import dot_stuff

__all__ = [
    "Deadlines",
    "Envelope",
    "SmtpFailure",
    "SmtpLogin",
    "SmtpSession",
    "TransactionResult",
    "resolve_target",
]

Gate = Callable[[], Awaitable[bool]]

_RESET_SECONDS = 10.0
"""How long RSET may take; a connection that needs longer is not worth keeping."""

# Either a quoted local part or one without blanks and brackets; no control characters anywhere (RFC 5321, 4.1.2).
_PATH = re.compile(
    r'(?:"(?:[^"\\\x00-\x1f\x7f-\x9f]|\\[^\x00-\x1f\x7f-\x9f])*"|[^"<>\x00-\x20\x7f-\x9f]+)@[^"<>@\x00-\x20\x7f-\x9f]+',
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who the message is from and to: addresses with their domains in IDNA A-labels; an empty sender is the null path.

    Raises ValueError for what could end the command or smuggle in a parameter.
    """

    sender: str
    recipient: str

    def __post_init__(self) -> None:
        for path in (self.sender or "null@path", self.recipient):
            if not _PATH.fullmatch(path):
                raise ValueError(f"{path!r} cannot stand in an SMTP envelope.")
            path.encode()  # lone surrogates: UnicodeEncodeError is a ValueError

    @property
    def international(self) -> bool:
        """Whether it takes SMTPUTF8 to carry it (RFC 6531)."""
        return not (self.sender.isascii() and self.recipient.isascii())


@dataclass(frozen=True, slots=True)
class TransactionResult:
    """How one transaction ended: at `stage`, by a `failure` or else by a `reply`.

    `body_started` and `dot_written` tell what may have left us. `rejected_by_gate`: ended by the caller, not to be
    judged. `stale_connection`: a kept connection turned out to be closed before it answered MAIL, so nothing was tried
    and a fresh one may be opened at once. `detail` is a sentence without secrets.
    """

    stage: Stage
    reply: Reply | None
    failure: Failure | None
    detail: str
    body_started: bool = False
    dot_written: bool = False
    connection_usable: bool = False
    rejected_by_gate: bool = False
    stale_connection: bool = False


class _Answered(Exception):
    """The transaction ended with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


class SmtpSession:
    """A logged-in connection that carries messages one after the other. One task uses it at a time."""

    def __init__(self, connection: SmtpConnection, crash: Callable[[str], None]) -> None:
        self._connection = connection
        self._protocol = connection.protocol
        self._crash = crash
        self._open = True
        self._kept = False
        self._stage = Stage.MAIL

    @classmethod
    async def open(
        cls,
        login: SmtpLogin,
        target: CheckedTarget,
        deadlines: Deadlines,
        crash: Callable[[str], None] = no_crash,
    ) -> Self:
        """Connect to the checked target and log in. `crash` is called with the name of each failpoint passed.

        Raises SmtpFailure(stage, sentence, reply | failure).
        """
        return cls(await SmtpConnection.open(login, target, deadlines, crash), crash)

    @property
    def usable(self) -> bool:
        """Whether another message may be tried: connected, and the server has not spoken out of turn."""
        return self._open and self._protocol.quiet

    async def send(self, envelope: Envelope, body: bytes, *, gate: Gate) -> TransactionResult:
        """Try to deliver `body` (CRLF line ends, not dot-stuffed) and say how it ended.

        `gate` is awaited once the recipient was accepted; True lets DATA and the body go. What it raises passes
        through, as does cancellation: the connection is then closed. Raises HygieneFailed, before anything is
        written, for line ends that stand alone.
        """
        stuffed = dot_stuff(body)
        refusal = self._refuse_unoffered(envelope, body)
        if refusal is not None:
            return refusal
        self._stage = Stage.MAIL
        self._connection.begin_transaction()
        try:
            result = await self._transact(envelope, stuffed, gate)
        except ConversationEnded as end:
            result = self._end_silently(end.failure)
        except BaseException:
            self.abort()
            raise
        self._kept = True
        return result

    async def late_reply(self, seconds: float) -> Reply | None:
        """The final reply, should it still come within `seconds` after `send` reported a timeout at the final dot.

        Evidence for the ledger; the connection carries nothing more, and the caller aborts it.
        """
        self._connection.begin_transaction()
        try:
            return await self._connection.read(seconds)
        except ConversationEnded:
            return None

    async def quit(self) -> None:
        """Say QUIT and close; never raises for what the server does."""
        if self._open:
            await self._connection.quit()
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        self._open = False
        self._connection.abort()

    # -- One transaction

    async def _transact(self, envelope: Envelope, stuffed: bytes, gate: Gate) -> TransactionResult:
        """The five steps of the module's docstring. Raises ConversationEnded."""
        try:
            accepted = await self._send_envelope(envelope, eight_bit=not stuffed.isascii())
            self._crash("after_rcpt")
            if not await gate():
                return await self._end_by_gate(accepted)
            await self._announce_data()
            await self._write_body(stuffed)
            final = await self._finish()
        except _Answered as end:
            return await self._end_by_reply(end.reply)
        return await self._end_by_reply(final)

    async def _send_envelope(self, envelope: Envelope, *, eight_bit: bool) -> Reply:
        """Step 1; the positive reply to RCPT."""
        await self._heed_interruption()
        mail, rcpt = _envelope_commands(envelope, eight_bit=eight_bit)
        pipelining = self._connection.capabilities.pipelining
        self._connection.write(mail + rcpt if pipelining else mail)
        mail_reply = await self._connection.read()
        if not mail_reply.positive:
            if pipelining:
                await self._discard_reply()
            raise _Answered(mail_reply)
        self._stage = Stage.RCPT
        if not pipelining:
            self._connection.write(rcpt)
        rcpt_reply = await self._connection.read()
        if not rcpt_reply.positive:
            raise _Answered(rcpt_reply)
        return rcpt_reply

    async def _announce_data(self) -> None:
        """Step 3: DATA, which only 354 lets go on."""
        self._stage = Stage.DATA
        await self._heed_interruption()
        self._connection.write(b"DATA\r\n")
        reply = await self._connection.read()
        if reply.code != 354:
            raise _Answered(reply)

    async def _write_body(self, stuffed: bytes) -> None:
        """Step 4: all of the message but its final dot, in blocks, with a look at the peer after each."""
        self._stage = Stage.BODY
        for start in range(0, len(stuffed), WRITE_BLOCK_BYTES):
            self._connection.write(stuffed[start : start + WRITE_BLOCK_BYTES])
            if start == 0:
                self._crash("mid_body")
            try:
                await self._connection.drain()
            except ConversationEnded:
                # A server that refuses in the middle and closes has said why.
                await self._heed_interruption()
                raise
            await self._heed_interruption()

    async def _finish(self) -> Reply:
        """Step 5: the final dot and its reply."""
        self._stage = Stage.DOT
        self._connection.write(b".\r\n")
        self._crash("after_dot")
        reply = await self._connection.read(self._connection.deadlines.final_reply)
        if reply.positive:
            self._crash("after_250")
        return reply

    async def _heed_interruption(self) -> None:
        """Take what the server said without being asked (421 as a rule) for its last word."""
        if self._protocol.speaking:
            raise _Answered(await self._connection.read())

    async def _discard_reply(self) -> None:
        """Read the reply to a command that was pipelined behind a refused one, if it comes at all."""
        with contextlib.suppress(ConversationEnded):
            await self._connection.read(_RESET_SECONDS)

    # -- Ends

    async def _end_by_gate(self, accepted: Reply) -> TransactionResult:
        """The caller's no: RSET, as if nothing had been."""
        await self._reset()
        return self._result(accepted, rejected_by_gate=True)

    async def _end_by_reply(self, reply: Reply) -> TransactionResult:
        """The server's last word; the connection stays where the verdict and the server allow it."""
        stage = self._stage
        if stage is Stage.BODY and not (reply.temporary or reply.permanent):
            # It takes the message for finished, and may deliver what it has: as unknown as silence after the dot.
            self._stage = Stage.DOT
            return self._end_silently(Failure.GARBAGE)
        stale = self._kept and stage is Stage.MAIL and reply.code == 421
        if not judge_reply(stage, reply, load_bounces()).keep_connection:
            self.abort()
        elif stage is not Stage.DOT:
            await self._reset()
        return self._result(reply, stale_connection=stale)

    def _end_silently(self, failure: Failure) -> TransactionResult:
        """No last word. After a timeout at the final dot the connection stays open for the late reply."""
        stale = self._kept and self._stage is Stage.MAIL and failure is Failure.DISCONNECTED
        self._open = False
        if not (self._stage is Stage.DOT and failure is Failure.TIMEOUT):
            self.abort()
        return self._result(None, failure, stale_connection=stale)

    def _result(
        self,
        reply: Reply | None,
        failure: Failure | None = None,
        *,
        rejected_by_gate: bool = False,
        stale_connection: bool = False,
    ) -> TransactionResult:
        return TransactionResult(
            stage=self._stage,
            reply=reply,
            failure=failure,
            detail=self._connection.describe(self._stage, reply, failure),
            body_started=self._stage in {Stage.BODY, Stage.DOT},
            dot_written=self._stage is Stage.DOT,
            connection_usable=self.usable,
            rejected_by_gate=rejected_by_gate,
            stale_connection=stale_connection,
        )

    async def _reset(self) -> None:
        """RSET, so that the connection can carry the next message; closed where that fails."""
        try:
            self._connection.write(b"RSET\r\n")
            reply = await self._connection.read(_RESET_SECONDS)
        except ConversationEnded:
            reply = None
        if reply is None or not reply.positive:
            self.abort()

    def _refuse_unoffered(self, envelope: Envelope, body: bytes) -> TransactionResult | None:
        """The refusal of a message that the server has said it cannot take, without trying it."""
        capabilities = self._connection.capabilities
        if envelope.international and not capabilities.smtputf8:
            reply = Reply(553, "5.6.7", "Not tried: the server does not offer SMTPUTF8, which this address needs.")
            return self._refuse(Stage.RCPT, reply)
        if not (capabilities.eight_bit or body.isascii()):
            return self._refuse(Stage.DATA, Reply(554, "5.6.3", "Not tried: the server does not offer 8BITMIME."))
        if capabilities.size_limit is not None and len(body) > capabilities.size_limit:
            text = f"Not tried: {len(body)} octets, and the server takes {capabilities.size_limit}."
            return self._refuse(Stage.DATA, Reply(552, "5.3.4", text))
        return None

    def _refuse(self, stage: Stage, reply: Reply) -> TransactionResult:
        """Our own refusal in the place of the server's (RFC 6531 3.2, RFC 6152 3, RFC 1870 6)."""
        return TransactionResult(stage, reply, None, reply.text, connection_usable=self.usable)


def _envelope_commands(envelope: Envelope, *, eight_bit: bool) -> tuple[bytes, bytes]:
    """MAIL and RCPT, with the parameters this message needs."""
    parameters = (" BODY=8BITMIME" if eight_bit else "") + (" SMTPUTF8" if envelope.international else "")
    mail = f"MAIL FROM:<{envelope.sender}>{parameters}\r\n"
    return mail.encode(), f"RCPT TO:<{envelope.recipient}>\r\n".encode()
