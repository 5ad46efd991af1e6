"""Webhooks: who is told, what they were told, and what their servers said. URLs and secrets are shown nowhere."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from ampout.api.admin.actions import run_each
from ampout.api.admin.base import RecordAdmin, RecordInline
from ampout.api.admin.columns import ACCOUNT, colored, link_to, set_or_not
from ampout.events.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookLoop
from ampout.events.rules.delivery_state import DeliveryState
from ampout.events.services.endpoints import disable_endpoint, redeliver, update_endpoint
from ampout.lib.errors import Unprocessable

STATE_COLORS = {
    DeliveryState.PENDING.value: "info",
    DeliveryState.DELIVERED.value: "success",
    DeliveryState.GIVEN_UP.value: "danger",
}


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(RecordAdmin):
    """Where events are sent, and how that goes."""

    list_display = (
        "host",
        ACCOUNT,
        "event_filters",
        "consecutive_failures",
        "failing_since",
        "hold_until",
        "disabled_at",
        "disabled_reason",
        "deleted_at",
        "created_at",
    )
    list_filter = (
        ("disabled_at", admin.EmptyFieldListFilter),
        ("failing_since", admin.EmptyFieldListFilter),
        ("deleted_at", admin.EmptyFieldListFilter),
        "created_at",
    )
    search_fields = ("host", "account__name", "account__email")
    search_ids = ("pk", "account_id")
    related = ("account",)
    replaced: ClassVar[Any] = {
        "url": set_or_not("url", "URL"),
        "secret": set_or_not("secret", "secret"),
        "previous_secret": set_or_not("previous_secret", "previous secret"),
    }
    related_lists: ClassVar[Any] = (("Deliveries", WebhookDelivery, "endpoint"),)
    actions = ("disable", "reenable")

    def offered(self, record: WebhookEndpoint) -> Sequence[str]:
        """Only what would change something."""
        if record.deleted_at is not None:
            return ()
        return ("disable",) if record.disabled_at is None else ("reenable",)

    @admin.action(description="Disable: nothing more is sent to it", permissions=["operate"])
    def disable(self, request: HttpRequest, chosen: QuerySet[WebhookEndpoint]) -> HttpResponse | None:
        """Set endpoints aside."""

        def act(endpoint: WebhookEndpoint) -> str:
            if not disable_endpoint(endpoint.pk):
                raise Unprocessable("It is disabled or deleted already.")
            return "disabled"

        return run_each(self, request, chosen, act)

    @admin.action(description="Re-enable: try at once what waits for it", permissions=["operate"])
    def reenable(self, request: HttpRequest, chosen: QuerySet[WebhookEndpoint]) -> HttpResponse | None:
        """Put disabled endpoints back to work."""

        def act(endpoint: WebhookEndpoint) -> str:
            if endpoint.disabled_at is None:
                raise Unprocessable("It is not disabled.")
            update_endpoint(endpoint.account, endpoint.pk, enable=True)
            return "re-enabled"

        return run_each(self, request, chosen, act)


class WebhookAttemptInline(RecordInline):
    """The calls of a delivery, newest first."""

    model = WebhookAttempt
    fields = ("number", "started_at", "ended_at", "status_code", "error", "response_excerpt")


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(RecordAdmin):
    """One event for one endpoint."""

    list_display = (
        "created_at",
        link_to("event", text=lambda event: event.type),
        link_to("endpoint"),
        ACCOUNT,
        colored("state", STATE_COLORS),
        "attempt",
        "status_code",
        "error",
        "due_at",
        "delivered_at",
    )
    list_filter = ("state", "created_at")
    search_fields = ("endpoint__host", "account__name", "account__email")
    search_ids = ("pk", "endpoint_id", "account_id", "event__id")
    related = ("account", "endpoint", "event")
    inlines = (WebhookAttemptInline,)
    actions = ("try_again",)

    @admin.action(description="Deliver again: try at once, and begin the schedule anew", permissions=["operate"])
    def try_again(self, request: HttpRequest, chosen: QuerySet[WebhookDelivery]) -> HttpResponse | None:
        """Make new attempts."""

        def act(delivery: WebhookDelivery) -> str:
            redeliver(delivery.account, delivery.endpoint_id, delivery.pk)
            return "is delivered again"

        return run_each(self, request, chosen, act)


@admin.register(WebhookAttempt)
class WebhookAttemptAdmin(RecordAdmin):
    """One call, and what came of it."""

    list_display = ("started_at", "ended_at", link_to("delivery"), ACCOUNT, "number", "status_code", "error")
    list_filter = ("started_at",)
    search_fields = ("error", "account__name", "account__email")
    search_ids = ("delivery_id", "account_id")
    related = ("account", "delivery")


@admin.register(WebhookLoop)
class WebhookLoopAdmin(RecordAdmin):
    """The loops that call receivers, and until when each may."""

    list_display = ("name", "id", "started_at", "lease_until")
    list_filter = ("started_at",)
    search_fields = ("name",)
    search_ids = ("id",)
