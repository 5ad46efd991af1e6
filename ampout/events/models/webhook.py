"""Webhooks: who wants to be told (endpoint), what they are told (delivery), and how each try went (attempt)."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from ampout.accounts.scoping import AccountOwned
from ampout.events.models.event import Event
from ampout.events.rules.delivery_state import DeliveryState, DisabledReason
from ampout.lib import clock
from ampout.lib.fields import EncryptedTextField, status_constraint, status_field


class WebhookEndpoint(AccountOwned):
    """A URL that an account wants its events sent to.

    The URL is encrypted like the secrets: many receivers take a secret in their path. `loop_id` is the webhook loop
    that serves the endpoint; nobody does while that loop has no lease.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    url = EncryptedTextField()
    host = models.CharField(max_length=300, help_text="The URL's host and port: what may be shown and logged.")
    event_filters = models.JSONField(help_text='Kinds of events, such as "enrollment.replied", "enrollment.*" or "*".')
    secret = EncryptedTextField(help_text="whsec_… (Standard Webhooks).")
    previous_secret = EncryptedTextField(blank=True)
    previous_secret_until = models.DateTimeField(null=True, help_text="Until then calls are signed by both secrets.")
    consecutive_failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True, help_text="The first failure since the last success.")
    last_failure_at = models.DateTimeField(null=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.CharField(
        max_length=24, blank=True, choices=[(reason.value, reason.value) for reason in DisabledReason]
    )
    hold_until = models.DateTimeField(null=True, help_text="No call before: it asked for that, or keeps failing.")
    loop_id = models.UUIDField(null=True, editable=False)
    served_at = models.DateTimeField(null=True, editable=False, help_text="When a loop let go of it last.")
    deleted_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.utc_now, editable=False)
    updated_at = models.DateTimeField(default=clock.utc_now, editable=False)
    since = models.DateTimeField(
        db_default=Now(),
        editable=False,
        help_text="By the database's clock: what is recorded from then on, it is told.",
    )

    class Meta(AccountOwned.Meta):
        ordering = ("-created_at", "id")
        indexes = (
            models.Index(fields=["account", "-created_at", "id"], name="webhook_by_account"),
            models.Index(
                fields=["served_at"],
                condition=Q(disabled_at__isnull=True, deleted_at__isnull=True),
                name="webhook_to_serve",
            ),
        )

    def __str__(self) -> str:
        return self.host


class WebhookDelivery(AccountOwned):
    """One event for one endpoint. `attempt` counts all tries; `tries` those since the schedule began or began anew."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="+", db_index=False)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="+", db_index=False)
    state = status_field(DeliveryState, DeliveryState.PENDING)
    attempt = models.PositiveIntegerField(default=0)
    tries = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(help_text="When it is tried next, or was to be.")
    status_code = models.PositiveSmallIntegerField(null=True, help_text="The receiver's last answer.")
    error = models.CharField(max_length=300, blank=True, help_text="Why the last try failed.")
    delivered_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True, help_text="When it was delivered or given up.")
    created_at = models.DateTimeField(default=clock.utc_now, editable=False)

    class Meta(AccountOwned.Meta):
        ordering = ("-created_at", "id")
        verbose_name_plural = "webhook deliveries"
        constraints = (
            models.UniqueConstraint(fields=["event", "endpoint"], name="one_delivery_per_event_and_endpoint"),
            status_constraint("state", DeliveryState, "webhook_delivery_state"),
        )
        indexes = (
            models.Index(
                fields=["endpoint", "due_at"],
                condition=Q(state=DeliveryState.PENDING.value),
                name="webhook_delivery_due",
            ),
            models.Index(fields=["endpoint", "-created_at", "id"], name="webhook_delivery_by_endpoint"),
            models.Index(
                fields=["finished_at"], condition=Q(finished_at__isnull=False), name="webhook_delivery_finished"
            ),
        )

    def __str__(self) -> str:
        return f"delivery {self.pk}"


class WebhookAttempt(AccountOwned):
    """One call, and what came of it."""

    id = models.BigAutoField(primary_key=True)
    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="+", db_index=False)
    number = models.PositiveIntegerField(help_text="From 1 within the delivery.")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    status_code = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True)
    response_excerpt = models.TextField(blank=True, help_text="The beginning of the answer to a call that failed.")

    class Meta(AccountOwned.Meta):
        ordering = ("-started_at", "-id")
        constraints = (models.UniqueConstraint(fields=["delivery", "number"], name="one_row_per_webhook_attempt"),)

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.delivery_id}"


class WebhookLoop(models.Model):
    """A webhook loop and its lease; the endpoints it serves are free once the lease ran out."""

    name = models.CharField(primary_key=True, max_length=200, help_text="Host and process; one live loop a name.")
    id = models.UUIDField(unique=True)
    started_at = models.DateTimeField()
    lease_until = models.DateTimeField()

    class Meta:
        ordering = ("-started_at",)

    def __str__(self) -> str:
        return self.name
