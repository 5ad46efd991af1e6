"""The body of a webhook: the same bytes on every try, whatever process makes them."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class EventFacts:
    """An event as it is told; `sequence` grows with each event of an enrollment."""

    id: uuid.UUID
    type: str
    created_at: datetime
    account_id: uuid.UUID
    data: Mapping[str, Any]
    sequence: int


def body_of(event: EventFacts) -> bytes:
    """The contract's envelope as JSON in UTF-8."""
    return json.dumps(envelope_of(event), ensure_ascii=False, separators=(",", ":")).encode()


def envelope_of(event: EventFacts) -> dict[str, Any]:
    """The contract's envelope. Keys stand in one order: the database keeps none in `data`."""
    data = json.loads(json.dumps(event.data, sort_keys=True))
    created_at = event.created_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return {
        "id": str(event.id),
        "type": event.type,
        "created_at": created_at,
        "account_id": str(event.account_id),
        "data": data,
        "sequence": event.sequence,
    }
