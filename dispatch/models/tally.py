"""How many messages of a campaign and a credential ended alike, kept by a trigger (docs/decisions/0007)."""

from django.db import models

from campaigns.models.tally import Tally


class MessageTally(Tally):
    """Campaign messages that ended, or whose fate nobody knows."""

    credential = models.ForeignKey(
        "credentials.SmtpCredential",
        null=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    state = models.CharField(max_length=16)
    is_bounced = models.BooleanField(help_text="Refused for its address, or returned as undeliverable for good.")

    class Meta(Tally.Meta):
        verbose_name_plural = "message tallies"
        indexes = (
            models.Index(fields=["campaign"], name="message_tally_by_campaign"),
            models.Index(fields=["credential"], name="message_tally_by_credential"),
            models.Index(fields=["campaign"], condition=models.Q(is_folded=False), name="message_tally_to_fold"),
        )
