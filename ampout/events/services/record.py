"""The one door through which facts are told."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import DateTimeField
from django.db.models.expressions import RawSQL

from ampout.events.kinds import EventKind
from ampout.events.models import Event


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact to be told: `name` is unique in the account, such as `enrollment.sent:<enrollment>:<position>`."""

    account_id: uuid.UUID
    kind: EventKind
    name: str
    data: dict[str, Any]


_UNLESS_WANTED = """
CASE WHEN EXISTS (
    SELECT FROM events_webhookendpoint
    WHERE account_id = %s AND disabled_at IS NULL AND deleted_at IS NULL
) THEN NULL ELSE %s END
"""


def record_events(facts: Iterable[Fact], *, now: datetime) -> None:
    """Write the events of these facts; call it inside the facts' own transaction. A fact told before is skipped.

    An event of an account without webhooks is born fanned out, and costs nothing more.
    """
    Event.everywhere.bulk_create(
        [
            Event(
                account_id=fact.account_id,
                type=fact.kind.value,
                fact=fact.name,
                data=fact.data,
                created_at=now,
                fanned_out_at=RawSQL(_UNLESS_WANTED, [fact.account_id, now], DateTimeField()),  # noqa: S611  # fixed SQL
            )
            for fact in facts
        ],
        ignore_conflicts=True,
        batch_size=1_000,
    )
