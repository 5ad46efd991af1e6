"""What DNS said of a domain's MX: one cached look-up a domain."""

from django.db import models


class MxVerdict(models.Model):
    """The latest answer, or silence, about one domain."""

    domain = models.CharField(max_length=255, primary_key=True)
    status = models.CharField(max_length=12)
    reason = models.CharField(max_length=32, blank=True)
    checked_at = models.DateTimeField()
    silences = models.PositiveSmallIntegerField(default=0, help_text="Look-ups in a row without an answer.")

    class Meta:
        ordering = ("domain",)

    def __str__(self) -> str:
        return f"{self.domain} {self.status}"
