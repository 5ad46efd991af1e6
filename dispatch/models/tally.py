"""How many messages ended alike, kept by a trigger (docs/decisions/0007)."""

from django.db import models

from ampout.accounts.models import client_kind_field
from ampout.accounts.scoping import AccountOwned
from campaigns.models.tally import CampaignTally, Tally


class MessageTally(CampaignTally):
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


class UsageTally(AccountOwned, Tally):
    """Sends of an account: messages of whatever stream that were accepted, or whose fate nobody knows."""

    account = models.ForeignKey(
        "accounts.Account", on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    month = models.DateField(help_text="The first day of the month (UTC) in which their bodies left.")
    client_kind = client_kind_field("The kind of the keys that let them go.")

    class Meta(AccountOwned.Meta, Tally.Meta):
        verbose_name_plural = "usage tallies"
        indexes = (
            models.Index(fields=["account", "month"], name="usage_tally_by_month"),
            models.Index(fields=["account"], condition=models.Q(is_folded=False), name="usage_tally_to_fold"),
        )
