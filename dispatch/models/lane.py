"""What the planner and the deliver loop share about a credential: its slots, its cap's use, and who holds it."""

import uuid

from django.db import models
from django.db.models import Q

from ampout.lib import clock


class DeliveryWorker(models.Model):
    """One deliver loop and its lease; a loop whose lease ran out is reaped and can move nothing any more."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200, help_text="Host, process and slot; one live loop a name.")
    started_at = models.DateTimeField(default=clock.utc_now)
    lease_until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-started_at",)
        constraints = (
            models.UniqueConstraint(fields=["name"], condition=Q(ended_at__isnull=True), name="one_live_loop_per_name"),
        )
        indexes = (
            models.Index(fields=["lease_until"], condition=Q(ended_at__isnull=True), name="delivery_worker_live"),
        )

    def __str__(self) -> str:
        return self.name


class Lane(models.Model):
    """A credential's place in time: its latest slot, its last transaction's end, its back-off, its holder."""

    credential = models.OneToOneField(
        "credentials.SmtpCredential", primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    last_slot_at = models.DateTimeField(null=True)
    last_finished_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0, help_text="Connection failures in a row.")
    back_off_until = models.DateTimeField(null=True)
    worker_id = models.UUIDField(null=True, db_index=True)
    health_watched = models.BooleanField(
        db_default=False,
        default=False,
        help_text="It had returns while its sends were too few to judge: each further one is.",
    )

    class Meta:
        ordering = ("credential",)

    def __str__(self) -> str:
        return f"lane of {self.credential_id}"


class DailyUsage(models.Model):
    """How many step-1 messages hold a unit of a credential's cap on a UTC day."""

    credential = models.ForeignKey("credentials.SmtpCredential", on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    used = models.PositiveIntegerField(default=0)
    highest_limit = models.PositiveIntegerField(default=0, help_text="The highest limit a unit was reserved under.")

    class Meta:
        ordering = ("-day",)
        constraints = (
            models.UniqueConstraint(fields=["credential", "day"], name="one_usage_per_day"),
            models.CheckConstraint(condition=Q(used__lte=models.F("highest_limit")), name="usage_within_limit"),
        )

    def __str__(self) -> str:
        return f"{self.credential_id} {self.day}: {self.used}"


class CapWarning(models.Model):
    """The one warning of a campaign and day that all its credentials are at their cap."""

    campaign = models.ForeignKey("campaigns.Campaign", on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    created_at = models.DateTimeField(default=clock.utc_now)

    class Meta:
        ordering = ("-day",)
        constraints = (models.UniqueConstraint(fields=["campaign", "day"], name="one_cap_warning_per_day"),)

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.day}"
