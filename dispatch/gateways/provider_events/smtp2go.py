"""SMTP2GO's webhooks, one event a call, as JSON or as a form.

Sources: developers.smtp2go.com/docs/webhooks-overview (parameters, events), …/reference/add-webhook ("Subject and
Message-id headers are sent by default"). The spelling of names is not steady in what it sends: `Message-Id` and
`message-id`, `spam` and `spam_complaint`.
"""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from dispatch.gateways.provider_events.facts import (
    address_of,
    at_text,
    clean,
    hard_unless_otherwise,
    ids_of,
    read_only,
    status_in,
    text_of,
)
from dispatch.gateways.provider_events.payload import Payload
from dispatch.rules.provider_event import ProviderEvent, ProviderEventKind

Kind = ProviderEventKind

_KINDS = {
    "delivered": Kind.DELIVERED,
    "reject": Kind.SOFT_BOUNCE,
    "rejected": Kind.SOFT_BOUNCE,
    "spam": Kind.COMPLAINT,
    "spam_complaint": Kind.COMPLAINT,
    "unsubscribe": Kind.UNSUBSCRIBE,
    "unsubscribed": Kind.UNSUBSCRIBE,
}
"""By `event`, but for `bounce`. A reject was not tried: the address is on SMTP2GO's own list."""


def read(payload: Payload) -> list[ProviderEvent]:
    """The event of a call. Raises ValueError."""
    return read_only(payload.dict() if isinstance(payload, QueryDict) else payload, _read_one, "SMTP2GO")


def _read_one(payload: Mapping[str, Any]) -> ProviderEvent:
    fields = {name.lower(): value for name, value in payload.items()}
    text = text_of(fields, "message", "context")
    return ProviderEvent(
        kind=_kind(fields, text),
        recipient=address_of(fields, "rcpt") or _only_recipient(fields.get("recipients")),
        message_ids=ids_of(fields.get("message-id"), fields.get("email_id")),
        event_id=text_of(fields, "id", longest=100),
        occurred_at=at_text(fields.get("time")),
        status=status_in(text),
        text=text,
    )


def _kind(fields: Mapping[str, Any], text: str) -> ProviderEventKind:
    event = text_of(fields, "event").lower()
    if event != "bounce":
        return _KINDS.get(event, Kind.OTHER)
    hard = text_of(fields, "bounce").lower() == "hard"
    return hard_unless_otherwise(text) if hard else Kind.SOFT_BOUNCE


def _only_recipient(recipients: object) -> str:
    """`processed` names all recipients at once; a message of ours has one."""
    return clean(recipients[0], 320) if isinstance(recipients, list) and len(recipients) == 1 else ""
