"""How many rows are alike, kept by triggers (docs/decisions/0007); here the enrollments of a campaign.

Rows are only added: each says by how much a statement changed a number, and the sum of those with the same values is
the number. No two writers ever wait for each other here. `fold_tallies` puts rows together.
"""

from django.db import models

from campaigns.models.campaign import Campaign


class Tally(models.Model):
    """A change of a number, or many put together (`is_folded`).

    Without constraints on the rows that it names: checking one would lock the campaign's row behind the enrollments'.
    Of a campaign that is gone the sums are 0, and the next folding takes the rows away.
    """

    id = models.BigAutoField(primary_key=True)
    count = models.IntegerField()
    is_folded = models.BooleanField(default=False, db_default=False)

    class Meta:
        abstract = True
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.count:+}"


class CampaignTally(Tally):
    """A number of one campaign."""

    campaign = models.ForeignKey(
        Campaign, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )

    class Meta(Tally.Meta):
        abstract = True


class EnrollmentTally(CampaignTally):
    """Enrollments that have got equally far: a campaign's figures and the left side of law 2, without counting."""

    batch_number = models.PositiveIntegerField()
    status = models.CharField(max_length=16)
    was_sent = models.BooleanField()
    was_opened = models.BooleanField()
    was_replied = models.BooleanField()
    was_bounced = models.BooleanField()
    was_unsubscribed = models.BooleanField()
    next_position = models.PositiveSmallIntegerField()
    steps_due = models.PositiveSmallIntegerField(null=True)
    standing = models.CharField(max_length=8, help_text="open, finished or stopped.")
    stop_reason = models.CharField(max_length=32, blank=True)

    class Meta(Tally.Meta):
        verbose_name_plural = "enrollment tallies"
        indexes = (
            models.Index(fields=["campaign"], name="enrollment_tally_by_campaign"),
            models.Index(fields=["campaign"], condition=models.Q(is_folded=False), name="enrollment_tally_to_fold"),
        )


class DueTally(CampaignTally):
    """Open enrollments whose next step may be planned from some moment of this hour (UTC) on."""

    wait_reason = models.CharField(max_length=32, blank=True)
    next_position = models.PositiveSmallIntegerField()
    due_hour = models.DateTimeField()

    class Meta(Tally.Meta):
        verbose_name_plural = "due tallies"
        indexes = (
            models.Index(fields=["campaign"], name="due_tally_by_campaign"),
            models.Index(fields=["campaign"], condition=models.Q(is_folded=False), name="due_tally_to_fold"),
        )
