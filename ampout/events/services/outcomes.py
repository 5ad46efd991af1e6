"""What calls came to: attempts are kept, deliveries move on, endpoints are judged.

All outcomes of a batch share one transaction: endpoints are locked first, ids in order, then their deliveries. Each
function bears being run twice, as the database thread may ask again: an attempt has one row, and moves its delivery
only from the number before.
"""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

from django.db import transaction

from ampout.events.gateways.webhook_call import CallResult
from ampout.events.kinds import EventKind
from ampout.events.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from ampout.events.rules.delivery_state import DeliveryState, DisabledReason
from ampout.events.rules.retry import Decision, EndpointHealth, Verdict, decide_delivery, judge_endpoint
from ampout.events.services.record import Fact, record_events

logger = logging.getLogger(__name__)

STATE_AFTER = {
    Verdict.DELIVERED: DeliveryState.DELIVERED,
    Verdict.RETRY: DeliveryState.PENDING,
    Verdict.EXHAUSTED: DeliveryState.GIVEN_UP,
    Verdict.GONE: DeliveryState.GIVEN_UP,
}
DELIVERY_FIELDS = ("state", "attempt", "tries", "due_at", "status_code", "error", "delivered_at", "finished_at")
ENDPOINT_FIELDS = (
    *("consecutive_failures", "failing_since", "last_failure_at", "hold_until", "disabled_at", "disabled_reason"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call that has ended: try number `number` of a delivery."""

    delivery_id: uuid.UUID
    endpoint_id: uuid.UUID
    number: int
    started_at: datetime
    ended_at: datetime
    result: CallResult


@transaction.atomic
def record_outcomes(outcomes: Sequence[Outcome], *, rng: Random) -> list[bool]:
    """Keep what these calls came to; for each, whether its endpoint may be called on without a pause."""
    endpoints = _locked(WebhookEndpoint, {outcome.endpoint_id for outcome in outcomes})
    deliveries = _locked(WebhookDelivery, {outcome.delivery_id for outcome in outcomes})
    counted = [
        outcome
        for outcome in outcomes
        if outcome.delivery_id in deliveries and deliveries[outcome.delivery_id].attempt == outcome.number - 1
    ]
    _keep_attempts(counted, deliveries)
    for outcome in counted:
        _apply(outcome, deliveries[outcome.delivery_id], endpoints[outcome.endpoint_id], rng)
    WebhookDelivery.everywhere.bulk_update(deliveries.values(), DELIVERY_FIELDS)
    WebhookEndpoint.everywhere.bulk_update(endpoints.values(), ENDPOINT_FIELDS)
    return [_may_go_on(endpoints.get(outcome.endpoint_id), outcome.ended_at) for outcome in outcomes]


def _locked(model: Any, ids: set[uuid.UUID]) -> dict[uuid.UUID, Any]:
    rows = model.everywhere.select_for_update(no_key=True, of=("self",)).filter(pk__in=ids).order_by("pk")
    return {row.pk: row for row in rows}


def _keep_attempts(outcomes: Sequence[Outcome], deliveries: dict[uuid.UUID, WebhookDelivery]) -> None:
    erased = _about_the_erased([outcome.delivery_id for outcome in outcomes if outcome.result.excerpt])
    WebhookAttempt.everywhere.bulk_create(
        [
            WebhookAttempt(
                account_id=deliveries[outcome.delivery_id].account_id,
                delivery_id=outcome.delivery_id,
                number=outcome.number,
                started_at=outcome.started_at,
                ended_at=outcome.ended_at,
                status_code=outcome.result.answer.status,
                error=outcome.result.error,
                response_excerpt="" if outcome.delivery_id in erased else outcome.result.excerpt,
            )
            for outcome in outcomes
        ]
    )


def _about_the_erased(delivery_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """Those of these deliveries, which are locked, whose person was erased while the call was under way."""
    if not delivery_ids:
        return set()
    about = WebhookDelivery.everywhere.filter(pk__in=delivery_ids, event__data__has_key="contact_email")
    return set(about.filter(event__data__contact_email=None).values_list("pk", flat=True))


def _apply(outcome: Outcome, delivery: WebhookDelivery, endpoint: WebhookEndpoint, rng: Random) -> None:
    now = outcome.ended_at
    decision = decide_delivery(outcome.result.answer, delivery.tries + 1, now, rng)
    delivery.attempt, delivery.tries = outcome.number, delivery.tries + 1
    delivery.status_code, delivery.error = outcome.result.answer.status, outcome.result.error
    delivery.state = STATE_AFTER[decision.verdict].value
    delivery.due_at = decision.due_at or delivery.due_at
    if decision.verdict is not Verdict.RETRY:
        delivery.finished_at = now
    if decision.verdict is Verdict.DELIVERED:
        delivery.delivered_at = now
    _judge(endpoint, decision, now)


def _judge(endpoint: WebhookEndpoint, decision: Decision, now: datetime) -> None:
    before = EndpointHealth(
        endpoint.consecutive_failures, endpoint.failing_since, endpoint.last_failure_at, endpoint.hold_until
    )
    judged = judge_endpoint(before, decision, now)
    endpoint.consecutive_failures = judged.health.failures
    endpoint.failing_since = judged.health.failing_since
    endpoint.last_failure_at = judged.health.last_failure_at
    endpoint.hold_until = judged.health.hold_until
    if judged.disable is not None and endpoint.disabled_at is None:
        disable_locked(endpoint, judged.disable, now)


def disable_locked(endpoint: WebhookEndpoint, reason: DisabledReason, now: datetime) -> None:
    """Set an endpoint aside, whose row the caller has locked and saves; tells of it as an event and in the log."""
    endpoint.disabled_at, endpoint.disabled_reason = now, reason.value
    data = {
        "webhook_id": str(endpoint.pk),
        "host": endpoint.host,
        "reason": reason.value,
        "consecutive_failures": endpoint.consecutive_failures,
        "disabled_at": now.isoformat().replace("+00:00", "Z"),
    }
    name = f"webhook.disabled:{endpoint.pk}:{now.isoformat()}"
    record_events([Fact(endpoint.account_id, EventKind.WEBHOOK_DISABLED, name, data)], now=now)
    logger.warning(
        "The webhook to %s was disabled: %s.",
        endpoint.host,
        reason.value,
        extra={"action": "disable_webhook", "webhook_id": str(endpoint.pk), "reason": reason.value},
    )


def _may_go_on(endpoint: WebhookEndpoint | None, now: datetime) -> bool:
    if endpoint is None or endpoint.disabled_at is not None or endpoint.deleted_at is not None:
        return False
    return endpoint.hold_until is None or endpoint.hold_until <= now
