"""What came back: stored raw and once, then judged; and what it said about our messages."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from ampout.accounts.scoping import AccountOwned
from ampout.lib import clock
from dispatch.models.message import Message
from dispatch.rules.classify.verdict import MailKind


class Notice(AccountOwned):
    """One mail from a mailbox, or one call of a provider. Its row stays for ever, its content for RETENTION_DAYS."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    credential = models.ForeignKey("credentials.SmtpCredential", on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=16, help_text="imap, or the provider's name.")
    dedupe = models.BinaryField(max_length=32, help_text="SHA-256 of what makes it the same notice again.")
    headers = models.TextField(blank=True, help_text="Of a mail: its header block as it came.")
    body = models.BinaryField(blank=True, help_text="Raw: the whole mail as far as it was read, or the call's body.")
    received_at = models.DateTimeField(default=clock.utc_now)
    processed_at = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField(default=clock.utc_now, help_text="When it is judged, or judged again.")
    failures = models.PositiveSmallIntegerField(default=0)
    # Not "positive": to add a column with a check is to read the whole table, locked.
    deaths = models.SmallIntegerField(
        default=0, db_default=0, help_text="Tries from which nobody came back: judging it killed the process perhaps."
    )
    error = models.TextField(blank=True, help_text="Why it could not be judged.")
    verdict = models.JSONField(default=dict, help_text="Kind, evidence, and how it was matched.")
    address_digests = ArrayField(
        models.BinaryField(max_length=32),
        null=True,
        editable=False,
        help_text="Keyed hashes of the addresses in it, as long as it has content; empty: not looked for yet.",
    )

    class Meta(AccountOwned.Meta):
        ordering = ("-received_at", "id")
        constraints = (models.UniqueConstraint(fields=["credential", "dedupe"], name="notice_once"),)
        indexes = (
            models.Index(fields=["next_try_at"], condition=Q(processed_at__isnull=True), name="notice_to_judge"),
            models.Index(fields=["account", "-received_at", "id"], name="notice_by_account"),
            models.Index(fields=["received_at"], condition=~Q(body=b"", headers=""), name="notice_to_forget"),
            # What names a person, matched or not.
            GinIndex(fields=["address_digests"], name="notice_by_address"),
            models.Index(
                fields=["account"],
                condition=Q(address_digests__isnull=True) & ~Q(body=b"", headers=""),
                name="notice_to_look_through",
            ),
        )

    def __str__(self) -> str:
        return f"{self.source} {self.received_at:%Y-%m-%d %H:%M}"


class Feedback(AccountOwned):
    """What a notice said about one of our messages. Append-only, but for what erasure and retention empty."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    notice = models.ForeignKey(Notice, on_delete=models.PROTECT, related_name="feedback")
    message = models.ForeignKey(Message, on_delete=models.PROTECT, related_name="feedback")
    credential = models.ForeignKey("credentials.SmtpCredential", on_delete=models.PROTECT, related_name="+")
    enrollment = models.ForeignKey("campaigns.Enrollment", null=True, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16, choices=[(kind.value, kind.value) for kind in MailKind])
    matched_by = models.CharField(max_length=16, help_text="token, message_id, delivered_id, sender, or recipient.")
    status = models.CharField(max_length=16, blank=True, help_text="Enhanced status code of a bounce or delay.")
    hard = models.BooleanField(null=True, help_text="Of a bounce: whether the address is no good.")
    sender = models.CharField(max_length=320, blank=True, help_text="Who wrote; emptied at erasure.")
    subject = models.CharField(max_length=998, blank=True, help_text="Emptied at erasure.")
    text = models.TextField(blank=True, help_text="A reply without its quotation, or a server's words; emptied too.")
    language = models.CharField(max_length=8, blank=True)
    return_date = models.DateField(null=True, help_text="Of an automatic reply: the day of return it names.")
    evidence = models.JSONField(default=list)
    occurred_at = models.DateTimeField(default=clock.utc_now)

    class Meta(AccountOwned.Meta):
        ordering = ("-occurred_at", "id")
        verbose_name_plural = "feedback"
        constraints = (models.UniqueConstraint(fields=["notice", "message", "kind"], name="feedback_once"),)
        indexes = (
            models.Index(fields=["account", "-occurred_at", "id"], name="feedback_by_account"),
            models.Index(fields=["enrollment"], name="feedback_by_enrollment"),
            models.Index(
                fields=["occurred_at"],
                condition=~Q(text="", subject="", sender=""),
                name="feedback_to_forget",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} to {self.message_id}"
