"""The numbers that triggers keep of enrollments and messages, row by row: those with the same values add up."""

from django.contrib import admin

from ampout.api.admin.base import RecordAdmin
from ampout.api.admin.columns import link_to
from ampout.api.admin.filters import code_filter
from campaigns.models import DueTally, EnrollmentTally
from campaigns.rules.enrollment_state import EnrollmentStatus, StopReason, WaitReason
from dispatch.models import MessageTally
from dispatch.rules.message_state import MessageState


class TallyAdmin(RecordAdmin):
    """What all tallies share."""

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
