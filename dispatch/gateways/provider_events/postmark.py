"""Postmark's webhooks, one event a call, read by django-anymail's parser.

Sources: postmarkapp.com/developer/webhooks/{bounce,delivery,spam-complaint,subscription-change}-webhook, and
postmarkapp.com/developer/api/bounce-api#bounce-types for the types.

Postmark names the message by an id of its own, which no SMTP reply tells. Ours comes back in the metadata that the
preset's header adds (X-PM-Metadata-…: postmarkapp.com/developer/user-guide/send-email-with-smtp), in two fields as one
may have 80 characters only.
"""

from collections.abc import Mapping
from typing import Any

from anymail.webhooks.postmark import PostmarkTrackingWebhookView

from dispatch.gateways.provider_events.facts import (
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

_BOUNCES = {
    "HardBounce": Kind.HARD_BOUNCE,
    "BadEmailAddress": Kind.HARD_BOUNCE,
    "Transient": Kind.DELAY,
    "DnsError": Kind.DELAY,
    "SoftBounce": Kind.SOFT_BOUNCE,
    "Blocked": Kind.SOFT_BOUNCE,
    "DMARCPolicy": Kind.SOFT_BOUNCE,
    "ManuallyDeactivated": Kind.SOFT_BOUNCE,
    "SMTPApiError": Kind.SOFT_BOUNCE,
    "SpamNotification": Kind.SOFT_BOUNCE,
    "TemplateRenderingFailed": Kind.SOFT_BOUNCE,
    "Unconfirmed": Kind.SOFT_BOUNCE,
    "Unknown": Kind.SOFT_BOUNCE,
    "VirusNotification": Kind.SOFT_BOUNCE,
    "SpamComplaint": Kind.COMPLAINT,
    "Unsubscribe": Kind.UNSUBSCRIBE,
}
"""By `Type`; answers of machines, challenges and tests of relays are no bounces."""

_SUPPRESSIONS = {"HardBounce": Kind.HARD_BOUNCE, "SpamComplaint": Kind.COMPLAINT}
"""By `SuppressionReason`; the third, ManualSuppression, is an unsubscription where the recipient did it."""


def read(payload: Payload) -> list[ProviderEvent]:
    """The event of a call. Raises ValueError."""
    return read_only(payload, _read_one, "Postmark")


def _read_one(payload: Mapping[str, Any]) -> ProviderEvent:
    # The view is made for its method alone; with a secret it does not warn that calls would not be checked.
    parsed = PostmarkTrackingWebhookView(webhook_secret="unused").esp_to_anymail_event(dict(payload))  # noqa: S106
    text = clean(parsed.mta_response) or clean(parsed.description)
    kind = _kind(payload)
    return ProviderEvent(
        kind=hard_unless_otherwise(text) if kind is Kind.HARD_BOUNCE else kind,
        recipient=clean(parsed.recipient, 320),
        message_ids=ids_of(_our_id(member(payload, "Metadata")), payload.get("MessageID")),
        event_id=clean(parsed.event_id, 100),
        occurred_at=aware(parsed.timestamp),
        status=status_in(text),
        text=text,
    )


def _kind(payload: Mapping[str, Any]) -> ProviderEventKind:
    record = text_of(payload, "RecordType")
    if record == "Bounce":
        return _BOUNCES.get(text_of(payload, "Type"), Kind.OTHER)
    if record == "SubscriptionChange":
        return _kind_of_change(payload)
    return {"Delivery": Kind.DELIVERED, "SpamComplaint": Kind.COMPLAINT}.get(record, Kind.OTHER)


def _kind_of_change(payload: Mapping[str, Any]) -> ProviderEventKind:
    reason = text_of(payload, "SuppressionReason")
    if payload.get("SuppressSending") is not True:
        return Kind.OTHER
    if reason == "ManualSuppression":
        return Kind.UNSUBSCRIBE if text_of(payload, "Origin") == "Recipient" else Kind.OTHER
    return _SUPPRESSIONS.get(reason, Kind.OTHER)


def _our_id(metadata: Mapping[str, Any]) -> str:
    left, right = text_of(metadata, "ampout-id"), text_of(metadata, "ampout-domain")
    return f"<{left}@{right}>" if left and right else ""
