"""The append-only log of facts (design, law 7)."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from ampout.accounts.scoping import AccountOwned
from ampout.events.kinds import EventKind
from ampout.lib import clock


class Event(AccountOwned):
    """One fact, written in the fact's own transaction; `fact` makes a second telling impossible."""

    # Without an index of its own: three below begin with it.
    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE, related_name="+", db_index=False)
    sequence = models.BigAutoField(primary_key=True)
    id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    type = models.CharField(max_length=40, choices=[(kind.value, kind.value) for kind in EventKind])
    fact = models.CharField(max_length=120, help_text="Names the transition this tells of; unique in the account.")
    data = models.JSONField()
    created_at = models.DateTimeField(default=clock.utc_now, editable=False)
    recorded_at = models.DateTimeField(
        db_default=Now(), editable=False, help_text="When it was written, by the database's clock."
    )
    fanned_out_at = models.DateTimeField(
        null=True, editable=False, help_text="When its webhook deliveries were made, as many as there are."
    )

    position = models.BigIntegerField(
        null=True, editable=False, help_text="Its place in the account's log, given when the log is read."
    )

    class Meta(AccountOwned.Meta):
        ordering = ("-sequence",)
        constraints = (
            models.UniqueConstraint(fields=["account", "fact"], name="event_once_per_fact"),
            models.UniqueConstraint(
                fields=["account", "position"], condition=Q(position__isnull=False), name="event_position"
            ),
        )
        # The sequence is no cursor: a transaction that began early may commit late, and its events come in below the
        # highest number.
        indexes = (
            models.Index(fields=["sequence"], condition=Q(fanned_out_at__isnull=True), name="event_to_fan_out"),
            models.Index(fields=["account", "sequence"], condition=Q(position__isnull=True), name="event_to_place"),
            models.Index(fields=["created_at"], name="event_by_age"),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.fact}"


class EventLog(models.Model):
    """How far an account's events have their places; its row lets one reader at a time give places."""

    account = models.OneToOneField(
        "accounts.Account", primary_key=True, on_delete=models.CASCADE, related_name="+", editable=False
    )
    last_position = models.BigIntegerField(default=0, help_text="The place of the newest event that has one.")

    class Meta:
        ordering = ("account",)

    def __str__(self) -> str:
        return f"log up to {self.last_position}"
