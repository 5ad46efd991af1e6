"""The numbers that triggers keep of enrollments and messages, row by row: those with the same values add up."""

from django.contrib import admin

from ampout.accounts.rules.keys import ClientKind
from ampout.api.admin.base import RecordAdmin
from ampout.api.admin.columns import link_to
from ampout.api.admin.filters import code_filter
from campaigns.models import DueTally, EnrollmentTally
from campaigns.rules.enrollment_state import EnrollmentStatus, StopReason, WaitReason
from dispatch.models import MessageTally, UsageTally
from dispatch.rules.message_state import MessageState


class TallyAdmin(RecordAdmin):
    """What the tallies of campaigns share."""

    search_fields = ("campaign__name",)
    search_ids: tuple[str, ...] = ("campaign_id",)
    related: tuple[str, ...] = ("campaign",)


@admin.register(EnrollmentTally)
class EnrollmentTallyAdmin(TallyAdmin):
    """How many enrollments of a campaign have got equally far."""

    list_display = ("status", "count", link_to("campaign"), "batch_number", "next_position", "standing", "stop_reason")
    list_filter = (code_filter("status", EnrollmentStatus), code_filter("stop_reason", StopReason), "is_folded")


@admin.register(DueTally)
class DueTallyAdmin(TallyAdmin):
    """How many next steps of a campaign fall due within an hour."""

    list_display = ("due_hour", "count", link_to("campaign"), "next_position", "wait_reason")
    list_filter = (code_filter("wait_reason", WaitReason), "is_folded")


@admin.register(MessageTally)
class MessageTallyAdmin(TallyAdmin):
    """How many messages of a campaign and a credential ended alike."""

    list_display = ("state", "count", "is_bounced", link_to("campaign"), link_to("credential"))
    list_filter = (code_filter("state", MessageState), "is_bounced", "is_folded")
    search_ids = ("campaign_id", "credential_id")
    related = ("campaign", "credential")


@admin.register(UsageTally)
class UsageTallyAdmin(RecordAdmin):
    """How much an account sent in a month, by the kind of key."""

    list_display = ("month", "count", link_to("account"), "client_kind")
    list_filter = (code_filter("client_kind", ClientKind), "is_folded")
    search_fields = ("account__name",)
    search_ids = ("account_id",)
    related = ("account",)
