"""The append-only log of facts (design, law 7)."""

import uuid

from django.db import models

from ampout.accounts.scoping import AccountOwned
from ampout.events.kinds import EventKind
from ampout.lib import clock


class Event(AccountOwned):
    """One fact, written in the fact's own transaction; `fact` makes a second telling impossible."""

    sequence = models.BigAutoField(primary_key=True)
    id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    type = models.CharField(max_length=40, choices=[(kind.value, kind.value) for kind in EventKind])
    fact = models.CharField(max_length=120, help_text="Names the transition this tells of; unique in the account.")
    data = models.JSONField()
    created_at = models.DateTimeField(default=clock.utc_now, editable=False)

    class Meta(AccountOwned.Meta):
        ordering = ("-sequence",)
        constraints = (models.UniqueConstraint(fields=["account", "fact"], name="event_once_per_fact"),)

    def __str__(self) -> str:
        return f"{self.type} {self.fact}"
