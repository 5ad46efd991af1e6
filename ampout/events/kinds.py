"""The kinds of events, as the public contract names them."""

from enum import StrEnum


class EventKind(StrEnum):
    """What happened."""

    ENROLLMENT_SENT = "enrollment.sent"
    """One a step."""
    ENROLLMENT_OPENED = "enrollment.opened"
    """The first open that was judged human."""
    ENROLLMENT_REPLIED = "enrollment.replied"
    ENROLLMENT_BOUNCED = "enrollment.bounced"
    ENROLLMENT_UNSUBSCRIBED = "enrollment.unsubscribed"
    CREDENTIAL_DISABLED = "credential.disabled"
    CAMPAIGN_PAUSED = "campaign.paused"
    WEBHOOK_DISABLED = "webhook.disabled"
