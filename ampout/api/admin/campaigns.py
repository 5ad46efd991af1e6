"""Outreaches, campaigns and what they are made of."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from ampout.api.admin.actions import run_each
from ampout.api.admin.base import RecordAdmin, RecordInline
from ampout.api.admin.columns import ACCOUNT, CREDENTIAL, colored, link, link_to, list_url, spaced
from ampout.api.admin.conservation import conservation
from ampout.api.admin.filters import code_filter
from campaigns.models import Batch, Campaign, CampaignCredential, Enrollment, Outreach, SequenceStep, SkipCount
from campaigns.rules.campaign_state import CampaignStatus, PauseReason
from campaigns.rules.skips import SkipReason
from dispatch.models import CapWarning, Message
from dispatch.services.lifecycle import pause_campaign, resume_campaign

STATUS_COLORS = {
    CampaignStatus.ACTIVE.value: "success",
    CampaignStatus.PAUSED.value: "warning",
    CampaignStatus.COMPLETED.value: "info",
}


@admin.display(description="messages by state")
def messages_by_state(campaign: Campaign) -> SafeString:
    """How many messages of a campaign are in each state, each linked to them."""
    counted = Message.everywhere.filter(campaign=campaign).order_by("state").values_list("state")
    url = f"{list_url(Message)}?campaign__exact={campaign.pk}&state__exact="
    links = [(link(f"{url}{state}", spaced(state)), count) for state, count in counted.annotate(count=Count("pk"))]
    return format_html_join(" · ", "{} {}", links)


@admin.register(Outreach)
class OutreachAdmin(RecordAdmin):
    """Containers of campaigns."""

    list_display = ("name", ACCOUNT, "unique_contacts", "created_at")
    list_filter = ("unique_contacts", "created_at")
    search_fields = ("name", "account__name", "account__email")
    search_ids = ("pk", "account_id")
    related = ("account",)
    related_lists: ClassVar[Any] = (("Campaigns", Campaign, "outreach"),)


class StepInline(RecordInline):
    """The steps of a campaign."""

    model = SequenceStep
    fields = ("position", "subject", "delay_minutes", "updated_at")


class AttachmentInline(RecordInline):
    """The credentials that a campaign sends through."""

    model = CampaignCredential
    fields = (CREDENTIAL, "attached_at")  # type: ignore[assignment]  # the stubs know names only
    verbose_name_plural = "Credentials"

    def get_queryset(self, request: HttpRequest) -> QuerySet[CampaignCredential]:
        """Without the passwords."""
        rows: QuerySet[CampaignCredential] = super().get_queryset(request)
        return rows.select_related("credential").defer("credential__smtp_password", "credential__imap_password")


@admin.register(Campaign)
class CampaignAdmin(RecordAdmin):
    """Campaigns of all accounts: paused and resumed here by operators."""

    list_display = (
        "name",
        ACCOUNT,
        colored("status", STATUS_COLORS),
        "pause_reason",
        "created_at",
        "started_at",
        "paused_at",
        "completed_at",
        "deleted_at",
    )
    list_filter = (
        "status",
        code_filter("pause_reason", PauseReason),
        "verify_email_mx",
        ("deleted_at", admin.EmptyFieldListFilter),
        "created_at",
    )
    search_fields = ("name", "account__name", "account__email")
    search_ids = ("pk", "account_id", "outreach_id")
    related = ("account", "outreach")
    extra_columns = (conservation, messages_by_state)
    related_lists: ClassVar[Any] = (
        ("Enrollments", Enrollment, "campaign"),
        ("Messages", Message, "campaign"),
        ("Batches", Batch, "campaign"),
        ("Skipped contacts", SkipCount, "campaign"),
        ("Cap warnings", CapWarning, "campaign"),
    )
    inlines = (StepInline, AttachmentInline)
    actions = ("pause", "resume")

    def offered(self, record: Campaign) -> Sequence[str]:
        """What its status allows."""
        offers = {CampaignStatus.ACTIVE: ("pause",), CampaignStatus.PAUSED: ("resume",)}
        return offers.get(CampaignStatus(record.status), ())

    @admin.action(description="Pause: only an operator can resume", permissions=["operate"])
    def pause(self, request: HttpRequest, chosen: QuerySet[Campaign]) -> HttpResponse | None:
        """Once this is done, nothing of the campaigns goes on the wire."""

        def act(campaign: Campaign) -> str:
            pause_campaign(campaign.account, campaign.pk, reason=PauseReason.OPERATOR)
            return "paused"

        return run_each(self, request, chosen, act)

    @admin.action(description="Resume", permissions=["operate"])
    def resume(self, request: HttpRequest, chosen: QuerySet[Campaign]) -> HttpResponse | None:
        """Plan afresh what a pause held back, an operator's pause included."""

        def act(campaign: Campaign) -> str:
            resume_campaign(campaign.account, campaign.pk, by_operator=True)
            return "resumed"

        return run_each(self, request, chosen, act)


@admin.register(CampaignCredential)
class CampaignCredentialAdmin(RecordAdmin):
    """Which campaign sends through which credential."""

    list_display = ("id", link_to("campaign"), CREDENTIAL, "attached_at")
    list_filter = ("attached_at",)
    search_fields = ("campaign__name", "credential__from_email", "credential__smtp_host")
    search_ids = ("campaign_id", "credential_id")
    related = ("campaign", "credential")


@admin.register(SequenceStep)
class SequenceStepAdmin(RecordAdmin):
    """The templates of a sequence."""

    list_display = ("__str__", link_to("campaign"), "subject", "delay_minutes", "updated_at")
    list_filter = ("body_text_given", "updated_at")
    search_fields = ("subject", "campaign__name")
    search_ids = ("pk", "campaign_id")
    related = ("campaign",)


@admin.register(Batch)
class BatchAdmin(RecordAdmin):
    """The parts that a campaign is released in."""

    list_display = ("__str__", link_to("campaign"), "released_at", "opened_at")
    list_filter = (("released_at", admin.EmptyFieldListFilter), ("opened_at", admin.EmptyFieldListFilter))
    search_fields = ("=number", "campaign__name")
    search_ids = ("campaign_id",)
    related = ("campaign",)


@admin.register(SkipCount)
class SkipCountAdmin(RecordAdmin):
    """How many contacts were not enrolled, and why."""

    list_display = ("reason", "count", link_to("campaign"))
    list_filter = (code_filter("reason", SkipReason),)
    search_fields = ("reason", "campaign__name")
    search_ids = ("campaign_id",)
    related = ("campaign",)
