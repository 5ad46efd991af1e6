"""What one mail was judged to be."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class MailKind(StrEnum):
    """What a mail in a sender's mailbox is. The order is the order of judgement."""

    BOUNCE = "bounce"
    """A message could not be delivered, for good (RFC 3464: failed), or in a dialect that says so."""
    DELAY = "delay"
    """A message is late and still tried (RFC 3464: delayed); it judges nobody."""
    FEEDBACK = "feedback"
    """A mailbox provider passes on a complaint (RFC 5965)."""
    AUTO_REPLY = "auto_reply"
    """A machine answered for a person, who may never have seen the message (RFC 3834)."""
    UNSUBSCRIBE = "unsubscribe"
    """A person asks not to be written to."""
    REPLY = "reply"
    """A person wrote back."""
    MACHINE = "machine"
    """A machine's, of no kind that is known: never a reply."""


@dataclass(frozen=True, slots=True)
class FailedRecipient:
    """One recipient that a bounce or delay speaks of: its address as it stands there, lower-cased.

    `status` is an enhanced status code such as `5.1.1`, made from the words where the notice names none, or empty where
    nothing tells. `hard` means that the address itself is no good for good (RFC 3463: 5.1.x, 5.2.1 and the like).
    `diagnostic` holds the server's words, at most 1,000 characters. `aliases` are other addresses that the notice gives
    the same recipient, such as the one it was first sent to (RFC 3464, section 2.3.1).
    """

    address: str
    status: str = ""
    hard: bool = False
    diagnostic: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Classification:
    """The judgement on one mail, with what it rests on.

    `original_message_ids` are those that the mail says it is about (of a returned message, In-Reply-To, References),
    in angle brackets, the nearest first. `evidence` holds short sentences such as `Auto-Submitted: auto-replied`.
    """

    kind: MailKind
    recipients: tuple[FailedRecipient, ...] = ()
    original_message_ids: tuple[str, ...] = ()
    return_date: date | None = None
    language: str | None = None
    reply_text: str | None = None
    evidence: tuple[str, ...] = ()
