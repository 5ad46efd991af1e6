"""Accounts (the tenants), their API keys, what they have sent, and whose database this is."""

import uuid

from django.db import models

from ampout.accounts.rules.keys import ALL_SCOPES, ClientKind
from ampout.accounts.scoping import AccountOwned
from ampout.lib import clock
from ampout.lib.fields import EncryptedTextField


class Account(models.Model):
    """A tenant. Everything else belongs to exactly one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(max_length=320)
    name = models.CharField(max_length=200)
    sender_name = models.CharField(max_length=200, blank=True, help_text="Who writes: shown in every message's footer.")
    postal_address = models.CharField(max_length=500, blank=True, help_text="Required by law in most countries.")
    suspended_at = models.DateTimeField(null=True, blank=True, help_text="Stops every key and every send.")
    suspension_reason = models.CharField(max_length=200, blank=True)
    monthly_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text="Sends in a calendar month (UTC) at most; empty: as many as they like."
    )
    created_at = models.DateTimeField(default=clock.utc_now, editable=False)

    class Meta:
        ordering = ("-created_at", "id")

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


def client_kind_field(help_text: str) -> "models.CharField[str, str]":
    """A column that says what kind of key something is counted under."""
    return models.CharField(
        max_length=16,
        choices=[(kind.value, kind.value) for kind in ClientKind],
        default=ClientKind.DIRECT.value,
        db_default=ClientKind.DIRECT.value,
        help_text=help_text,
    )


def all_scopes() -> list[str]:
    """What a key may do unless told otherwise."""
    return list(ALL_SCOPES)


class ApiKey(AccountOwned):
    """A bearer key. Only its SHA-256 is stored; `prefix` is what people recognise it by."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    label = models.CharField(max_length=200, blank=True)
    client_kind = models.CharField(
        max_length=16,
        choices=[(kind.value, kind.value) for kind in ClientKind],
        default=ClientKind.DIRECT.value,
    )
    scopes = models.JSONField(
        default=all_scopes,
        db_default=all_scopes(),
        editable=False,
        help_text="What it may do: read, write, send, admin.",
    )
    is_rate_limited = models.BooleanField(
        default=True, db_default=True, help_text="Unlimited ones are for tests; operators set it."
    )
    prefix = models.CharField(max_length=12, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256 of the key, in hex.")
    created_at = models.DateTimeField(default=clock.utc_now, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False, help_text="To the minute.")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta(AccountOwned.Meta):
        ordering = ("-created_at", "id")
        indexes = (models.Index(fields=["account", "-created_at", "id"], name="api_key_by_account"),)

    def __str__(self) -> str:
        return f"{self.prefix}… {self.label}".strip()


class MonthlyUsage(AccountOwned):
    """How much an account sent in a month that is closed, by the kind of key that let it go. It changes no more."""

    id = models.BigAutoField(primary_key=True)
    month = models.DateField(help_text="Its first day; months begin and end in UTC.")
    client_kind = client_kind_field("The kind of the key that released them.")
    sends = models.PositiveIntegerField()

    class Meta(AccountOwned.Meta):
        ordering = ("-month", "id")
        verbose_name_plural = "monthly usage"
        constraints = (
            models.UniqueConstraint(fields=["account", "month", "client_kind"], name="one_usage_per_month_and_kind"),
        )

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.client_kind}: {self.sends}"


class IdempotencyRecord(models.Model):
    """One use of an `Idempotency-Key`: in flight until `answered_at`, then the answer, kept encrypted for 24 hours."""

    id = models.BigAutoField(primary_key=True)
    scope = models.CharField(max_length=80, help_text="account:<id>, or address:<client address> for sign-up.")
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=400)
    key = models.CharField(max_length=255)
    body_digest = models.CharField(max_length=64, help_text="Keyed digest of the raw body, in hex.")
    token = models.UUIDField(help_text="Who holds the mark; one that was taken over can keep no answer.")
    started_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True)
    answer = EncryptedTextField(blank=True, help_text="The body of the answer.")

    class Meta:
        ordering = ("-started_at", "id")
        constraints = (
            models.UniqueConstraint(fields=["scope", "method", "path", "key"], name="one_record_per_idempotency_key"),
        )
        indexes = (models.Index(fields=["started_at"], name="idempotency_by_age"),)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Installation(models.Model):
    """Whose database this is: one row, which a backup takes along (`ampout.accounts.installation`)."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    name = models.CharField(max_length=64, blank=True, help_text="AMPOUT_INSTALLATION_ID of who sends from it.")
    database = models.CharField(max_length=64, help_text="Numbers of the server and of the database in it.")
    adopted_at = models.DateTimeField()

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(id=1), name="one_installation"),)

    def __str__(self) -> str:
        return self.name or "the installation without a name"
