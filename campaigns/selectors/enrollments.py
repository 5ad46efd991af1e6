"""Reads of enrollments, always within one account."""

from django.db.models import QuerySet

from campaigns.models import Campaign, Enrollment
from campaigns.rules.enrollment_state import EnrollmentStatus


def enrollments_of(
    campaign: Campaign, *, status: EnrollmentStatus | None = None, batch_number: int | None = None
) -> QuerySet[Enrollment]:
    """The enrollments of a campaign, all or those of one status or batch."""
    found = Enrollment.objects.of(campaign.account_id).filter(campaign=campaign)
    if status is not None:
        found = found.filter(status=status.value)
    return found if batch_number is None else found.filter(batch_number=batch_number)
