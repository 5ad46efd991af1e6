"""Mailboxes and relay logins. Their passwords are written by the API only, and shown nowhere."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from ampout.api.admin.actions import run_each
from ampout.api.admin.base import RecordAdmin
from ampout.api.admin.columns import ACCOUNT, set_or_not
from ampout.lib.errors import Unprocessable
from campaigns.models import CampaignCredential, Enrollment
from credentials.models import ProviderHook, SmtpCredential
from credentials.rules.credential_state import DisabledReason
from dispatch.models import Attempt, DailyUsage, Feedback, Mailbox, Message, Notice
from dispatch.services.senders import disable_credential, reenable_credential


@admin.register(SmtpCredential)
class SmtpCredentialAdmin(RecordAdmin):
    """Whose mailboxes messages leave through, and what their servers said last."""

    list_display = (
        "from_email",
        "label",
        ACCOUNT,
        "smtp_host",
        "smtp_port",
        "daily_limit",
        "disabled_at",
        "disabled_reason",
        "retired_at",
        "last_problem_at",
    )
    list_filter = (
        ("disabled_at", admin.EmptyFieldListFilter),
        ("retired_at", admin.EmptyFieldListFilter),
        "last_problem_at",
        "created_at",
    )
    search_fields = ("from_email", "label", "smtp_host", "smtp_username", "account__name", "account__email")
    search_ids = ("pk", "account_id")
    related = ("account",)
    replaced: ClassVar[Any] = {
        "smtp_password": set_or_not("smtp_password", "SMTP password"),
        "imap_password": set_or_not("imap_password", "IMAP password"),
    }
    related_lists: ClassVar[Any] = (
        ("Campaigns", CampaignCredential, "credential"),
        ("Messages", Message, "credential"),
        ("Attempts", Attempt, "credential"),
        ("Daily usage", DailyUsage, "credential"),
        ("Enrollments it sent step 1 to", Enrollment, "smtp_credential"),
        ("Provider hooks", ProviderHook, "credential"),
        ("Mailbox", Mailbox, "credential"),
        ("Notices", Notice, "credential"),
        ("Feedback", Feedback, "credential"),
    )
    actions = ("disable", "reenable")

    def offered(self, record: SmtpCredential) -> Sequence[str]:
        """Only what would change something."""
        if record.retired_at is not None:
            return ()
        return ("disable",) if record.disabled_at is None else ("reenable",)

    @admin.action(description="Disable: nothing more is sent through it", permissions=["operate"])
    def disable(self, request: HttpRequest, chosen: QuerySet[SmtpCredential]) -> HttpResponse | None:
        """Take credentials out of rotation."""

        def act(credential: SmtpCredential) -> str:
            if not disable_credential(credential.pk, DisabledReason.OPERATOR.value):
                raise Unprocessable("It is disabled already.")
            return "disabled"

        return run_each(self, request, chosen, act)

    @admin.action(description="Re-enable: start a new period", permissions=["operate"])
    def reenable(self, request: HttpRequest, chosen: QuerySet[SmtpCredential]) -> HttpResponse | None:
        """Put disabled credentials back to work, and the campaigns that only their loss had paused."""

        def act(credential: SmtpCredential) -> str:
            # An enabled one keeps its period: the service would begin a new one.
            if credential.disabled_at is None:
                raise Unprocessable("It is not disabled.")
            reenable_credential(credential.account, credential.pk)
            return "re-enabled"

        return run_each(self, request, chosen, act)


@admin.register(ProviderHook)
class ProviderHookAdmin(RecordAdmin):
    """Which providers report about a credential, and when they last did. Secrets and keys are shown nowhere."""

    list_display = ("provider", "credential", ACCOUNT, "topic_arn", "confirmed_at", "last_call_at", "created_at")
    list_filter = ("provider", "last_call_at", "created_at")
    search_fields = ("credential__from_email", "topic_arn", "account__name", "account__email")
    search_ids = ("pk", "credential_id", "account_id")
    related = ("account", "credential")
    replaced: ClassVar[Any] = {
        "secret": set_or_not("secret", "secret"),
        "signing_key": set_or_not("signing_key", "signing key"),
    }
