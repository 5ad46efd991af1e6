"""SendGrid's event webhook: a list of events a call.

Source: twilio.com/docs/sendgrid/for-developers/tracking-events/event. `smtp-id` is the Message-ID of the message as it
came in, which is ours; late bounces may lack it.
"""

from collections.abc import Mapping
from typing import Any

from dispatch.gateways.provider_events.facts import (
    address_of,
    at_seconds,
    hard_unless_otherwise,
    ids_of,
    read_each,
    status_in,
    text_of,
)
from dispatch.gateways.provider_events.payload import Payload
from dispatch.rules.provider_event import ProviderEvent, ProviderEventKind

Kind = ProviderEventKind

_KINDS = {
    "deferred": Kind.DELAY,
    "delivered": Kind.DELIVERED,
    "spamreport": Kind.COMPLAINT,
    "unsubscribe": Kind.UNSUBSCRIBE,
    "group_unsubscribe": Kind.UNSUBSCRIBE,
}
"""By `event`, but for bounces and drops."""

_DROPS = {
    "bounced address": Kind.HARD_BOUNCE,
    "invalid": Kind.HARD_BOUNCE,
    "unsubscribed address": Kind.UNSUBSCRIBE,
    "spam reporting address": Kind.COMPLAINT,
}
"""By `reason` of a message that SendGrid did not try: what it knows from before."""


def read(payload: Payload) -> list[ProviderEvent]:
    """The events of a call. Raises ValueError."""
    if not isinstance(payload, list):
        raise ValueError("A call of SendGrid is a list of events.")  # noqa: TRY004  # the interface's
    return read_each(payload, _read_one)


def _read_one(payload: Mapping[str, Any]) -> ProviderEvent:
    text = text_of(payload, "reason", "response")
    status = status_in(text_of(payload, "status")) or status_in(text)
    return ProviderEvent(
        kind=_kind(payload, text, status),
        recipient=address_of(payload, "email"),
        message_ids=ids_of(payload.get("smtp-id"), payload.get("sg_message_id")),
        event_id=text_of(payload, "sg_event_id", longest=100),
        occurred_at=at_seconds(payload.get("timestamp")),
        status=status,
        text=text,
    )


def _kind(payload: Mapping[str, Any], text: str, status: str) -> ProviderEventKind:
    event = text_of(payload, "event")
    if event == "dropped":
        return _DROPS.get(text.lower(), Kind.SOFT_BOUNCE)
    if event != "bounce":
        return _KINDS.get(event, Kind.OTHER)
    blocked = text_of(payload, "type") == "blocked"
    return Kind.SOFT_BOUNCE if blocked else hard_unless_otherwise(text, status)
