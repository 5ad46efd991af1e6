"""Webhooks: where an account's events are sent. The secret is shown at creation and rotation only."""

import uuid
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from ampout.api.fields import Checked, Field, Invalid, JsonSchema, ListOf, Text
from ampout.api.resources import Resource, find_or_404
from ampout.events.kinds import EventKind
from ampout.events.models import WebhookDelivery, WebhookEndpoint
from ampout.events.rules.delivery_state import DeliveryState
from ampout.events.rules.filters import filter_words
from ampout.events.services import endpoints
from ampout.lib.http import LONGEST_URL
from ampout.lib.text import nearest_name

FILTER_WORDS = filter_words(kind.value for kind in EventKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyNull(Field):
    """A value that can only be taken away: null is read as True, anything else is refused with `message`."""

    message: str

    def read_null(self) -> bool:
        """That it is to go."""
        return True

    def read_value(self, _value: object) -> Any:
        """Nothing else is possible. Raises Invalid."""
        raise Invalid(self.message)

    def describe(self) -> JsonSchema:
        """null alone."""
        return {"type": "null"}

    describe_value = describe


def read_filter(value: object) -> str:
    """A kind of event, a group, or all. Raises ValueError with a sentence."""
    if not isinstance(value, str) or value not in FILTER_WORDS:
        nearest = nearest_name(str(value), FILTER_WORDS)
        hint = f"Did you mean `{nearest}`?" if nearest else f"Use one of: {', '.join(FILTER_WORDS)}."
        raise ValueError(f"No such event. {hint}")
    return value


FILTERS = ListOf(
    item=Checked(function=read_filter, described={"type": "string", "enum": list(FILTER_WORDS)}),
    fewest=1,
    most=50,
    empty_message='Name at least one, or leave it at ["*"].',
)
NEW_WEBHOOK = {"url": Text(required=True, blank=False, longest=LONGEST_URL), "event_filters": FILTERS}
WEBHOOK = {
    "url": Text(blank=False, longest=LONGEST_URL),
    "event_filters": FILTERS,
    "disabled_at": OnlyNull(message="Can only be set to null, which enables the webhook. To stop it, delete it."),
}


def show_webhook(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """An endpoint without its secret."""
    return {
        "id": endpoint.pk,
        "url": endpoints.readable_url(endpoint),
        "event_filters": endpoint.event_filters,
        "consecutive_failures": endpoint.consecutive_failures,
        "failing_since": endpoint.failing_since,
        "disabled_at": endpoint.disabled_at,
        "disabled_reason": endpoint.disabled_reason or None,
        "previous_secret_until": endpoint.previous_secret_until,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }


def show_with_secret(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """An endpoint whose secret was just made."""
    return show_webhook(endpoint) | {"secret": endpoint.secret}


def show_delivery(delivery: WebhookDelivery) -> dict[str, Any]:
    """A delivery, which comes with its event; `status_code` and `error` are the last attempt's."""
    pending = delivery.state == DeliveryState.PENDING.value
    return {
        "id": delivery.pk,
        "event_id": delivery.event.id,
        "event_type": delivery.event.type,
        "state": delivery.state,
        "attempt": delivery.attempt,
        "status_code": delivery.status_code,
        "error": delivery.error or None,
        "next_attempt_at": delivery.due_at if pending else None,
        "delivered_at": delivery.delivered_at,
        "created_at": delivery.created_at,
    }


class Webhooks(Resource):
    """`GET|POST /webhooks`."""

    _host: str | None = None

    def get(self, _request: Request) -> Response:
        """The account's endpoints."""
        live = WebhookEndpoint.objects.of(self.account).filter(deleted_at__isnull=True)
        return self.answer_list(live, show_webhook)

    def prepare_post(self, _request: Request) -> None:
        """Look the URL's host up."""
        self._host = endpoints.check_url(self.read("webhook", NEW_WEBHOOK)["url"])

    def post(self, _request: Request) -> Response:
        """Make an endpoint; its secret is in this answer only."""
        values = self.read("webhook", NEW_WEBHOOK)
        created = endpoints.create_endpoint(self.account, **values, host=self._host)
        return Response(show_with_secret(created), status=201)


class WebhookDetail(Resource):
    """`GET|PATCH|DELETE /webhooks/:id`."""

    _host: str | None = None

    def get(self, _request: Request, webhook_id: uuid.UUID) -> Response:
        """One endpoint."""
        return Response(show_webhook(endpoints.find_endpoint(self.account, webhook_id)))

    def prepare_patch(self, _request: Request, webhook_id: uuid.UUID) -> None:
        """Look a new URL's host up."""
        endpoints.find_endpoint(self.account, webhook_id)
        url = self.read("webhook", WEBHOOK, partial=True).get("url")
        self._host = None if url is None else endpoints.check_url(url)

    def patch(self, _request: Request, webhook_id: uuid.UUID) -> Response:
        """Change an endpoint, or enable it again by `disabled_at: null`."""
        values = self.read("webhook", WEBHOOK, partial=True)
        enable = values.pop("disabled_at", False)
        changed = endpoints.update_endpoint(self.account, webhook_id, enable=enable, host=self._host, **values)
        return Response(show_webhook(changed))

    def delete(self, _request: Request, webhook_id: uuid.UUID) -> Response:
        """Send nothing more to it."""
        endpoints.delete_endpoint(self.account, webhook_id)
        return Response(status=204)


class RotateWebhookSecret(Resource):
    """`POST /webhooks/:id/rotate_secret`."""

    def post(self, _request: Request, webhook_id: uuid.UUID) -> Response:
        """A new secret; calls are signed by the old one too for a day."""
        endpoints.find_endpoint(self.account, webhook_id)
        self.read("webhook", {})
        return Response(show_with_secret(endpoints.rotate_secret(self.account, webhook_id)))


class WebhookDeliveries(Resource):
    """`GET /webhooks/:id/deliveries`."""

    def get(self, _request: Request, webhook_id: uuid.UUID) -> Response:
        """What was sent to an endpoint, or is to be, newest first."""
        endpoint = endpoints.find_endpoint(self.account, webhook_id)
        rows = WebhookDelivery.objects.of(self.account).filter(endpoint=endpoint).select_related("event")
        return self.answer_list(rows, show_delivery)


class Redeliver(Resource):
    """`POST /webhooks/:id/deliveries/:id/redeliver`."""

    id_codes = MappingProxyType({"delivery_id": "not_found"})

    def post(self, _request: Request, webhook_id: uuid.UUID, delivery_id: uuid.UUID) -> Response:
        """Try a delivery again at once."""
        endpoint = endpoints.find_endpoint(self.account, webhook_id)
        find_or_404(WebhookDelivery.objects.of(self.account).filter(endpoint=endpoint), delivery_id, "not_found")
        self.read("delivery", {})
        return Response(show_delivery(endpoints.redeliver(self.account, webhook_id, delivery_id)))
