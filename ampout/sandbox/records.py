"""The lines of the recipients' logs, made from what one transaction showed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from ampout.sandbox.headers import read_headers
from ampout.sandbox.log import Record
from ampout.sandbox.recipients import REWRITTEN_DOMAIN, Answer, Behaviour, Stage, provider_id


@dataclass(frozen=True, slots=True)
class Try:
    """One recipient of a transaction, and how it answers."""

    recipient: str
    """The address as given in RCPT TO."""
    behaviour: Behaviour
    answer: Answer


@dataclass(frozen=True, slots=True)
class Submission:
    """What the server knows about a transaction when a recipient's answer is due."""

    received_at: datetime
    sender: str
    """The address as given in MAIL FROM."""
    login: str
    """Who authenticated."""
    content: bytes = b""
    """The message without the dots added for transport; empty until the final dot."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a transaction ends: its lines, the log they belong to, and the reply, in the order they take effect."""

    accepted: bool
    lines: Sequence[Record]
    reply: str


def conclude(submission: Submission, tries: Sequence[Try]) -> Verdict:
    """The answer to the final dot; one refusal refuses for all, for SMTP has one reply for all recipients there."""
    refusing = [one for one in tries if not one.answer.accepts]
    if refusing:
        return Verdict(False, [refusal_line(submission, one) for one in refusing], refusing[0].answer.reply)
    digest = sha256(submission.content).hexdigest()
    lines = [_line(submission, one) | {"size": len(submission.content), "sha256": digest} for one in tries]
    rewriting = [one for one in tries if one.answer.rewrites_message_id]
    reply = f"{rewriting[0].answer.reply} {_provider_id(submission)}" if rewriting else tries[0].answer.reply
    return Verdict(True, lines, reply)


def refusal_line(submission: Submission, refused: Try) -> Record:
    """A line of the second log; a refusal at RCPT knows nothing of the message yet."""
    decided = {"stage": str(refused.answer.stage), "reply": refused.answer.reply}
    line = _line(submission, refused) if refused.answer.stage is Stage.DOT else _envelope(submission, refused)
    return line | decided


def delivered_id(submission: Submission, one: Try) -> str:
    """The Message-ID that the recipient sees: the provider's own, for those that rewrite."""
    if one.answer.rewrites_message_id:
        return f"<{_provider_id(submission)}@{REWRITTEN_DOMAIN}>"
    return read_headers(submission.content).message_id


def _provider_id(submission: Submission) -> str:
    return provider_id(sha256(submission.content).digest(), submission.received_at)


def timestamp(moment: datetime) -> str:
    """A moment as the logs have it: UTC, in milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _envelope(submission: Submission, one: Try) -> dict[str, str | int | None]:
    return {
        "time": timestamp(submission.received_at),
        "recipient": one.recipient,
        "sender": submission.sender,
        "login": submission.login,
        "behaviour": str(one.behaviour),
    }


def _line(submission: Submission, one: Try) -> dict[str, str | int | None]:
    """What both logs say of a message."""
    headers = read_headers(submission.content)
    return _envelope(submission, one) | {
        "message_id": headers.message_id,
        "delivered_message_id": delivered_id(submission, one) if one.answer.accepts else None,
        "in_reply_to": headers.in_reply_to,
        "subject": headers.subject,
    }
