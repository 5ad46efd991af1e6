"""Where reading a credential's mailbox has come to, and who reads it (promises C1, C2)."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from ampout.lib import clock


class Mailbox(models.Model):
    """The IMAP mailbox of a credential: its lease, its next poll, and the server's last complaint."""

    credential = models.OneToOneField(
        "credentials.SmtpCredential", primary_key=True, on_delete=models.CASCADE, related_name="+"
    )
    login = models.CharField(
        max_length=600, blank=True, default="", db_index=True, help_text="Server and user that the cursors are about."
    )
    next_poll_at = models.DateTimeField(default=clock.utc_now, db_index=True)
    worker_id = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0, help_text="Counts leases; an older holder's cursor moves nothing.")
    is_reading = models.BooleanField(default=False, db_default=False, help_text="A poll has begun and not ended.")
    deaths = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="How many loops died in a poll of it since one came to its end."
    )
    polled_at = models.DateTimeField(null=True, help_text="When it was last read to its end.")
    failures = models.PositiveIntegerField(default=0, help_text="Failed polls in a row.")
    problem = models.TextField(blank=True, help_text="Why the last poll failed, in the server's words.")
    problem_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("credential",)
        verbose_name_plural = "mailboxes"

    def __str__(self) -> str:
        return f"mailbox {self.login or self.credential_id}"


class MailboxFolder(models.Model):
    """How far one folder was read: everything up to `last_uid` is stored, under this UIDVALIDITY."""

    mailbox = models.ForeignKey(Mailbox, on_delete=models.CASCADE, related_name="folders")
    name = models.CharField(max_length=500, help_text="As the server spells it, decoded.")
    role = models.CharField(max_length=8, choices=[("inbox", "inbox"), ("junk", "junk"), ("sent", "sent")])
    uid_validity = models.BigIntegerField(null=True)
    last_uid = models.BigIntegerField(default=0)
    recent_uids = ArrayField(
        models.BigIntegerField(), default=list, help_text="Seen just below last_uid: some servers fill gaps late."
    )

    trial_uid = models.BigIntegerField(null=True, help_text="The one mail that is read alone just now.")
    left_out_uids = ArrayField(
        models.BigIntegerField(),
        default=list,
        db_default=models.Value([]),
        help_text="Mails that killed those who read them: they are not asked for again.",
    )

    class Meta:
        ordering = ("mailbox", "name")
        constraints = (models.UniqueConstraint(fields=["mailbox", "name"], name="one_cursor_per_folder"),)

    def __str__(self) -> str:
        return f"{self.name} of {self.mailbox_id}"
