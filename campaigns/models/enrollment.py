"""A contact in a campaign, and how far the sequence has come for it."""

import uuid

from django.db import models
from django.db.models import Q

from ampout.accounts.scoping import AccountOwned
from ampout.lib import clock
from ampout.lib.fields import status_constraint, status_field
from campaigns.models.campaign import Campaign
from campaigns.models.contact import Contact
from campaigns.rules.enrollment_state import EnrollmentStatus


class Enrollment(AccountOwned):
    """One contact in one campaign.

    `next_position` is the step that comes next, or is under way: every lower position has a message that ended.
    `next_due_at` says when it may be planned; it is empty while its batch is not released and while its message is
    under way. An enrollment is open until `stopped_at` or `finished_at` is set.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Two foreign keys without indexes of their own: others below begin with them.
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="enrollments", db_index=False)
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="enrollments")
    smtp_credential = models.ForeignKey(
        "credentials.SmtpCredential",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
        help_text="The sender of step 1, kept for the later steps.",
    )
    status = status_field(EnrollmentStatus, EnrollmentStatus.PENDING)
    batch_number = models.PositiveIntegerField(default=0)
    priority = models.PositiveSmallIntegerField(default=0, help_text="Higher goes first.")
    next_position = models.PositiveSmallIntegerField(default=1)
    next_due_at = models.DateTimeField(null=True, blank=True)
    wait_reason = models.CharField(max_length=32, blank=True)
    enrolled_at = models.DateTimeField(default=clock.utc_now, editable=False)
    sent_at = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    replied_at = models.DateTimeField(null=True, blank=True)
    bounced_at = models.DateTimeField(null=True, blank=True)
    unsubscribed_at = models.DateTimeField(null=True, blank=True)
    bounce_reason = models.CharField(max_length=500, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    stop_reason = models.CharField(max_length=32, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    steps_due = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="How many steps were due to it when it finished; later ones are not."
    )

    class Meta(AccountOwned.Meta):
        ordering = ("-enrolled_at", "id")
        constraints = (
            models.UniqueConstraint(fields=["campaign", "contact"], name="one_enrollment_per_contact"),
            status_constraint("status", EnrollmentStatus, "enrollment_status_known"),
        )
        indexes = (
            # The planner's: first steps of a campaign, in the order of planning.
            models.Index(
                fields=["campaign", "-priority", "batch_number", "enrolled_at", "id"],
                condition=Q(next_position=1, next_due_at__isnull=False),
                name="enrollment_first_due",
            ),
            # The planner's: later steps of a campaign's credential.
            models.Index(
                fields=["campaign", "smtp_credential", "next_due_at"],
                condition=Q(next_position__gt=1, next_due_at__isnull=False),
                name="enrollment_later_due",
            ),
            # Which campaigns still have work.
            models.Index(
                fields=["campaign"],
                condition=Q(stopped_at__isnull=True, finished_at__isnull=True),
                name="enrollment_open",
            ),
            # Opening a released batch.
            models.Index(
                fields=["campaign", "batch_number", "id"],
                condition=Q(next_position=1, next_due_at__isnull=True, status="pending", stopped_at__isnull=True),
                name="enrollment_unreleased",
            ),
            # What falls due within an hour.
            models.Index(
                fields=["campaign", "next_due_at"], condition=Q(next_due_at__isnull=False), name="enrollment_by_due"
            ),
            # Sequences whose last message is unknown.
            models.Index(fields=["next_due_at"], condition=Q(wait_reason="unknown_grace"), name="enrollment_grace"),
            # The lists of the API: all, of a status, of a batch; and the latest bounces. What stands behind the order
            # is for lists of both: what does not belong there is passed over within the index.
            models.Index(fields=["campaign", "-enrolled_at", "id"], name="enrollment_by_campaign"),
            models.Index(
                fields=["campaign", "status", "-enrolled_at", "id", "batch_number"], name="enrollment_status_batch"
            ),
            models.Index(
                fields=["campaign", "batch_number", "-enrolled_at", "id", "status"], name="enrollment_batch_status"
            ),
            models.Index(
                fields=["campaign", "-bounced_at", "id"], condition=Q(status="bounced"), name="enrollment_bounced"
            ),
            models.Index(fields=["smtp_credential"], name="enrollment_by_credential"),
        )

    def __str__(self) -> str:
        return f"{self.contact_id} in {self.campaign_id}"
