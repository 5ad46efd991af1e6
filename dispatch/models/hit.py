"""Opens and clicks: every request for a pixel or a link, with who it was judged to be from."""

from django.db import models
from django.db.models import Q

from ampout.accounts.scoping import AccountOwned
from ampout.lib import clock
from dispatch.models.message import Message


class Hit(AccountOwned):
    """One request. Append-only; only those labelled human count as opens and clicks."""

    id = models.BigAutoField(primary_key=True)
    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="hits")
    kind = models.CharField(max_length=8, choices=[("open", "open"), ("click", "click")])
    label = models.CharField(max_length=8, choices=[(label, label) for label in ("human", "proxy", "scanner", "self")])
    evidence = models.CharField(max_length=200, help_text="What it was judged by.")
    url = models.CharField(max_length=2_000, blank=True, help_text="Where a click went; emptied at erasure.")
    user_agent = models.CharField(max_length=300, blank=True, help_text="Emptied at erasure.")
    network = models.CharField(max_length=64, blank=True, help_text="The client's /24 or /48; emptied at erasure.")
    occurred_at = models.DateTimeField(default=clock.utc_now)

    class Meta(AccountOwned.Meta):
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["message", "kind", "label"], name="hit_by_message"),
            models.Index(fields=["occurred_at"], condition=~Q(url="", user_agent="", network=""), name="hit_to_forget"),
        )

    def __str__(self) -> str:
        return f"{self.kind} by {self.label}"
