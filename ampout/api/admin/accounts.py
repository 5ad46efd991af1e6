"""Accounts, their keys, and the answers kept for repeated calls."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from ampout.accounts import services
from ampout.accounts.models import Account, ApiKey, IdempotencyRecord, Installation, MonthlyUsage
from ampout.accounts.rules.months import month_of
from ampout.api.admin.actions import ask, is_confirmed, run_each
from ampout.api.admin.base import BaseModelAdmin, RecordAdmin
from ampout.api.admin.columns import ACCOUNT, change_url
from ampout.events.models import Event
from ampout.lib import clock
from ampout.lib.addresses import InvalidAddress, parse_address
from ampout.lib.errors import Unprocessable
from ampout.lib.text import find_control_character
from campaigns.models import Campaign, Contact, Suppression
from credentials.models import SmtpCredential
from dispatch.models import Message
from dispatch.services.limits import set_monthly_limit
from dispatch.usage import sends_in_month

if TYPE_CHECKING:
    AccountModelForm = forms.ModelForm[Account]
else:
    AccountModelForm = forms.ModelForm


class AccountForm(AccountModelForm):
    """An account's own particulars, held to what the API accepts."""

    def clean_email(self) -> str:
        """The address in the form that every door keeps it in."""
        try:
            return parse_address(self.cleaned_data["email"]).identity
        except InvalidAddress as problem:
            raise forms.ValidationError(str(problem)) from problem

    def clean(self) -> dict[str, Any]:
        """No text with control characters: names end up in messages."""
        values = super().clean() or self.cleaned_data
        for name, value in list(values.items()):
            found = find_control_character(value) if isinstance(value, str) else None
            if found:
                self.add_error(name, f"The text holds a control character, {found}. Remove it.")
        return values


@admin.display(description="sends this month")
def sends_this_month(account: Account) -> int:
    """What counts against the monthly limit, so far in this UTC month."""
    return sends_in_month(account.pk, month_of(clock.utc_now()))


@admin.register(Account)
class AccountAdmin(RecordAdmin):
    """Tenants."""

    form = AccountForm
    editable = ("name", "email", "sender_name", "postal_address", "monthly_limit")
    extra_columns = (sends_this_month,)
    list_display = ("name", "email", "monthly_limit", "created_at", "suspended_at", "suspension_reason")
    list_filter = (("suspended_at", admin.EmptyFieldListFilter), "created_at")
    search_fields = ("name", "email", "sender_name")
    actions = ("issue_key", "suspend", "lift_suspension")
    related_lists: ClassVar[Any] = (
        ("Campaigns", Campaign, "account"),
        ("Credentials", SmtpCredential, "account"),
        ("Contacts", Contact, "account"),
        ("Messages", Message, "account"),
        ("Suppressions", Suppression, "account"),
        ("Events", Event, "account"),
        ("API keys", ApiKey, "account"),
        ("Monthly usage", MonthlyUsage, "account"),
    )

    def has_add_permission(self, request: HttpRequest, _obj: Any = None) -> bool:
        """An operator may open an account, where sign-up is off above all."""
        return BaseModelAdmin.has_add_permission(self, request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Its particulars may be corrected; suspension goes by its actions."""
        return BaseModelAdmin.has_change_permission(self, request, obj)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """A new account has nothing but its particulars."""
        return list(self.editable) if obj is None else super().get_fields(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """All but the particulars."""
        return [name for name in self.get_fields(request, obj) if name not in self.editable]

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: Any) -> None:
        """Changes go by the services that the API calls, and the one that holds the planner meanwhile."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        changed = {name: form.cleaned_data[name] for name in form.changed_data}
        if "monthly_limit" in changed:
            set_monthly_limit(obj.pk, changed.pop("monthly_limit"))
        services.update_account(obj, **changed)

    def offered(self, record: Account) -> Sequence[str]:
        """Only what would change something."""
        return ("issue_key", "suspend" if record.suspended_at is None else "lift_suspension")

    @admin.action(description="Issue an API key", permissions=["operate"])
    def issue_key(self, request: HttpRequest, chosen: QuerySet[Account]) -> HttpResponse | None:
        """Make a key and show it, this once: it goes by no message, which would be kept in a cookie."""
        account = chosen.first()
        if account is None or chosen.count() != 1:
            self.message_user(request, "Choose one account: each key is shown on a page of its own.", messages.ERROR)
            return None
        with transaction.atomic():
            issued = services.issue_key(account, label=f"issued by {request.user.get_username()}")
            self.log_change(request, account, f"issued API key {issued.key.prefix}…")
        context = {
            **self.admin_site.each_context(request),
            "title": f"A new API key for {account.name}",
            "opts": self.opts,
            "plaintext": issued.plaintext,
            "account_url": change_url(account),
        }
        return TemplateResponse(request, "admin/issued_key.html", context)

    @admin.action(description="Suspend: stop every key and every send", permissions=["operate"])
    def suspend(self, request: HttpRequest, chosen: QuerySet[Account]) -> HttpResponse | None:
        """Ask for the reason, then suspend."""
        reason = request.POST.get("answer", "").strip()[:200]
        if not (is_confirmed(request) and reason):
            return ask(
                self,
                request,
                chosen,
                title="Suspend accounts",
                warning="Every API key of these accounts stops and nothing is sent for them, until you lift it.",
                question="Reason",
            )

        def act(account: Account) -> str:
            if not services.suspend_account(account.pk, reason):
                raise Unprocessable("It is suspended already.")
            return f"suspended ({reason})"

        return run_each(self, request, chosen, act)

    @admin.action(description="Lift the suspension", permissions=["operate"])
    def lift_suspension(self, request: HttpRequest, chosen: QuerySet[Account]) -> HttpResponse | None:
        """Let the accounts work again."""

        def act(account: Account) -> str:
            if not services.lift_suspension(account.pk):
                raise Unprocessable("It is not suspended.")
            return "suspension lifted"

        return run_each(self, request, chosen, act)


@admin.register(ApiKey)
class ApiKeyAdmin(RecordAdmin):
    """API keys, by the part that people recognize them by."""

    list_display = ("prefix", "label", ACCOUNT, "client_kind", "scopes", "created_at", "last_used_at", "revoked_at")
    list_filter = ("client_kind", "is_rate_limited", ("revoked_at", admin.EmptyFieldListFilter), "created_at")
    search_fields = ("prefix", "label", "account__name", "account__email")
    search_ids = ("pk", "account_id")
    related = ("account",)
    hidden = ("digest",)
    actions = ("revoke", "lift_limit", "limit")

    def offered(self, record: ApiKey) -> Sequence[str]:
        """Only what would change something; a revoked key stays revoked."""
        if record.revoked_at is not None:
            return ()
        return ("revoke", "lift_limit" if record.is_rate_limited else "limit")

    @admin.action(description="Revoke: the key stops working at once", permissions=["operate"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> HttpResponse | None:
        """End keys for good."""

        def act(key: ApiKey) -> str:
            services.revoke_key(key.account, key.pk)
            return "revoked"

        return run_each(self, request, chosen, act)

    @admin.action(description="Lift the rate limit: for test keys", permissions=["operate"])
    def lift_limit(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> HttpResponse | None:
        """Let keys make as many requests as they like."""
        return self._set_limit(request, chosen, is_limited=False)

    @admin.action(description="Limit the rate again", permissions=["operate"])
    def limit(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> HttpResponse | None:
        """Hold keys to the limit of the installation."""
        return self._set_limit(request, chosen, is_limited=True)

    def _set_limit(self, request: HttpRequest, chosen: QuerySet[ApiKey], *, is_limited: bool) -> HttpResponse | None:
        words = "is limited" if is_limited else "is not limited"

        def act(key: ApiKey) -> str:
            if not services.limit_key(key.pk, is_limited=is_limited):
                raise Unprocessable(f"Nothing to do: its rate {words}.")
            return f"the rate {words}"

        return run_each(self, request, chosen, act)


@admin.register(MonthlyUsage)
class MonthlyUsageAdmin(RecordAdmin):
    """What accounts sent in the months that are closed."""

    list_display = ("month", ACCOUNT, "client_kind", "sends")
    list_filter = ("client_kind", "month")
    search_fields = ("account__name", "account__email")
    search_ids = ("account_id",)
    related = ("account",)


@admin.register(Installation)
class InstallationAdmin(RecordAdmin):
    """Whose database this is; `manage.py adopt` changes it."""

    list_display = ("__str__", "database", "adopted_at")
    list_filter = ("adopted_at",)
    search_fields = ("name",)


@admin.register(IdempotencyRecord)
class IdempotencyRecordAdmin(RecordAdmin):
    """Calls with an `Idempotency-Key`; the kept answer itself is not shown."""

    list_display = ("started_at", "method", "path", "key", "scope", "status", "answered_at")
    list_filter = ("method", ("answered_at", admin.EmptyFieldListFilter), "started_at")
    search_fields = ("path", "key", "scope")
    search_ids = ("token",)
    hidden = ("token",)
