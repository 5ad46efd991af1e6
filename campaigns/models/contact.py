"""Contacts, their imports, and the addresses that must not be written to."""

import uuid

from django.db import models
from django.db.models import Q

from ampout.accounts.scoping import AccountOwned
from ampout.lib import clock
from campaigns.rules.suppression import SuppressionScope


class ContactImport(AccountOwned):
    """One upload of contacts."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    record_count = models.PositiveIntegerField(default=0, help_text="Contacts inserted.")
    skipped_count = models.PositiveIntegerField(default=0, help_text="Known, suppressed or repeated addresses.")
    skipped_reasons = models.JSONField(default=dict, blank=True, help_text="How many of them for each reason.")
    errors = models.JSONField(default=list, blank=True, help_text="The first rejected rows: line, field, message.")
    error_count = models.PositiveIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the uploaded file.")
    created_at = models.DateTimeField(default=clock.utc_now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta(AccountOwned.Meta):
        ordering = ("-created_at", "id")
        indexes = (
            models.Index(
                fields=["account", "-created_at", "id"],
                condition=Q(deleted_at__isnull=True),
                name="import_by_account",
            ),
        )

    def __str__(self) -> str:
        return self.name


class Contact(AccountOwned):
    """A person. Personal fields are emptied at erasure; `address_digest` stays for suppression and proof."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    contact_import = models.ForeignKey(
        ContactImport, null=True, blank=True, on_delete=models.SET_NULL, related_name="contacts", db_index=False
    )
    email = models.CharField(max_length=320, help_text="As the user spelled it; used for the envelope.")
    identity = models.CharField(max_length=320, help_text="Lower-cased, domain in A-labels; unique in the account.")
    domain = models.CharField(max_length=255)
    address_digest = models.BinaryField(max_length=32)
    domain_digest = models.BinaryField(max_length=32)
    first_name = models.CharField(max_length=200, blank=True)
    last_name = models.CharField(max_length=200, blank=True)
    company = models.CharField(max_length=200, blank=True)
    custom_fields = models.JSONField(default=dict, blank=True)
    source = models.CharField(max_length=200, blank=True)
    lawful_basis = models.CharField(max_length=200, blank=True)
    consent_at = models.DateTimeField(null=True, blank=True)
    unsubscribed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.utc_now, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True)
    erased_at = models.DateTimeField(
        null=True, blank=True, help_text="When, after its deletion, nothing personal of it was left anywhere."
    )

    class Meta(AccountOwned.Meta):
        ordering = ("-created_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["account", "identity"],
                condition=Q(deleted_at__isnull=True),
                name="one_contact_per_address",
            ),
        )
        indexes = (
            models.Index(fields=["account", "-created_at", "id"], name="contact_by_account"),
            models.Index(fields=["account", "address_digest"], name="contact_by_digest"),
            models.Index(
                fields=["deleted_at"],
                condition=Q(deleted_at__isnull=False, erased_at__isnull=True),
                name="contact_to_erase",
            ),
            # The pages of an import, and its enrolment in the order of the file.
            models.Index(fields=["contact_import", "-created_at", "id"], name="contact_by_import"),
            # How many of an import are gone.
            models.Index(
                fields=["contact_import"], condition=Q(deleted_at__isnull=False), name="contact_deleted_of_import"
            ),
        )

    def __str__(self) -> str:
        return self.email or "(erased)"


class Suppression(AccountOwned):
    """An address or domain that must not be written to, as a keyed hash that survives every deletion.

    A row with an empty scope suppresses nothing: it is what a single message to the address locks.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=8, choices=[("address", "address"), ("domain", "domain")])
    digest = models.BinaryField(max_length=32)
    scope = models.CharField(
        max_length=16, blank=True, choices=[(scope.value, scope.value) for scope in SuppressionScope]
    )
    reason = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(default=clock.utc_now, editable=False)
    suppressed_at = models.DateTimeField(null=True, blank=True)

    class Meta(AccountOwned.Meta):
        ordering = ("-created_at", "id")
        constraints = (models.UniqueConstraint(fields=["account", "digest"], name="one_suppression_per_digest"),)
        indexes = (
            models.Index(
                fields=["account", "-suppressed_at", "id"], condition=~Q(scope=""), name="suppression_by_account"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.reason}"
