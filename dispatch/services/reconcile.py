"""Healing: what a dead loop held goes back to `planned`, or to `unknown` once its `wire` was committed.

A loop whose lease ran out is ended first: from that commit on its claims, wires and settlements move nothing, as each
of them is conditional on its id. What it died of may be among what it held: services/poison finds out.
"""

import logging
import uuid

from django.db import transaction
from django.db.models.functions import Now

from ampout.lib import clock
from dispatch.models import Attempt, DeliveryWorker, Lane, Message
from dispatch.rules.message_state import MessageState
from dispatch.services import advance, hand_back, health, poison, stops

logger = logging.getLogger(__name__)

REASON_LEASE_RAN_OUT = "lease_ran_out"
BATCH = 500


def reconcile() -> dict[str, int]:
    """End the loops whose lease ran out and heal what they held; returns how many messages went where."""
    healed = {"planned": 0, "unknown": 0}
    DeliveryWorker.objects.filter(ended_at__isnull=True, lease_until__lt=Now()).update(ended_at=Now())
    for worker_id in _ended_workers_that_hold_something():
        while _heal_batch(worker_id, healed):
            pass
        Lane.objects.filter(worker_id=worker_id).update(worker_id=None)
    if any(healed.values()):
        logger.warning("Healed the claims of dead deliver loops: %s", healed, extra={"action": "reconcile", **healed})
    health.judge_due()
    return healed


def _ended_workers_that_hold_something() -> list[uuid.UUID]:
    holding = Message.everywhere.filter(
        state__in=[MessageState.CLAIMED.value, MessageState.WIRE.value], worker_id__isnull=False
    ).values("worker_id")
    lanes = Lane.objects.filter(worker_id__isnull=False).values("worker_id")
    live = DeliveryWorker.objects.filter(ended_at__isnull=True).values_list("pk", flat=True)
    held = {row["worker_id"] for row in holding.union(lanes)}
    return sorted(held - set(live))


def _heal_batch(worker_id: uuid.UUID, healed: dict[str, int]) -> int:
    held = Message.everywhere.filter(
        worker_id=worker_id, state__in=[MessageState.CLAIMED.value, MessageState.WIRE.value]
    ).order_by("pk")
    ids = list(held.values_list("pk", flat=True)[:BATCH])
    with transaction.atomic():
        _lock_enrollments(ids)
        poison.suspect(worker_id, ids)
        planned, unknown = heal(worker_id, ids)
    healed["planned"] += planned
    healed["unknown"] += unknown
    return len(ids)


@transaction.atomic
def heal(worker_id: uuid.UUID, ids: list[uuid.UUID]) -> tuple[int, int]:
    """Heal these messages where `worker_id` still holds them; returns how many became planned, and unknown."""
    _lock_enrollments(ids)
    return _back_to_planned(worker_id, ids), _to_unknown(worker_id, ids)


def _lock_enrollments(ids: list[uuid.UUID]) -> None:
    enrollments = Message.everywhere.filter(pk__in=ids, enrollment__isnull=False).values_list(
        "enrollment_id", flat=True
    )
    stops.lock_enrollments(list(enrollments))


def _back_to_planned(worker_id: uuid.UUID, ids: list[uuid.UUID]) -> int:
    """Nothing of the body has left, so it is safe to try again; whether a connection was made nobody knows."""
    now = clock.utc_now()
    claimed = Message.everywhere.filter(pk__in=ids, worker_id=worker_id, state=MessageState.CLAIMED.value)
    claimed.filter(first_attempt_at__isnull=True).update(first_attempt_at=now)
    return hand_back.release(worker_id, ids, reason=REASON_LEASE_RAN_OUT)


def _to_unknown(worker_id: uuid.UUID, ids: list[uuid.UUID]) -> int:
    now = clock.utc_now()
    # Locked: its loop may settle it right now after all, and single messages have no enrollment that keeps us apart.
    silent = list(
        Message.everywhere.select_for_update(of=("self",))
        .select_related("enrollment__contact")
        .filter(pk__in=ids, worker_id=worker_id, state=MessageState.WIRE.value)
        .order_by("pk")
    )
    Message.everywhere.filter(pk__in=[message.pk for message in silent]).update(
        state=MessageState.UNKNOWN.value, reason=REASON_LEASE_RAN_OUT, worker_id=None, settled_at=now
    )
    Attempt.everywhere.bulk_create(
        Attempt(
            account_id=message.account_id,
            message=message,
            credential_id=message.credential_id,
            worker_id=worker_id,
            fence=message.fence,
            started_at=message.wire_at,
            ended_at=now,
            state=MessageState.UNKNOWN.value,
            reason=REASON_LEASE_RAN_OUT,
        )
        for message in silent
    )
    for message in silent:
        message.state, message.settled_at = MessageState.UNKNOWN.value, now
    advance.advance([message for message in silent if message.enrollment is not None])
    return len(silent)
