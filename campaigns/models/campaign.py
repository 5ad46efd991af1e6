"""Outreaches, campaigns, their steps and batches, and the table that joins campaigns and credentials."""

import uuid

from django.db import models
from django.db.models import F, Q

from ampout.accounts.models import client_kind_field
from ampout.accounts.scoping import AccountOwned
from ampout.lib import clock
from ampout.lib.fields import status_constraint, status_field
from campaigns.rules.campaign_state import CampaignStatus

MAXIMUM_WAIT_SECONDS = 86_400


class Outreach(AccountOwned):
    """A container of campaigns. With `unique_contacts`, its campaigns never share a contact."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    unique_contacts = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=clock.utc_now, editable=False)

    class Meta(AccountOwned.Meta):
        ordering = ("-created_at", "id")
        verbose_name_plural = "outreaches"
        indexes = (models.Index(fields=["account", "-created_at", "id"], name="outreach_by_account"),)

    def __str__(self) -> str:
        return self.name


class Campaign(AccountOwned):
    """A sequence of steps to many contacts, through one or more credentials."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    outreach = models.ForeignKey(Outreach, null=True, blank=True, on_delete=models.SET_NULL, related_name="campaigns")
    name = models.CharField(max_length=200)
    status = status_field(CampaignStatus, CampaignStatus.PENDING)
    pause_reason = models.CharField(max_length=32, blank=True)
    min_wait_seconds = models.PositiveIntegerField(default=120)
    max_wait_seconds = models.PositiveIntegerField(default=420)
    verify_email_mx = models.BooleanField(default=False)
    track_opens = models.BooleanField(default=True)
    track_clicks = models.BooleanField(default=False)
    sender_may_change = models.BooleanField(default=False)
    bounce_rate_threshold = models.DecimalField(max_digits=4, decimal_places=2, default=8)
    bounce_rate_min_sends = models.PositiveIntegerField(default=20)
    health_rule = models.CharField(
        max_length=16, default="fixed", db_default="fixed", choices=[("fixed", "fixed"), ("evidence", "evidence")]
    )
    health_since = models.DateTimeField(
        null=True, blank=True, help_text="Start of the period that the evidence rule judges; empty: from the beginning."
    )
    created_at = models.DateTimeField(default=clock.utc_now, editable=False)
    updated_at = models.DateTimeField(default=clock.utc_now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    credentials = models.ManyToManyField(
        "credentials.SmtpCredential",
        through="CampaignCredential",
        related_name="+",
    )

    class Meta(AccountOwned.Meta):
        ordering = ("-created_at", "id")
        indexes = (
            models.Index(
                fields=["account", "-created_at", "id"],
                condition=Q(deleted_at__isnull=True),
                name="campaign_by_account",
            ),
            models.Index(fields=["id"], condition=Q(status="active", deleted_at__isnull=True), name="campaign_active"),
        )
        constraints = (
            status_constraint("status", CampaignStatus, "campaign_status_known"),
            models.CheckConstraint(
                condition=Q(min_wait_seconds__lte=F("max_wait_seconds"))
                & Q(max_wait_seconds__lte=MAXIMUM_WAIT_SECONDS),
                name="campaign_wait_ordered",
            ),
        )

    def __str__(self) -> str:
        return self.name


class CampaignCredential(models.Model):
    """One credential that a campaign sends through."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="attachments")
    credential = models.ForeignKey("credentials.SmtpCredential", on_delete=models.CASCADE, related_name="+")
    attached_at = models.DateTimeField(default=clock.utc_now, editable=False)

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=["campaign", "credential"], name="credential_once_per_campaign"),)

    def __str__(self) -> str:
        return f"{self.campaign_id} ← {self.credential_id}"


class SequenceStep(models.Model):
    """One message of a sequence. An empty subject continues the thread."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    subject = models.CharField(max_length=998, blank=True)
    body_html = models.TextField(blank=True)
    body_text = models.TextField(blank=True, help_text="Made from the HTML when the user gave none.")
    body_text_given = models.BooleanField(default=False)
    delay_minutes = models.PositiveIntegerField(default=0, help_text="After the previous step was sent.")
    created_at = models.DateTimeField(default=clock.utc_now, editable=False)
    updated_at = models.DateTimeField(default=clock.utc_now, editable=False)

    class Meta:
        ordering = ("position",)
        constraints = (
            # Deferred, so that a reordering may pass through a state with two steps at one position.
            models.UniqueConstraint(
                fields=["campaign", "position"],
                name="one_step_per_position",
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.CheckConstraint(condition=Q(position__gte=1), name="step_position_from_one"),
        )

    def __str__(self) -> str:
        return f"step {self.position}"


class Batch(models.Model):
    """A numbered part of a campaign's enrollments; dispatch releases whole batches."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="batches")
    number = models.PositiveIntegerField()
    released_at = models.DateTimeField(null=True, blank=True)
    client_kind = client_kind_field("The kind of the key that released it first.")
    opened_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When the last enrollment that was in it at its release became due.",
    )

    class Meta:
        ordering = ("campaign", "number")
        verbose_name_plural = "batches"
        constraints = (models.UniqueConstraint(fields=["campaign", "number"], name="one_batch_per_number"),)
        indexes = (
            models.Index(
                fields=["campaign"],
                condition=Q(released_at__isnull=False, opened_at__isnull=True),
                name="batch_to_open",
            ),
        )

    def __str__(self) -> str:
        return f"batch {self.number}"
