"""The kinds of events, as the public contract names them."""

from enum import StrEnum


class EventKind(StrEnum):
    """What happened."""

    ENROLLMENT_SENT = "enrollment.sent"
    """One a step."""
    ENROLLMENT_BOUNCED = "enrollment.bounced"
    ENROLLMENT_UNSUBSCRIBED = "enrollment.unsubscribed"
    CREDENTIAL_DISABLED = "credential.disabled"
    CAMPAIGN_PAUSED = "campaign.paused"
