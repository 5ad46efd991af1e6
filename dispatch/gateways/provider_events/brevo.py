"""Brevo's webhooks, one event a call or a batch of them, each read by django-anymail's parser.

Sources: developers.brevo.com/docs/transactional-webhooks, and …/docs/batch-webhooks for batches. Brevo's `message-id`
may be its own; what a message had as X-Mailin-custom comes back, which is where the preset puts ours.
"""

from collections.abc import Mapping
from typing import Any

from anymail.webhooks.brevo import BrevoTrackingWebhookView

from dispatch.gateways.provider_events.facts import (
    aware,
    clean,
    hard_unless_otherwise,
    ids_of,
    read_each,
    read_only,
    status_in,
    text_of,
)
from dispatch.gateways.provider_events.payload import Payload
from dispatch.rules.provider_event import ProviderEvent, ProviderEventKind

Kind = ProviderEventKind
CUSTOM = "X-Mailin-custom"

_KINDS = {
    "hard_bounce": Kind.HARD_BOUNCE,
    "invalid_email": Kind.HARD_BOUNCE,
    "soft_bounce": Kind.SOFT_BOUNCE,
    "blocked": Kind.SOFT_BOUNCE,
    "error": Kind.SOFT_BOUNCE,
    "deferred": Kind.DELAY,
    "spam": Kind.COMPLAINT,
    "complaint": Kind.COMPLAINT,
    "unsubscribe": Kind.UNSUBSCRIBE,
    "unsubscribed": Kind.UNSUBSCRIBE,
    "delivered": Kind.DELIVERED,
}
"""By `event`."""


def read(payload: Payload) -> list[ProviderEvent]:
    """The events of a call. Raises ValueError."""
    if isinstance(payload, Mapping) and isinstance(payload.get("events"), list):
        return read_each(payload["events"], _read_one)
    if isinstance(payload, list):
        return read_each(payload, _read_one)
    return read_only(payload, _read_one, "Brevo")


def _read_one(payload: Mapping[str, Any]) -> ProviderEvent:
    # The parser takes what came back for JSON, and raises where it is not.
    facts = {name: value for name, value in payload.items() if name != CUSTOM}
    # The view is made for its method alone; with a secret it does not warn that calls would not be checked.
    parsed = BrevoTrackingWebhookView(webhook_secret="unused").esp_to_anymail_event(facts)  # noqa: S106
    text = clean(parsed.mta_response)
    kind = _KINDS.get(text_of(payload, "event"), Kind.OTHER)
    return ProviderEvent(
        kind=hard_unless_otherwise(text) if kind is Kind.HARD_BOUNCE else kind,
        recipient=clean(parsed.recipient, 320),
        message_ids=ids_of(_our_id(payload), parsed.message_id),
        # `id` is the webhook's, the same in all its calls.
        event_id="",
        occurred_at=aware(parsed.timestamp),
        status=status_in(text),
        text=text,
    )


def _our_id(payload: Mapping[str, Any]) -> str:
    custom = text_of(payload, CUSTOM)
    return custom if custom.startswith("<") and custom.endswith(">") else ""
