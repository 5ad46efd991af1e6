"""What operators are told about the engine itself: when it last ticked, and how often what happened."""

from django.db import models


class Tick(models.Model):
    """When a part of the engine last moved, by the database's clock. It survives the loss of the broker."""

    name = models.CharField(
        primary_key=True,
        max_length=16,
        help_text="beat: a tick of beat reached a worker. plan: the planner came to its end.",
    )
    ticked_at = models.DateTimeField()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return f"{self.name} at {self.ticked_at:%Y-%m-%d %H:%M:%S}"


class FactCount(models.Model):
    """How many rows of a kind an append-only table has seen since this was installed; deletions take nothing off."""

    id = models.BigAutoField(primary_key=True)
    source = models.CharField(max_length=16, help_text="attempts, events, or webhook_calls.")
    label = models.CharField(max_length=48, help_text="What the rows have in common.")
    count = models.BigIntegerField(default=0)

    class Meta:
        ordering = ("source", "label")
        constraints = (models.UniqueConstraint(fields=["source", "label"], name="one_count_per_source_and_label"),)

    def __str__(self) -> str:
        return f"{self.count} {self.source} {self.label}"


class CountMark(models.Model):
    """How far a table was counted, and how far it will be once the transactions that ran then have ended."""

    source = models.CharField(primary_key=True, max_length=16)
    counted_id = models.BigIntegerField(default=0)
    seen_id = models.BigIntegerField(default=0)
    seen_transaction = models.BigIntegerField(default=0, help_text="Every transaction below it had begun.")
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ("source",)

    def __str__(self) -> str:
        return f"{self.source} up to {self.counted_id}"
