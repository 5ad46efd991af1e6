"""What came back: notices as they were stored, and what they said about messages."""

from typing import Any, ClassVar

from django.contrib import admin

from ampout.api.admin.base import RecordAdmin
from ampout.api.admin.columns import ACCOUNT, CREDENTIAL, as_written, hexadecimal, link_to, spaced
from ampout.api.admin.filters import code_filter
from dispatch.models import Feedback, Hit, Notice
from dispatch.rules.classify.verdict import MailKind


@admin.display(description="Verdict")
def verdict_in_brief(notice: Notice) -> str:
    """What a notice was taken for, and what else that did: `auto reply: wait`; `-` until it is judged."""
    kind = notice.verdict.get("kind") or ""
    effects = ", ".join(spaced(effect) for effect in notice.verdict.get("effects") or () if effect != kind)
    return f"{spaced(kind)}: {effects}" if effects else spaced(kind) or "-"


@admin.display(description="Bounce", ordering="hard")
def hard_or_soft(feedback: Feedback) -> str:
    """Which kind of bounce it is; `-` for all else."""
    if feedback.hard is None:
        return "-"
    return "hard" if feedback.hard else "soft"


@admin.register(Notice)
class NoticeAdmin(RecordAdmin):
    """Mails and providers' calls. The body is nobody's to read here; the verdict says what was made of it."""

    list_display = ("received_at", "source", CREDENTIAL, verdict_in_brief, "processed_at", "failures", "error")
    list_filter = ("source", ("processed_at", admin.EmptyFieldListFilter), "received_at")
    search_fields = ("credential__from_email", "error")
    search_ids = ("pk", "credential_id", "account_id")
    related = ("account", "credential")
    replaced: ClassVar[Any] = {"dedupe": hexadecimal("dedupe"), "headers": as_written("headers")}
    hidden = ("address_digests",)


@admin.register(Feedback)
class FeedbackAdmin(RecordAdmin):
    """What a notice said about one message."""

    list_display = (
        "occurred_at",
        "kind",
        hard_or_soft,
        "status",
        "sender",
        link_to("message", text=lambda message: message.recipient or message.message_id),
        "matched_by",
        CREDENTIAL,
        ACCOUNT,
    )
    list_filter = (code_filter("kind", MailKind), "hard", "matched_by", "occurred_at")
    search_fields = ("message__message_id", "sender", "status")
    search_ids = ("pk", "notice_id", "message_id", "enrollment_id", "credential_id", "account_id")
    related = ("account", "message", "credential")
    replaced: ClassVar[Any] = {
        "enrollment": link_to("enrollment", text=lambda enrollment: f"{enrollment.contact} in {enrollment.campaign}"),
        "notice": link_to("notice"),
        "hard": hard_or_soft,
        "text": as_written("text"),
    }


@admin.register(Hit)
class HitAdmin(RecordAdmin):
    """Requests for pixels and links, and who was judged to ask."""

    list_display = (
        "occurred_at",
        "kind",
        "label",
        "evidence",
        link_to("message", text=lambda message: message.recipient or message.message_id),
        ACCOUNT,
    )
    list_filter = ("kind", "label", "occurred_at")
    search_fields = ("message__message_id", "user_agent")
    search_ids = ("message_id", "account_id")
    related = ("account", "message")
