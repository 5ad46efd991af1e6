"""The one door through which facts are told."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ampout.events.kinds import EventKind
from ampout.events.models import Event


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact to be told: `name` is unique in the account, such as `enrollment.sent:<enrollment>:<position>`."""

    account_id: uuid.UUID
    kind: EventKind
    name: str
    data: dict[str, Any]


def record_events(facts: Iterable[Fact], *, now: datetime) -> None:
    """Write the events of these facts; call it inside the facts' own transaction. A fact told before is skipped."""
    Event.everywhere.bulk_create(
        [
            Event(account_id=fact.account_id, type=fact.kind.value, fact=fact.name, data=fact.data, created_at=now)
            for fact in facts
        ],
        ignore_conflicts=True,
        batch_size=1_000,
    )
