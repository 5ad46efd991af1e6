"""Mailgun's webhooks, one event a call, read by django-anymail's parsers: JSON, and the forms of its old webhooks.

Sources: documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads and …/events/event-structure;
help.mailgun.com/hc/en-us/articles/14048832145051-Legacy-Webhooks for the forms. Mailgun keeps our Message-ID.
"""

from collections.abc import Mapping
from typing import Any

from anymail.webhooks.mailgun import MailgunTrackingWebhookView
from django.http import QueryDict

from dispatch.gateways.provider_events.facts import (
    UNREADABLE,
    aware,
    clean,
    hard_unless_otherwise,
    ids_of,
    member,
    read_only,
    status_in,
    text_of,
)
from dispatch.gateways.provider_events.payload import Payload
from dispatch.rules.provider_event import ProviderEvent, ProviderEventKind

Kind = ProviderEventKind

_KINDS = {
    "delivered": Kind.DELIVERED,
    "complained": Kind.COMPLAINT,
    "unsubscribed": Kind.UNSUBSCRIBE,
    "rejected": Kind.SOFT_BOUNCE,
    "bounced": Kind.HARD_BOUNCE,
    "dropped": Kind.SOFT_BOUNCE,
}
"""By `event`, but for `failed`; the last two are of forms."""

_REASONS = {
    "bounce": Kind.HARD_BOUNCE,
    "hardfail": Kind.HARD_BOUNCE,
    "suppress-bounce": Kind.HARD_BOUNCE,
    "suppress-unsubscribe": Kind.UNSUBSCRIBE,
    "suppress-complaint": Kind.COMPLAINT,
}
"""By `reason` of a permanent failure; others (generic, espblock, old …) do not speak of the address."""


def read(payload: Payload) -> list[ProviderEvent]:
    """The event of a call. Raises ValueError."""
    if isinstance(payload, QueryDict):
        try:
            return [_read_form(payload)]
        except UNREADABLE as error:
            raise ValueError(f"This form is not as Mailgun documents it ({type(error).__name__}).") from None
    return read_only(payload, _read_json, "Mailgun")


def _parser() -> MailgunTrackingWebhookView:
    """Made for its methods alone; calls were checked when they came."""
    return MailgunTrackingWebhookView(webhook_signing_key="unused")


def _read_json(payload: Mapping[str, Any]) -> ProviderEvent:
    data = member(payload, "event-data")
    parsed = _parser().esp_to_anymail_event(dict(payload))
    delivery = member(data, "delivery-status")
    text = clean(parsed.mta_response) or clean(parsed.description)
    status = status_in(text_of(delivery, "enhanced-code")) or status_in(text)
    return ProviderEvent(
        kind=_kind(data, text, status),
        recipient=clean(parsed.recipient, 320),
        message_ids=ids_of(parsed.message_id),
        # Not the token that anymail takes: the id stays when the call is made again with another signature.
        event_id=text_of(data, "id", longest=100),
        occurred_at=aware(parsed.timestamp),
        status=status,
        text=text,
    )


def _kind(data: Mapping[str, Any], text: str, status: str) -> ProviderEventKind:
    event = text_of(data, "event")
    if event != "failed":
        return _KINDS.get(event, Kind.OTHER)
    if text_of(data, "severity") != "permanent":
        return Kind.DELAY
    kind = _REASONS.get(text_of(data, "reason"), Kind.SOFT_BOUNCE)
    if text_of(member(data, "delivery-status"), "bounce-type") == "soft" and kind is Kind.HARD_BOUNCE:
        return Kind.SOFT_BOUNCE
    suppressed = text_of(data, "reason").startswith("suppress-")
    return hard_unless_otherwise(text, status) if kind is Kind.HARD_BOUNCE and not suppressed else kind


def _read_form(form: QueryDict) -> ProviderEvent:
    parsed = _parser().mailgun_legacy_to_anymail_event(form)
    text = clean(parsed.mta_response) or clean(parsed.description)
    event, fields = form.get("event", ""), form.dict()
    status = status_in(text_of(fields, "code")) or status_in(text)
    kind = _KINDS.get(str(event), Kind.OTHER)
    if event == "dropped":
        kind = _REASONS.get(text_of(fields, "reason"), Kind.SOFT_BOUNCE)
    if kind is Kind.HARD_BOUNCE:
        kind = hard_unless_otherwise(f"{text_of(fields, 'code')} {text}", status)
    return ProviderEvent(
        kind=kind,
        recipient=clean(parsed.recipient, 320),
        message_ids=ids_of(parsed.message_id),
        event_id=clean(parsed.event_id, 100),
        occurred_at=aware(parsed.timestamp),
        status=status,
        text=text,
    )
