"""Editing a sequence: it touches only what was not started (design: Editing steps).

1. The campaign's row is locked: nothing of it goes on the wire, and no other edit runs, until the end.
2. A position from which any message has gone past `planned` is refused to be deleted or moved, and so is what stands
   before it, as no position is left empty.
3. The rows of the steps change.
4. The enrollments that wait for a changed position are locked, ids in order; their messages that were only planned are
   taken back, and their next time is drawn anew from the previous step's send. Where no step is left, they finish.

Messages of step 1 stay planned: they have no previous step, and their content is composed when they leave.
"""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

from ampout.accounts.models import Account
from ampout.lib import clock
from ampout.lib.errors import NotFound, Unprocessable, ValidationFailed
from campaigns.models import Campaign, SequenceStep
from campaigns.rules.enrollment_state import WaitReason
from campaigns.selectors.campaigns import lock_campaign
from campaigns.services.steps import NEEDS_SUBJECT, StepValues, build_step, change_content
from dispatch.models import Message
from dispatch.rules.message_state import MessageState

MOST_STEPS = 100

_WAITING = """
enrollment.campaign_id = %(campaign)s AND enrollment.next_position = %(position)s
AND enrollment.stopped_at IS NULL AND enrollment.finished_at IS NULL
"""
_NOTHING_UNDER_WAY = """
NOT EXISTS (SELECT 1 FROM dispatch_message message
            WHERE message.enrollment_id = enrollment.id AND message.step_position = %(position)s)
"""
_LOCK_WAITING = f"""
SELECT count(*) FROM (
    SELECT enrollment.id FROM campaigns_enrollment enrollment WHERE {_WAITING} ORDER BY enrollment.id FOR NO KEY UPDATE
) AS locked
"""  # noqa: S608  # only the texts above go in
# A plan is no proof of anything yet, so a message that was only planned leaves no trace.
_TAKE_BACK = f"""
DELETE FROM dispatch_message planned USING campaigns_enrollment enrollment
WHERE {_WAITING} AND planned.enrollment_id = enrollment.id AND planned.step_position = %(position)s
  AND planned.state = 'planned' AND planned.first_attempt_at IS NULL
"""  # noqa: S608  # only the texts above go in
_DUE_AGAIN = f"""
UPDATE campaigns_enrollment enrollment
SET next_due_at = GREATEST(
        COALESCE(previous.wire_at, %(now)s) + CASE
            WHEN previous.state = 'unknown'
            THEN GREATEST(%(delay)s * interval '1 minute', %(grace)s * interval '1 second')
            ELSE %(delay)s * interval '1 minute' END,
        CASE WHEN same.wait_reason = %(away)s THEN same.next_due_at END
    ),
    wait_reason = CASE WHEN same.wait_reason = %(away)s THEN %(away)s
                       WHEN previous.state = 'unknown' THEN %(unknown)s ELSE %(waits)s END
FROM campaigns_enrollment same
LEFT JOIN dispatch_message previous ON previous.enrollment_id = same.id AND previous.step_position = %(position)s - 1
WHERE same.id = enrollment.id AND {_WAITING} AND {_NOTHING_UNDER_WAY}
"""  # noqa: S608  # only the texts above go in
_FINISH = f"""
UPDATE campaigns_enrollment enrollment
SET finished_at = %(now)s, steps_due = %(steps)s, next_due_at = NULL, wait_reason = ''
WHERE {_WAITING} AND {_NOTHING_UNDER_WAY}
  AND NOT (enrollment.wait_reason = %(unknown)s AND enrollment.next_due_at > %(now)s)
"""  # noqa: S608  # only the texts above go in


@transaction.atomic
def add_step(
    account: Account, campaign_id: uuid.UUID, values: StepValues, *, now: datetime | None = None
) -> SequenceStep:
    """A new step, at the end or at the position given; at the end it reaches every enrollment that is not finished.

    Raises NotFound, ValidationFailed, and Unprocessable when it would move a step that has started.
    """
    now = now or clock.utc_now()
    campaign = lock_campaign(account, campaign_id)
    count = _count(campaign)
    if count >= MOST_STEPS:
        raise Unprocessable(f"A sequence has at most {MOST_STEPS} steps.")
    position = values.get("position", count + 1)
    _check_position(position, count + 1)
    step = build_step(campaign, count + 1, values, now=now)
    step.save(force_insert=True)
    if position <= count:
        _move(campaign, step, position)
    _reconsider(campaign, {position}, now)
    return step


@transaction.atomic
def edit_step(
    account: Account, campaign_id: uuid.UUID, step_id: uuid.UUID, values: StepValues, *, now: datetime | None = None
) -> SequenceStep:
    """Change a step's content, delay or place. Content holds for whatever was not composed yet.

    Raises NotFound, ValidationFailed, and Unprocessable when a step that has started would move.
    """
    now = now or clock.utc_now()
    campaign = lock_campaign(account, campaign_id)
    step = _find_step(campaign, step_id)
    held = (step.position, step.delay_minutes)
    wanted = values.get("position", step.position)
    _check_position(wanted, _count(campaign))
    if wanted != step.position:
        _move(campaign, step, wanted)
    change_content(step, values, now=now)
    _check_first(campaign)
    if (step.position, step.delay_minutes) != held:
        _reconsider(campaign, {min(held[0], step.position), step.position}, now)
    return step


def move_step(
    account: Account, campaign_id: uuid.UUID, step_id: uuid.UUID, position: int, *, now: datetime | None = None
) -> SequenceStep:
    """Put a step elsewhere; those between move by one. Raises as `edit_step`."""
    return edit_step(account, campaign_id, step_id, {"position": position}, now=now)


@transaction.atomic
def delete_step(account: Account, campaign_id: uuid.UUID, step_id: uuid.UUID, *, now: datetime | None = None) -> None:
    """Take a step out; those after it move up. Raises NotFound, and Unprocessable for one that has started."""
    now = now or clock.utc_now()
    campaign = lock_campaign(account, campaign_id)
    step = _find_step(campaign, step_id)
    if _count(campaign) == 1:
        raise Unprocessable("A campaign needs at least one step: edit this one, or add another first.")
    position = step.position
    _check_unstarted(campaign, position)
    step.delete()
    _renumber(SequenceStep.objects.filter(campaign=campaign).order_by("position"))
    _check_first(campaign)
    _reconsider(campaign, {position}, now)


def _find_step(campaign: Campaign, step_id: uuid.UUID) -> SequenceStep:
    step = SequenceStep.objects.filter(campaign=campaign, pk=step_id).first()
    if step is None:
        raise NotFound("sequence_step_not_found")
    return step


def _count(campaign: Campaign) -> int:
    return SequenceStep.objects.filter(campaign=campaign).count()


def _check_position(position: int, last: int) -> None:
    if not 1 <= position <= last:
        raise ValidationFailed({"position": [f"Must be between 1 and {last}."]})


def _check_first(campaign: Campaign) -> None:
    """The first step has a subject, whatever was moved there."""
    first = SequenceStep.objects.filter(campaign=campaign, position=1).get()
    if not first.subject.strip():
        raise Unprocessable(f"Another step would become the first, without a subject. {NEEDS_SUBJECT}")


def _check_unstarted(campaign: Campaign, position: int) -> None:
    """Lock the messages from `position` on, and refuse when one of them is past `planned`."""
    untouched = Q(state__in=[MessageState.PLANNED.value, MessageState.CANCELLED.value], first_attempt_at__isnull=True)
    found = Message.everywhere.filter(campaign=campaign, step_position__gte=position).exclude(enrollment=None)
    if found.exclude(untouched).exists():
        raise _started(position)
    # Claiming passes over locked rows, so what is planned now stays so until this is through.
    list(found.select_for_update().order_by("pk").values_list("pk", flat=True))
    if found.exclude(untouched).exists():
        raise _started(position)


def _started(position: int) -> Unprocessable:
    return Unprocessable(f"Messages of step {position} or of a later one have started: it stays where it is.")


def _move(campaign: Campaign, step: SequenceStep, position: int) -> None:
    _check_unstarted(campaign, min(step.position, position))
    others = list(SequenceStep.objects.filter(campaign=campaign).exclude(pk=step.pk).order_by("position"))
    _renumber([*others[: position - 1], step, *others[position - 1 :]])


def _renumber(steps: Collection[SequenceStep]) -> None:
    """Number the steps from 1 in this order; the constraint is checked at the transaction's end."""
    for position, step in enumerate(steps, start=1):
        if step.position != position:
            step.position = position
            step.save(update_fields=["position"])


def _reconsider(campaign: Campaign, positions: Collection[int], now: datetime) -> None:
    """Draw anew when the steps at these positions are due to those who wait for them."""
    delays = dict(SequenceStep.objects.filter(campaign=campaign).values_list("position", "delay_minutes"))
    for position in sorted(positions):
        if position > 1:
            _reconsider_one(campaign, position, delays, now)


def _reconsider_one(campaign: Campaign, position: int, delays: dict[int, int], now: datetime) -> None:
    facts: dict[str, Any] = {
        "campaign": campaign.pk,
        "position": position,
        "delay": delays.get(position, 0),
        "grace": settings.UNKNOWN_GRACE_SECONDS,
        "unknown": WaitReason.UNKNOWN_GRACE.value,
        "waits": WaitReason.DELAY.value,
        # Whoever is away is still away when the sequence changes.
        "away": WaitReason.OUT_OF_OFFICE.value,
        "now": now,
        "steps": len(delays),
    }
    with connection.cursor() as cursor:
        for statement in (_LOCK_WAITING, _TAKE_BACK, _DUE_AGAIN):
            cursor.execute(statement, facts)
        if position not in delays:
            cursor.execute(_FINISH, facts)
