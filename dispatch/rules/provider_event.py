"""What a mail provider reports about one message, in one shape for all providers."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ProviderEventKind(StrEnum):
    """What the provider says happened."""

    HARD_BOUNCE = "hard_bounce"
    """The address is no good."""
    SOFT_BOUNCE = "soft_bounce"
    """Given up for another reason: a full mailbox, a policy, the content."""
    DELAY = "delay"
    """Late, still tried."""
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    DELIVERED = "delivered"
    OTHER = "other"
    """Stored, and without effect."""


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """One event of a provider's call.

    `message_ids` are every id the provider gives for the message, with or without angle brackets: our Message-ID and
    its own. `event_id` is the provider's own and unique, or empty. `text` is the remote server's answer, where told.
    """

    kind: ProviderEventKind
    recipient: str
    message_ids: tuple[str, ...]
    event_id: str
    occurred_at: datetime | None = None
    status: str = ""
    text: str = ""
