"""What DNS said of a domain's MX: one cached look-up a domain."""

from django.db import models
from django.db.models import Q


class MxVerdict(models.Model):
    """The latest answer, or silence, about one domain; `wanted_at` while somebody waits for a new one."""

    domain = models.CharField(max_length=255, primary_key=True)
    status = models.CharField(max_length=12, blank=True, help_text="Empty until the first look-up ended.")
    reason = models.CharField(max_length=32, blank=True)
    checked_at = models.DateTimeField(null=True)
    silences = models.PositiveSmallIntegerField(default=0, help_text="Look-ups in a row without an answer.")
    wanted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("domain",)
        indexes = (models.Index(fields=["wanted_at"], condition=Q(wanted_at__isnull=False), name="mx_verdict_wanted"),)

    def __str__(self) -> str:
        return f"{self.domain} {self.status}"
