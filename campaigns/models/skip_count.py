"""How many contacts were not enrolled in a campaign, and why."""

from django.db import models

from campaigns.models.campaign import Campaign


class SkipCount(models.Model):
    """One counter for a campaign and a reason; it grows with each enrolment that skips somebody."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="skip_counts")
    reason = models.CharField(max_length=32)
    count = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("campaign", "reason")
        constraints = (models.UniqueConstraint(fields=["campaign", "reason"], name="one_skip_count_per_reason"),)

    def __str__(self) -> str:
        return f"{self.reason}: {self.count}"
