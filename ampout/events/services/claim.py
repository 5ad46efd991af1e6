"""Who serves which endpoint, and what is due to it.

Endpoints are claimed, not deliveries: so no endpoint ever gets more calls at a time than one loop gives it, and one
with a million deliveries costs the others nothing.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from ampout.accounts import installation
from ampout.events.models import WebhookDelivery, WebhookEndpoint
from ampout.events.rules.delivery_state import DeliveryState
from ampout.events.rules.envelope import EventFacts, body_of
from ampout.events.rules.retry import FAILURES_TO_OPEN, calls_side_by_side
from ampout.lib import database_clock, sql

HELD_AFTER_OUR_ERROR = timedelta(seconds=60)

_CLAIM = f"""
UPDATE events_webhookendpoint SET loop_id = %(loop)s
WHERE id IN (
    SELECT endpoint.id
    FROM events_webhookendpoint endpoint
    WHERE endpoint.disabled_at IS NULL
      AND endpoint.deleted_at IS NULL
      AND (endpoint.hold_until IS NULL OR endpoint.hold_until <= %(now)s)
      AND (endpoint.consecutive_failures >= %(open)s) = %(failing)s
      AND NOT EXISTS (
          SELECT FROM events_webhookloop loop WHERE loop.id = endpoint.loop_id AND loop.lease_until > now()
      )
      AND EXISTS (
          SELECT FROM events_webhookdelivery delivery
          WHERE delivery.endpoint_id = endpoint.id AND delivery.state = 'pending' AND delivery.due_at <= %(now)s
      )
    ORDER BY endpoint.served_at NULLS FIRST
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
) AND {installation.IS_OWN} AND {database_clock.AGREES}
RETURNING id
"""  # noqa: S608  # constants only


@dataclass(frozen=True, slots=True)
class WebhookCall:
    """One call to be made: try number `number` of a delivery. Secrets are those to sign with, newest first."""

    delivery_id: uuid.UUID
    endpoint_id: uuid.UUID
    number: int
    event_id: str
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Turn:
    """What is due to an endpoint now, and how many calls it gets at a time."""

    calls: list[WebhookCall]
    width: int


def claim_endpoints(loop_id: uuid.UUID, *, now: datetime, limit: int, failing: bool) -> list[uuid.UUID]:
    """Take endpoints that have something due and no live loop, those served longest ago first.

    None in a restored copy, nor by a wrong clock. `failing` asks for those that keep failing, which are only probed;
    otherwise for the others.
    """
    if limit <= 0:
        return []
    facts = {
        "loop": loop_id,
        "now": now,
        "limit": limit,
        "failing": failing,
        "open": FAILURES_TO_OPEN,
    }
    with transaction.atomic():
        return [row[0] for row in sql.fetch(_CLAIM, facts | installation.facts() | database_clock.facts())]


def release_endpoints(loop_id: uuid.UUID, endpoint_ids: Sequence[uuid.UUID], *, now: datetime) -> None:
    """Let other loops, or a later turn, serve them."""
    held = WebhookEndpoint.everywhere.filter(pk__in=endpoint_ids, loop_id=loop_id)
    held.update(loop_id=None, served_at=now)


def hold_endpoint(endpoint_id: uuid.UUID, *, now: datetime) -> None:
    """Leave an endpoint alone for a while that could not be served, so that others are not kept from theirs."""
    WebhookEndpoint.everywhere.filter(pk=endpoint_id).update(hold_until=now + HELD_AFTER_OUR_ERROR)


def next_turn(loop_id: uuid.UUID, endpoint_id: uuid.UUID, *, now: datetime, limit: int) -> Turn:
    """The next calls to an endpoint, oldest first; none when it was disabled, deleted, held back or taken over, in a
    restored copy, and by a wrong clock.

    Raises crypto.DecryptionFailed when its secret or URL cannot be read.
    """
    found = WebhookEndpoint.everywhere.filter(
        pk=endpoint_id, loop_id=loop_id, disabled_at__isnull=True, deleted_at__isnull=True
    )
    endpoint = database_clock.agreeing(found).first()
    if endpoint is None or (endpoint.hold_until is not None and endpoint.hold_until > now):
        return Turn([], 0)
    if installation.sending_is_off():
        return Turn([], 0)
    width = calls_side_by_side(endpoint.consecutive_failures)
    due = WebhookDelivery.everywhere.filter(endpoint_id=endpoint_id, state=DeliveryState.PENDING.value, due_at__lte=now)
    due = due.select_related("event").order_by("due_at", "event_id")[: limit if width > 1 else 1]
    url, secrets = endpoint.url, secrets_of(endpoint, now)
    return Turn([_call_of(delivery, url, secrets) for delivery in due], width)


def secrets_of(endpoint: WebhookEndpoint, now: datetime) -> tuple[str, ...]:
    """The secrets that verify the endpoint's calls at present: two during a rotation."""
    until = endpoint.previous_secret_until
    rotating = bool(endpoint.previous_secret) and until is not None and until > now
    return (endpoint.secret, endpoint.previous_secret) if rotating else (endpoint.secret,)


def _call_of(delivery: Any, url: str, secrets: tuple[str, ...]) -> WebhookCall:
    event = delivery.event
    facts = EventFacts(event.id, event.type, event.created_at, event.account_id, event.data, event.sequence)
    return WebhookCall(
        delivery_id=delivery.pk,
        endpoint_id=delivery.endpoint_id,
        number=delivery.attempt + 1,
        event_id=str(event.id),
        url=url,
        secrets=secrets,
        body=body_of(facts),
    )
