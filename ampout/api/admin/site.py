"""The frame of the admin: its menu, and the figures on its first page."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db import models
from django.db.models import Count, Min, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst

from ampout.accounts.models import Account, ApiKey, IdempotencyRecord, Installation, MonthlyUsage
from ampout.api.admin.columns import list_url, options_of, permission
from ampout.api.admin.ledger import MessageAdmin
from ampout.events.models import Event, EventLog, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookLoop
from ampout.lib import clock
from campaigns.models import (
    Batch,
    Campaign,
    CampaignCredential,
    Contact,
    ContactImport,
    DueTally,
    Enrollment,
    EnrollmentTally,
    Outreach,
    SequenceStep,
    SkipCount,
    Suppression,
)
from campaigns.rules.campaign_state import CampaignStatus
from credentials.models import ProviderHook, SmtpCredential
from dispatch.models import (
    Attempt,
    CapWarning,
    CountMark,
    DailyUsage,
    DeliveryWorker,
    FactCount,
    Feedback,
    HealthDue,
    Hit,
    Lane,
    Mailbox,
    MailboxFolder,
    Message,
    MessageTally,
    MonthlyReservation,
    MxVerdict,
    Notice,
    Tick,
    UsageTally,
)
from dispatch.rules.message_state import OUTSTANDING, UNSTARTED, MessageState
from dispatch.services.installation import sending_is_off

MENU: dict[str, dict[type[models.Model], str]] = {
    "Outreach": {
        Campaign: "campaign",
        Enrollment: "conversion_path",
        SequenceStep: "format_list_numbered",
        Batch: "layers",
        Outreach: "folder_open",
        SkipCount: "person_off",
        EnrollmentTally: "functions",
        DueTally: "hourglass_top",
    },
    "People": {Contact: "contacts", ContactImport: "upload_file", Suppression: "block"},
    "Ledger": {
        Message: "mail",
        Attempt: "send",
        Event: "event_note",
        EventLog: "bookmark",
        MessageTally: "functions",
    },
    "What came back": {Feedback: "reply", Hit: "ads_click", Notice: "inbox"},
    "Senders": {
        SmtpCredential: "key",
        ProviderHook: "webhook",
        CampaignCredential: "link",
        DailyUsage: "speed",
        CapWarning: "warning",
        Lane: "schedule",
        Mailbox: "mark_email_unread",
        MailboxFolder: "folder_open",
        HealthDue: "monitor_heart",
        MxVerdict: "dns",
        DeliveryWorker: "memory",
    },
    "Webhooks": {
        WebhookEndpoint: "webhook",
        WebhookDelivery: "outbox",
        WebhookAttempt: "call_made",
        WebhookLoop: "memory",
    },
    "Engine": {Tick: "timer", FactCount: "monitoring", CountMark: "bookmark"},
    "Accounts": {
        Account: "apartment",
        ApiKey: "vpn_key",
        MonthlyUsage: "bar_chart",
        UsageTally: "functions",
        MonthlyReservation: "data_usage",
        IdempotencyRecord: "repeat",
        Installation: "home_work",
    },
    "Operators": {User: "person", Group: "group", LogEntry: "history"},
}
"""The groups of the menu: each model with its icon."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One card of the first page; `note` says what it means."""

    title: str
    value: object
    note: str
    url: str


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The menu, without what the operator may not see."""
    home = {"title": "Overview", "icon": "home", "link": reverse("admin:index")}
    groups = [{"title": title, "items": _items(request, icons)} for title, icons in MENU.items()]
    return [{"items": [home]}, *(group for group in groups if group["items"])]


def _items(request: HttpRequest, icons: dict[type[models.Model], str]) -> list[dict[str, Any]]:
    return [
        {"title": capfirst(str(options_of(model).verbose_name_plural)), "icon": icon, "link": list_url(model)}
        for model, icon in icons.items()
        if request.user.has_perm(permission(model, "view"))
    ]


def environment(_request: HttpRequest) -> list[str] | None:
    """The label at the top of every page while nothing is sent."""
    return ["Sending is off", "danger"] if sending_is_off() else None


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the figures to the first page, for those who may see the ledger, and why nothing is sent, for everybody."""
    context["sending_is_off"] = sending_is_off()
    if request.user.has_perm("dispatch.view_message"):
        context["figures"] = figures()
    return context


def figures() -> list[Figure]:
    """What an operator looks at first; each is read by an index that grows with the work at hand, not with the past."""
    return [*_of_messages(clock.utc_now()), *_of_senders(clock.utc_now()), _of_webhooks()]


def _of_messages(now: datetime) -> list[Figure]:
    is_unknown = Q(state=MessageState.UNKNOWN.value)
    ledger = Message.everywhere.filter(state__in=[state.value for state in OUTSTANDING | {MessageState.UNKNOWN}])
    counts = ledger.aggregate(outstanding=Count("pk", filter=~is_unknown), unknown=Count("pk", filter=is_unknown))
    waiting = Message.everywhere.filter(state__in=[state.value for state in UNSTARTED], due_at__isnull=False)
    oldest = waiting.aggregate(due_at=Min("due_at"))["due_at"]
    url = list_url(Message)
    by_due_at = f"{url}?due_at__isnull=False&o={1 + MessageAdmin.list_display.index('due_at')}"
    return [
        Figure("Outstanding", counts["outstanding"], "messages planned, in hand or waiting for a retry", url),
        Figure(
            "Unknown", counts["unknown"], "messages that only evidence or you can settle", f"{url}?state__exact=unknown"
        ),
        Figure("Oldest due", oldest, _lateness(oldest, now), by_due_at),
    ]


def _of_senders(now: datetime) -> list[Figure]:
    active = Campaign.everywhere.filter(status=CampaignStatus.ACTIVE.value, deleted_at__isnull=True)
    disabled = SmtpCredential.everywhere.filter(disabled_at__isnull=False, retired_at__isnull=True)
    loops = DeliveryWorker.objects.filter(ended_at__isnull=True, lease_until__gt=now)
    active_url = f"{list_url(Campaign)}?status__exact={CampaignStatus.ACTIVE.value}"
    disabled_url = f"{list_url(SmtpCredential)}?disabled_at__isempty=0&retired_at__isempty=1"
    loops_url = f"{list_url(DeliveryWorker)}?ended_at__isempty=1"
    return [
        Figure("Active campaigns", active.count(), "released, with something left to do", active_url),
        Figure("Disabled credentials", disabled.count(), "set aside until somebody re-enables them", disabled_url),
        Figure("Deliver loops", loops.count(), "alive: none means that nothing is sent", loops_url),
    ]


def _of_webhooks() -> Figure:
    disabled = WebhookEndpoint.everywhere.filter(disabled_at__isnull=False, deleted_at__isnull=True)
    url = f"{list_url(WebhookEndpoint)}?disabled_at__isempty=0&deleted_at__isempty=1"
    return Figure("Disabled webhooks", disabled.count(), "receivers that are gone, or failed for five days", url)


def _lateness(due_at: datetime | None, now: datetime) -> str:
    if due_at is None:
        return "nothing waits for its time"
    seconds = int((now - due_at).total_seconds())
    return f"{seconds:,} s late" if seconds > 0 else f"in {-seconds:,} s"
