"""The `data` of an enrollment's events (contract: Webhooks)."""

from datetime import datetime
from typing import Any

from campaigns.models import Enrollment


def _stamp(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat().replace("+00:00", "Z")


def enrollment_data(enrollment: Enrollment) -> dict[str, Any]:
    """What an enrollment event says; the enrollment comes with its contact, whose address is gone once it is erased."""
    return {
        "enrollment_id": str(enrollment.pk),
        "contact_id": str(enrollment.contact_id),
        "contact_email": enrollment.contact.email or None,
        "campaign_id": str(enrollment.campaign_id),
        "status": enrollment.status,
        "sent_at": _stamp(enrollment.sent_at),
        "replied_at": _stamp(enrollment.replied_at),
        "bounce_reason": enrollment.bounce_reason or None,
    }
