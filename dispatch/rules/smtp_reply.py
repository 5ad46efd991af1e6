"""What the end of an SMTP conversation means for the message, the contact and the credential.

The table (design: States; RFC 5321 4.2.1, 4.5.3.1.10; RFC 3463). The first row that fits decides:

1. 2yz after the final dot: accepted. Silence, nonsense or a wrong code there: unknown (RFC 1047), never sent again.
2. 421 or 4yz anywhere, and silence or a wrong code before the final dot: deferred.
3. 5yz before MAIL, and at MAIL: deferred, the credential's or the server's problem; the recipient is untouched.
4. 5yz at RCPT, DATA or the dot that speaks of *our* login, sender or sending limit: the same. Servers that delay
   their refusals (Postfix `smtpd_delay_reject`) say at RCPT what they think of AUTH and MAIL.
5. 552 at RCPT: temporary (RFC 5321 4.5.3.1.10). 503 before the dot: we are out of step, nobody has been judged.
6. 5yz about the address: refused, hard bounce, suppressed. At RCPT that is what is left when rows 4, 5 and 7 do not
   fit; at DATA and the dot it needs an address code or unmistakable words.
7. 5yz about policy, content, size or a full mailbox: refused, not a bounce, not suppressed.

What codes and words mean in rows 6 and 7 stands in dispatch/data/bounces.toml: notices of failure are read by the same.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from credentials.rules.smtp_words import Failure, Reply, Stage
from dispatch.rules.classify.bounce_knowledge import BounceKnowledge
from dispatch.rules.classify.status_codes import judge_failure as judge_words
from dispatch.rules.message_state import MessageState

__all__ = ["Blame", "Failure", "Reply", "Stage", "Verdict", "VerdictReason", "judge", "judge_failure", "judge_reply"]


class Blame(StrEnum):
    """Whose problem the outcome is."""

    NOBODY = "nobody"
    """Accepted, or nothing can be said."""
    ADDRESS = "address"
    """The recipient's address does not exist or is disabled: counts as a bounce."""
    CONTENT = "content"
    """This message was refused for policy, content, size or a full mailbox: never counts as a bounce."""
    CREDENTIAL = "credential"
    """The login, its sender or its limits: shown with the server's words."""
    SERVER = "server"
    """The server or the way to it: back off and try again."""


class VerdictReason(StrEnum):
    """Why, in a word that logs, events and the admin use."""

    ACCEPTED = "accepted"
    """250 after the final dot."""
    NO_FINAL_REPLY = "no_final_reply"
    """The final dot left us and no valid reply came."""
    TEMPORARY = "temporary"
    """4yz: try again later."""
    SERVER_CLOSING = "server_closing"
    """421: the server closes the connection."""
    WRONG_REPLY = "wrong_reply"
    """A code that has no place at this stage (334 to RCPT, 250 to DATA), or 503."""
    SERVER_REFUSED = "server_refused"
    """5yz to the greeting, EHLO or STARTTLS."""
    LOGIN_REFUSED = "login_refused"
    """5yz to AUTH, or authentication demanded later."""
    SENDER_REFUSED = "sender_refused"
    """5yz to MAIL, or a delayed refusal of the sender or of relaying."""
    SENDING_LIMIT = "sending_limit"
    """The provider's own limit for this login is used up."""
    ADDRESS_REFUSED = "address_refused"
    """5yz about the recipient's address."""
    CONTENT_REFUSED = "content_refused"
    """5yz about policy or content."""
    MAILBOX_FULL = "mailbox_full"
    """5yz: the mailbox exists and is full."""
    TOO_LARGE = "too_large"
    """5yz about the size of the message."""
    CONNECTION_REFUSED = "connection_refused"
    """No TCP connection."""
    TIMEOUT = "timeout"
    """A deadline passed before the final dot."""
    DISCONNECTED = "disconnected"
    """The peer went away before the final dot."""
    TLS_FAILED = "tls_failed"
    """No verified TLS, so nothing was said."""
    GARBAGE = "garbage"
    """No SMTP reply could be read."""
    UNRESOLVED = "unresolved"
    """The server's name has no address just now."""
    TARGET_REFUSED = "target_refused"
    """The server's address is not one we may connect to."""
    NO_LOGIN_METHOD = "no_login_method"
    """The server offers no login method we speak."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The new state of the message and what follows from it.

    `hard_bounce` counts against credential and campaign; `suppress` stops every path to the address; `keep_connection`
    says that the connection may carry another message after RSET.
    """

    state: MessageState
    reason: VerdictReason
    blame: Blame
    hard_bounce: bool = False
    suppress: bool = False
    keep_connection: bool = False


_ENVELOPE_STAGES = frozenset({Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.BODY, Stage.DOT})

# After a refusal at these, RSET makes the connection good for the next message; a half-written body cannot be undone.
_REUSABLE_STAGES = _ENVELOPE_STAGES - {Stage.BODY}

_FAILURES: dict[Failure, tuple[VerdictReason, Blame]] = {
    Failure.REFUSED: (VerdictReason.CONNECTION_REFUSED, Blame.SERVER),
    Failure.TIMEOUT: (VerdictReason.TIMEOUT, Blame.SERVER),
    Failure.DISCONNECTED: (VerdictReason.DISCONNECTED, Blame.SERVER),
    Failure.TLS: (VerdictReason.TLS_FAILED, Blame.SERVER),
    Failure.GARBAGE: (VerdictReason.GARBAGE, Blame.SERVER),
    Failure.UNRESOLVED: (VerdictReason.UNRESOLVED, Blame.SERVER),
    Failure.TARGET_REFUSED: (VerdictReason.TARGET_REFUSED, Blame.CREDENTIAL),
    Failure.UNSUPPORTED: (VerdictReason.NO_LOGIN_METHOD, Blame.CREDENTIAL),
}

_UNKNOWN = Verdict(MessageState.UNKNOWN, VerdictReason.NO_FINAL_REPLY, Blame.NOBODY)


def judge(stage: Stage, reply: Reply | None, failure: Failure | None, knowledge: BounceKnowledge) -> Verdict:
    """The verdict on a conversation that ended at `stage`, with a failure or else with a reply.

    Raises ValueError when it has neither.
    """
    if failure is not None:
        return judge_failure(stage, failure)
    if reply is None:
        raise ValueError("A conversation ends with a reply or with a failure; this one has neither.")
    return judge_reply(stage, reply, knowledge)


def judge_failure(stage: Stage, failure: Failure) -> Verdict:
    """The verdict on a conversation that ended at `stage` without a reply: rows 1 and 2."""
    if stage is Stage.DOT:
        return _UNKNOWN
    reason, blame = _FAILURES[failure]
    return Verdict(MessageState.DEFERRED, reason, blame)


def judge_reply(stage: Stage, reply: Reply, knowledge: BounceKnowledge) -> Verdict:
    """The verdict on a conversation whose last word at `stage` is `reply`; total over all stages and codes.

    A positive reply before the final dot ends nothing, so as a last word it is a wrong one.
    """
    if stage is Stage.DOT and not (reply.temporary or reply.permanent):
        return _ACCEPTED if reply.positive else _UNKNOWN
    if reply.code == 421:
        return Verdict(MessageState.DEFERRED, VerdictReason.SERVER_CLOSING, Blame.SERVER)
    if reply.temporary:
        return _deferred(stage, VerdictReason.TEMPORARY, Blame.SERVER)
    if not reply.permanent:
        return Verdict(MessageState.DEFERRED, VerdictReason.WRONG_REPLY, Blame.SERVER)
    return _judge_permanent(stage, reply, knowledge)


_ACCEPTED = Verdict(MessageState.ACCEPTED, VerdictReason.ACCEPTED, Blame.NOBODY, keep_connection=True)


def _judge_permanent(stage: Stage, reply: Reply, knowledge: BounceKnowledge) -> Verdict:
    """Rows 3 to 7: 5yz at any stage."""
    if stage is Stage.AUTH:
        return _deferred(stage, VerdictReason.LOGIN_REFUSED, Blame.CREDENTIAL)
    if stage not in _ENVELOPE_STAGES:
        return _deferred(stage, VerdictReason.SERVER_REFUSED, Blame.SERVER)
    own_fault = _find_own_fault(reply)
    if own_fault or stage is Stage.MAIL:
        return _deferred(stage, own_fault or VerdictReason.SENDER_REFUSED, Blame.CREDENTIAL)
    if reply.code == 552 and stage is Stage.RCPT:
        return _deferred(stage, VerdictReason.TEMPORARY, Blame.SERVER)
    if reply.code == 503 and stage is not Stage.DOT:
        return Verdict(MessageState.DEFERRED, VerdictReason.WRONG_REPLY, Blame.SERVER)
    return _judge_refusal(stage, reply, knowledge)


def _deferred(stage: Stage, reason: VerdictReason, blame: Blame) -> Verdict:
    """Deferred; a refusal inside a transaction leaves the connection in good order."""
    return Verdict(MessageState.DEFERRED, reason, blame, keep_connection=stage in _REUSABLE_STAGES)


# -- Reading a refusal. Words count only where the codes leave room; addresses and links in the text never do.

_NAMES_IN_TEXT = re.compile(r"https?://\S*|<[^<>\s]{0,320}>|[^\s<>@]{1,320}@[^\s<>@]{1,255}")

_LOGIN_WORDS = re.compile(
    r"\b(authentication (is )?required|must authenticate|auth(entication)? first|not authenticated)"
)
_SENDER_CODES = frozenset({"5.1.7", "5.1.8"})
_SENDER_WORDS = re.compile(
    r"\b(sender address rejected|sender rejected|not owned by user|not allowed to send as|send as this sender"
    r"|from address not verified|sender (address )?not verified|relay(ing)? (access )?(denied|not permitted)"
    r"|unable to relay|relay not permitted|not permitted to relay)\b",
)
_LIMIT_CODES = frozenset({"5.4.5"})
_LIMIT_WORDS = re.compile(
    r"\b(sending (limit|quota)|(daily|hourly|monthly) (user )?(message |mail |sending )?(limit|quota)"
    r"|submissionquota\w*|message limit exceeded|rate limit exceeded|outbound (limit|quota))\b",
)
_POLICY_CODES = re.compile(r"5\.([3567]\.\d+)\Z")
_ADDRESS_REASONS = frozenset({"unknown_user", "unknown_host", "moved", "no_mail", "disabled"})
_WEAK_REASONS = frozenset({"refused_address", "system", ""})


def _words(reply: Reply) -> str:
    """The reply's text in lower case on one line, without addresses and links; at most 2,000 characters are read."""
    text = _NAMES_IN_TEXT.sub(" ", reply.text[:2000])
    return " ".join(text.lower().split())


def _find_own_fault(reply: Reply) -> VerdictReason | None:
    """Whether a 5yz inside the transaction is about our login, sender or limit (row 4)."""
    words = _words(reply)
    if reply.code in {530, 534, 535, 538} or _LOGIN_WORDS.search(words):
        return VerdictReason.LOGIN_REFUSED
    if reply.enhanced in _LIMIT_CODES or _LIMIT_WORDS.search(words):
        return VerdictReason.SENDING_LIMIT
    if reply.enhanced in _SENDER_CODES or _SENDER_WORDS.search(words):
        return VerdictReason.SENDER_REFUSED
    return None


def _judge_refusal(stage: Stage, reply: Reply, knowledge: BounceKnowledge) -> Verdict:
    """Rows 6 and 7: 5yz at RCPT, DATA or the dot, about the recipient or about this message."""
    reason = _refusal_reason(stage, reply, knowledge)
    bounced = reason is VerdictReason.ADDRESS_REFUSED
    return Verdict(
        MessageState.REFUSED,
        reason,
        Blame.ADDRESS if bounced else Blame.CONTENT,
        hard_bounce=bounced,
        suppress=bounced,
        keep_connection=stage in _REUSABLE_STAGES,
    )


def _refusal_reason(stage: Stage, reply: Reply, knowledge: BounceKnowledge) -> VerdictReason:
    """What the codes and words mean; where they say little, the stage decides.

    A wrong suppression costs the user a contact for ever, a missed one costs one more refusal: so doubt goes to
    content, except for the plain 5yz at RCPT, which by RFC 5321 speaks of the recipient.
    """
    enhanced = reply.enhanced or ""
    told = judge_words(enhanced, f"{reply.code} {enhanced} {reply.text[:2000]}", "", knowledge).reason
    if told == "too_large":
        return VerdictReason.TOO_LARGE
    if told == "mailbox_full":
        return VerdictReason.MAILBOX_FULL
    plain = stage is Stage.RCPT and told in _WEAK_REASONS
    if (told in _ADDRESS_REASONS or plain) and not _POLICY_CODES.match(enhanced):
        return VerdictReason.ADDRESS_REFUSED
    return VerdictReason.TOO_LARGE if reply.code == 552 else VerdictReason.CONTENT_REFUSED
