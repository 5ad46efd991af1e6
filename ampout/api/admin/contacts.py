"""Contacts, their imports, how far they are in their sequences, and who must not be written to."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from ampout.api.admin.base import RecordAdmin, read_uuid
from ampout.api.admin.columns import ACCOUNT, colored, hexadecimal, link_to
from ampout.api.admin.filters import code_filter
from ampout.lib.addresses import InvalidAddress, parse_address
from campaigns.models import Contact, ContactImport, Enrollment, Suppression
from campaigns.rules.enrollment_state import EnrollmentStatus, StopReason, WaitReason
from campaigns.rules.suppression import SuppressionReason
from campaigns.services.digests import address_digest, domain_digest
from dispatch.models import Message

STATUS_COLORS = {
    EnrollmentStatus.SENT.value: "info",
    EnrollmentStatus.OPENED.value: "info",
    EnrollmentStatus.REPLIED.value: "success",
    EnrollmentStatus.BOUNCED.value: "danger",
    EnrollmentStatus.UNSUBSCRIBED.value: "warning",
}


@admin.register(ContactImport)
class ContactImportAdmin(RecordAdmin):
    """Uploads, with the rows that were rejected."""

    list_display = (
        "name",
        ACCOUNT,
        "record_count",
        "skipped_count",
        "error_count",
        "created_at",
        "deleted_at",
    )
    list_filter = (("deleted_at", admin.EmptyFieldListFilter), "created_at")
    search_fields = ("name", "digest", "account__name", "account__email")
    search_ids = ("pk", "account_id")
    related = ("account",)
    related_lists: ClassVar[Any] = (("Contacts", Contact, "contact_import"),)


@admin.register(Contact)
class ContactAdmin(RecordAdmin):
    """People; the fields of an erased one are empty."""

    list_display = (
        "__str__",
        "first_name",
        "last_name",
        "company",
        ACCOUNT,
        "created_at",
        "unsubscribed_at",
        "deleted_at",
    )
    list_filter = (
        ("unsubscribed_at", admin.EmptyFieldListFilter),
        ("deleted_at", admin.EmptyFieldListFilter),
        "created_at",
    )
    search_fields = ("identity", "first_name", "last_name", "company", "account__name")
    search_ids = ("pk", "account_id", "contact_import_id")
    related = ("account", "contact_import")
    replaced: ClassVar[Any] = {
        "address_digest": hexadecimal("address_digest"),
        "domain_digest": hexadecimal("domain_digest"),
    }
    related_lists: ClassVar[Any] = (("Enrollments", Enrollment, "contact"), ("Messages", Message, "contact"))


@admin.register(Enrollment)
class EnrollmentAdmin(RecordAdmin):
    """One contact in one campaign: how far it got, what it waits for, why it stopped."""

    list_display = (
        "person",
        link_to("contact", text=lambda _contact: "contact"),
        link_to("campaign"),
        colored("status", STATUS_COLORS),
        "next_position",
        "next_due_at",
        "wait_reason",
        "stop_reason",
        "enrolled_at",
    )
    list_filter = (
        "status",
        code_filter("wait_reason", WaitReason),
        code_filter("stop_reason", StopReason),
        ("finished_at", admin.EmptyFieldListFilter),
        "enrolled_at",
    )
    search_fields = ("contact__identity", "campaign__name")
    search_ids = ("pk", "account_id", "campaign_id", "contact_id", "smtp_credential_id")
    related = ("account", "campaign", "contact", "smtp_credential")
    related_lists: ClassVar[Any] = (("Messages", Message, "enrollment"),)

    @admin.display(description="person")
    def person(self, enrollment: Enrollment) -> str:
        """The contact's address."""
        return str(enrollment.contact)


@admin.register(Suppression)
class SuppressionAdmin(RecordAdmin):
    """Who must not be written to. Only keyed digests are kept: search for the whole address or domain."""

    list_display = ("kind", hexadecimal("digest"), "scope", "reason", ACCOUNT, "suppressed_at", "created_at")
    list_filter = ("kind", "scope", code_filter("reason", SuppressionReason), "created_at")
    search_fields = ("account__name", "account__email")
    search_help_text = "The whole address or domain, or an account's name"
    search_ids = ("pk", "account_id")
    related = ("account",)
    replaced: ClassVar[Any] = {"digest": hexadecimal("digest")}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By the digest of what was typed, where it is an address or a domain that is listed."""
        if read_uuid(search_term) is None:
            listed = queryset.filter(digest__in=possible_digests(search_term))
            if listed.exists():
                return listed, False
        return super().get_search_results(request, queryset, search_term)


def possible_digests(text: str) -> list[bytes]:
    """The digest of the address that `text` is, or of the domain."""
    try:
        if "@" in text:
            return [address_digest(parse_address(text).identity)]
        return [domain_digest(parse_address(f"anyone@{text.strip()}").domain)]
    except InvalidAddress:
        return []
