"""A mailbox or relay login that messages leave through."""

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from ampout.accounts.scoping import AccountOwned
from ampout.lib import clock
from ampout.lib.fields import EncryptedTextField


class SmtpCredential(AccountOwned):
    """A user's own SMTP login, with its daily cap, and the IMAP login of its mailbox where there is one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    label = models.CharField(max_length=200, blank=True)
    smtp_host = models.CharField(max_length=253)
    smtp_port = models.PositiveIntegerField(validators=[MinValueValidator(1), MaxValueValidator(65_535)])
    smtp_username = models.CharField(max_length=320)
    smtp_password = EncryptedTextField()
    from_name = models.CharField(max_length=200, blank=True)
    from_email = models.CharField(max_length=320)
    daily_limit = models.PositiveIntegerField(help_text="Step-1 messages per UTC day.")
    imap_host = models.CharField(max_length=253, blank=True)
    imap_port = models.PositiveIntegerField(null=True, blank=True)
    imap_username = models.CharField(max_length=320, blank=True)
    imap_password = EncryptedTextField(blank=True)
    plus_addressing = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Mail to local+tag@domain reaches this mailbox, so each bounce may name its message.",
    )
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.CharField(max_length=200, blank=True)
    enabled_since = models.DateTimeField(default=clock.utc_now, help_text="Start of the period that health judges.")
    retired_at = models.DateTimeField(null=True, blank=True, help_text="Set when its last campaign let it go.")
    last_problem = models.TextField(blank=True, help_text="What the server said last, in its own words.")
    last_problem_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.utc_now, editable=False)
    updated_at = models.DateTimeField(default=clock.utc_now, editable=False)

    class Meta(AccountOwned.Meta):
        ordering = ("-created_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["account", "smtp_host", "smtp_port", "smtp_username", "from_email"],
                condition=models.Q(retired_at__isnull=True),
                name="one_mailbox_one_credential",
            ),
        )

    def __str__(self) -> str:
        return f"{self.from_email} via {self.smtp_host}"

    @property
    def detects_replies(self) -> bool:
        """Whether all four IMAP fields are set."""
        return bool(self.imap_host and self.imap_port and self.imap_username and self.imap_password)
