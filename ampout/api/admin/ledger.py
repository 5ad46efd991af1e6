"""The ledger and what the deliver loop keeps: messages, attempts, lanes, caps, loops, MX answers."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from ampout.api.admin.actions import ask, is_confirmed, run_each
from ampout.api.admin.base import RecordAdmin, RecordInline
from ampout.api.admin.columns import ACCOUNT, CREDENTIAL, colored, hexadecimal, link_to
from ampout.api.admin.filters import code_filter
from ampout.lib.mx import MxStatus
from dispatch.models import (
    Attempt,
    CapWarning,
    DailyUsage,
    DeliveryWorker,
    HealthDue,
    Lane,
    Message,
    MonthlyReservation,
    MxVerdict,
)
from dispatch.rules.message_state import MessageState
from dispatch.services.evidence import Resolution, resolve_unknown

STATE_COLORS = {
    MessageState.PLANNED.value: "info",
    MessageState.CLAIMED.value: "info",
    MessageState.WIRE.value: "info",
    MessageState.ACCEPTED.value: "success",
    MessageState.DEFERRED.value: "warning",
    MessageState.UNKNOWN.value: "warning",
    MessageState.REFUSED.value: "danger",
    MessageState.GAVE_UP.value: "danger",
    MessageState.QUARANTINED.value: "danger",
}


class AttemptInline(RecordInline):
    """The SMTP transactions of a message, newest first."""

    model = Attempt
    fields = (
        "started_at",
        "ended_at",
        "fence",
        "stage",
        "state",
        "reason",
        "reply_code",
        "reply_text",
        "is_evidence",
    )


@admin.register(Message)
class MessageAdmin(RecordAdmin):
    """One step to one contact. Only an unknown one is moved here, by a named operator's choice."""

    list_display = (
        "person",
        colored("state", STATE_COLORS),
        "reason",
        "step_position",
        link_to("campaign"),
        CREDENTIAL,
        "due_at",
        "wire_at",
        "message_id",
    )
    list_filter = ("state", "stream", "created_at", "due_at", "wire_at")
    search_fields = ("message_id", "delivered_message_id", "recipient", "reason")
    search_ids = ("pk", "account_id", "campaign_id", "enrollment_id", "contact_id", "credential_id")
    related = ("account", "campaign", "credential")
    replaced: ClassVar[Any] = {
        "recipient_digest": hexadecimal("recipient_digest"),
        "domain_digest": hexadecimal("domain_digest"),
        "enrollment": link_to("enrollment", text=lambda enrollment: f"{enrollment.contact} in {enrollment.campaign}"),
    }
    inlines = (AttemptInline,)
    actions = ("count_as_sent", "send_again")

    @admin.display(description="recipient", ordering="recipient")
    def person(self, message: Message) -> str:
        """The recipient's address, as long as it is kept."""
        return message.recipient or "(erased)"

    def offered(self, record: Message) -> Sequence[str]:
        """A choice about an unknown one only."""
        return self.actions if record.state == MessageState.UNKNOWN else ()

    @admin.action(description="Unknown: count as sent", permissions=["operate"])
    def count_as_sent(self, request: HttpRequest, chosen: QuerySet[Message]) -> HttpResponse | None:
        """Let the sequences go on as if the server had answered."""
        return self._resolve(request, chosen, Resolution.SENT, "counted as sent")

    @admin.action(description="Unknown: send again (a second copy may arrive)", permissions=["operate"])
    def send_again(self, request: HttpRequest, chosen: QuerySet[Message]) -> HttpResponse | None:
        """Ask first, then plan these messages anew."""
        if not is_confirmed(request):
            return ask(
                self,
                request,
                chosen,
                title="Send unknown messages again",
                warning="Nobody knows whether these messages arrived. If one did, its recipient gets a second copy.",
            )
        return self._resolve(request, chosen, Resolution.RESEND, "will be sent again")

    def _resolve(
        self, request: HttpRequest, chosen: QuerySet[Message], choice: Resolution, happened: str
    ) -> HttpResponse | None:
        operator = request.user.get_username()

        def act(message: Message) -> str:
            resolve_unknown(message.pk, choice, actor=operator)
            return happened

        return run_each(self, request, chosen, act)


@admin.register(Attempt)
class AttemptAdmin(RecordAdmin):
    """SMTP transactions, and the ends of those that a crash cut off."""

    list_display = (
        "id",
        link_to("message", text=lambda message: message.message_id),
        colored("state", STATE_COLORS),
        "reason",
        "stage",
        "reply_code",
        "reply_text",
        CREDENTIAL,
        "started_at",
        "ended_at",
        "is_evidence",
    )
    list_filter = (code_filter("state", MessageState), "is_evidence", "ended_at")
    search_fields = ("message__message_id", "reply_text", "reason")
    search_ids = ("message_id", "credential_id", "account_id", "worker_id")
    related = ("account", "message", "credential")


@admin.register(Lane)
class LaneAdmin(RecordAdmin):
    """A credential's place in time."""

    list_display = (
        "__str__",
        CREDENTIAL,
        "last_slot_at",
        "last_finished_at",
        "failures",
        "back_off_until",
        "worker_id",
    )
    list_filter = (("back_off_until", admin.EmptyFieldListFilter), ("worker_id", admin.EmptyFieldListFilter))
    search_fields = ("credential__from_email", "credential__smtp_host")
    search_ids = ("pk", "worker_id")
    related = ("credential",)


@admin.register(HealthDue)
class HealthDueAdmin(RecordAdmin):
    """Credentials whose health waits to be judged; one that stays here is held back."""

    list_display = ("since", CREDENTIAL)
    list_filter = ("since",)
    search_fields = ("credential__from_email", "credential__smtp_host")
    search_ids = ("credential_id",)
    related = ("credential",)


@admin.register(DailyUsage)
class DailyUsageAdmin(RecordAdmin):
    """How much of a credential's cap a UTC day has used."""

    list_display = ("day", "used", "highest_limit", CREDENTIAL)
    list_filter = ("day",)
    search_fields = ("credential__from_email", "credential__smtp_host")
    search_ids = ("credential_id",)
    related = ("credential",)


@admin.register(MonthlyReservation)
class MonthlyReservationAdmin(RecordAdmin):
    """How much of their monthly limit accounts have sent, or have on the way; at most."""

    list_display = ("month", "reserved", ACCOUNT, "counted_at")
    list_filter = ("month",)
    search_fields = ("account__name", "account__email")
    search_ids = ("account_id",)
    related = ("account",)


@admin.register(CapWarning)
class CapWarningAdmin(RecordAdmin):
    """Days on which all credentials of a campaign were at their cap."""

    list_display = ("day", link_to("campaign"), "created_at")
    list_filter = ("day",)
    search_fields = ("campaign__name",)
    search_ids = ("campaign_id",)
    related = ("campaign",)


@admin.register(DeliveryWorker)
class DeliveryWorkerAdmin(RecordAdmin):
    """Deliver loops and their leases."""

    list_display = ("name", "started_at", "lease_until", "ended_at", "id")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "started_at")
    search_fields = ("name",)


@admin.register(MxVerdict)
class MxVerdictAdmin(RecordAdmin):
    """What DNS said of a domain's mail servers."""

    list_display = ("domain", "status", "reason", "checked_at", "silences", "wanted_at")
    list_filter = (code_filter("status", MxStatus), ("wanted_at", admin.EmptyFieldListFilter), "checked_at")
    search_fields = ("domain",)
    search_ids = ()
