"""The planner: gives slots to what is due, in one transaction a tick.

1. One planner at a time, by an advisory lock that ends with the transaction.
2. Selectors read facts, `rules/planning` decides; nothing is read twice and nothing is decided here.
3. Lanes are locked in order, so that a lowered limit or a moved unit comes before or after us, never between.
4. Enrollments that are still due are taken (locked, ids in order), their messages inserted, units reserved. When a unit
   is gone after all, the whole tick rolls back and the next one sees the truth.
5. Accounts with a monthly limit get what it has left, in the order of the plan; their reservations are locked first.
"""

import logging
import os
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from ampout.accounts import installation
from ampout.lib import clock, sql
from campaigns.models import Enrollment
from campaigns.rules.enrollment_state import StopReason, WaitReason
from dispatch import selectors
from dispatch.models import CapWarning, Message
from dispatch.rules import timing
from dispatch.rules.demand import demand_of
from dispatch.rules.message_id import make_message_id
from dispatch.rules.message_state import MessageState
from dispatch.rules.monthly_limit import keep_within
from dispatch.rules.planning import (
    Assignment,
    CampaignFacts,
    Candidate,
    LaneFacts,
    MxState,
    Plan,
    decide_plan,
)
from dispatch.rules.rotation import RotationReason
from dispatch.selectors import ActiveCampaign, DueStep
from dispatch.services import capacity, completion, lanes, monthly_limit, mx, stops

logger = logging.getLogger(__name__)

PLANNER_LOCK = 0x414D504F_55540001
MX_FAILED = "MX check failed at dispatch"

_MOVE_SLOTS = """
UPDATE dispatch_lane lane SET last_slot_at = moved.slot
FROM unnest(%(credentials)s::uuid[], %(slots)s::timestamptz[]) AS moved(credential_id, slot)
WHERE lane.credential_id = moved.credential_id
"""


class CapOverrun(RuntimeError):
    """A unit that the plan counted on was gone at its reservation: the tick rolls back."""


@dataclass(frozen=True, slots=True)
class TickResult:
    """What one tick did."""

    planned: int = 0
    cancelled: int = 0
    finished: int = 0


def plan(*, now: datetime | None = None) -> TickResult:
    """One tick: open released batches, give back units, plan what is due, complete what is through.

    Nothing in a restored copy. A database that is nobody's yet becomes this installation's.
    """
    now = now or clock.utc_now()
    installation.take_if_free(now)
    if installation.sending_is_off():
        return TickResult()
    lanes.add_missing_lanes()
    _take_in_what_is_free(now)
    completion.open_batches(now)
    finished = completion.finish_after_grace(now)
    result = _plan_due(now)
    completion.complete_campaigns(now)
    return TickResult(result.planned, result.cancelled, finished)


@transaction.atomic
def _take_in_what_is_free(now: datetime) -> None:
    """Slots and units that no message uses any more; never while another planner counts on what it has read."""
    if _is_only_planner():
        lanes.return_slots(now)
        capacity.return_units()


@transaction.atomic
def _plan_due(now: datetime) -> TickResult:
    if not _is_only_planner():
        return TickResult()
    sql.keep_plans_steady()
    campaigns = _campaigns_with_room(now)
    usable = _usable_lanes(campaigns.values(), now)
    due = _due_steps(campaigns, usable, now)
    suppressed, stepless = selectors.suppressed_among(due), _stepless_among(due)
    due = [step for step in due if step.enrollment_id not in suppressed | stepless]
    decision = decide_plan(
        _candidates(due, campaigns, now),
        usable.values(),
        [_campaign_facts(campaign, usable) for campaign in campaigns.values()],
        now=now,
        ahead=_ahead(),
    )
    planned = _carry_out(decision, {step.enrollment_id: step for step in due}, suppressed | stepless, now)
    _stop_suppressed(suppressed, now)
    completion.finish(stepless - suppressed, now)
    _cancel_absent(decision.absent, now)
    _postpone_silent(decision.silent, {step.enrollment_id: step.domain for step in due}, now)
    _warn_of_caps(decision, now)
    return TickResult(planned, len(decision.absent))


def _campaigns_with_room(now: datetime) -> dict[uuid.UUID, ActiveCampaign]:
    """The active campaigns whose account is not at its monthly limit."""
    active = selectors.active_campaigns()
    full = monthly_limit.full_accounts({campaign.account_id for campaign in active}, now=now)
    return {campaign.campaign_id: campaign for campaign in active if campaign.account_id not in full}


def _is_only_planner() -> bool:
    return bool(sql.fetch("SELECT pg_try_advisory_xact_lock(%(lock)s)", {"lock": PLANNER_LOCK})[0][0])


def _ahead() -> timedelta:
    return timedelta(seconds=settings.PLAN_AHEAD_SECONDS)


def _usable_lanes(campaigns: Iterable[ActiveCampaign], now: datetime) -> dict[uuid.UUID, LaneFacts]:
    wanted = sorted({credential_id for campaign in campaigns for credential_id in campaign.credential_ids})
    return {lane.credential_id: lane for lane in selectors.usable_lanes(wanted, timing.day_of(now))}


def _campaign_facts(campaign: ActiveCampaign, usable: dict[uuid.UUID, LaneFacts]) -> CampaignFacts:
    return CampaignFacts(
        campaign.campaign_id,
        campaign.min_wait_seconds,
        campaign.max_wait_seconds,
        tuple(credential_id for credential_id in campaign.credential_ids if credential_id in usable),
    )


def _due_steps(
    campaigns: dict[uuid.UUID, ActiveCampaign], usable: dict[uuid.UUID, LaneFacts], now: datetime
) -> list[DueStep]:
    demands = {
        key: demand_of(_campaign_facts(campaign, usable), usable, now=now, ahead=_ahead(), batch=settings.PLAN_BATCH)
        for key, campaign in campaigns.items()
    }
    pairs = [(key, lane, room) for key, demand in demands.items() for lane, room in demand.later.items()]
    moved = [(key, demand.moved) for key, demand in demands.items()]
    first = [(key, demand.first) for key, demand in demands.items()]
    waiting = selectors.steps_without_slot(list(campaigns), list(usable), settings.PLAN_BATCH)
    later = selectors.later_steps_due(pairs, now) + selectors.moved_steps_due(moved, now)
    return waiting + later + selectors.first_steps_due(first, now)


def _stepless_among(due: Sequence[DueStep]) -> set[uuid.UUID]:
    """Whoever waits for a step that was deleted while its predecessor was under way: these sequences are through."""
    positions = selectors.steps_of({step.campaign_id for step in due})
    return {step.enrollment_id for step in due if step.position not in positions[step.campaign_id]}


def _candidates(due: Sequence[DueStep], campaigns: dict[uuid.UUID, ActiveCampaign], now: datetime) -> list[Candidate]:
    checked = {step.domain for step in due if campaigns[step.campaign_id].verify_email_mx}
    states = mx.states_of(checked, now)
    return [
        Candidate(
            enrollment_id=step.enrollment_id,
            campaign_id=step.campaign_id,
            position=step.position,
            priority=step.priority,
            batch_number=step.batch_number,
            enrolled_at=step.enrolled_at,
            sender_id=step.sender_id,
            seed=timing.draw_seed(settings.DIGEST_KEY.encode(), step.enrollment_id, step.position, step.seed),
            mx=states[step.domain] if campaigns[step.campaign_id].verify_email_mx else MxState.UNCHECKED,
            message_id=step.message_id,
            held_unit=(step.held_credential, step.held_day) if step.held_credential and step.held_day else None,
        )
        for step in due
    ]


def _carry_out(decision: Plan, due: dict[uuid.UUID, DueStep], ending: set[uuid.UUID], now: datetime) -> int:
    """Lock reservations and lanes, take the enrollments, write the messages, reserve the units, move the slots."""
    limited = _hold_to_monthly_limits(decision, due, now)
    sql.fetch(lanes.LOCK_LANES, {"credentials": [assignment.credential_id for assignment in decision.assignments]})
    fresh = [assignment for assignment in decision.assignments if assignment.candidate.message_id is None]
    again = [assignment for assignment in decision.assignments if assignment.candidate.message_id is not None]
    others = {candidate.enrollment_id for candidate in (*decision.absent, *decision.silent)} | ending
    others |= {assignment.candidate.enrollment_id for assignment in again}
    taken = _take_enrollments(fresh, others)
    done = [assignment for assignment in fresh if assignment.candidate.enrollment_id in taken]
    _insert_messages(done, due, now)
    done += [assignment for assignment in again if _give_slot_again(assignment)]
    _reserve(done)
    _reserve_of_month(done, due, limited)
    _move_slots(done)
    return len(done)


def _hold_to_monthly_limits(decision: Plan, due: dict[uuid.UUID, DueStep], now: datetime) -> set[uuid.UUID]:
    """Take out of the plan what its account's month has no room for; returns the accounts that have a limit."""
    planned = [due[assignment.candidate.enrollment_id] for assignment in decision.assignments]
    accounts = {step.campaign_id: step.account_id for step in planned}
    rooms = monthly_limit.rooms_of(sorted(set(accounts.values())), now=now) if accounts else {}
    decision.assignments, late = keep_within(decision.assignments, accounts, rooms)
    decision.waiting |= {assignment.candidate.enrollment_id: WaitReason.MONTHLY_LIMIT.value for assignment in late}
    return set(rooms)


def _take_enrollments(assignments: Sequence[Assignment], others: set[uuid.UUID]) -> set[uuid.UUID]:
    """The enrollments whose step is still due; from now on their message carries the sequence.

    `others` are locked along with them, as this tick changes them too, and locks are taken once and in order.
    """
    positions = {assignment.candidate.enrollment_id: assignment.candidate.position for assignment in assignments}
    rows = (
        Enrollment.everywhere.select_for_update(no_key=True)
        .filter(pk__in={*positions, *others}, stopped_at__isnull=True)
        .order_by("pk")
        .values_list("pk", "next_position", "next_due_at")
    )
    taken = {pk for pk, position, due_at in rows if due_at is not None and positions.get(pk) == position}
    Enrollment.everywhere.filter(pk__in=taken).update(next_due_at=None, wait_reason=WaitReason.IN_FLIGHT.value)
    return taken


def _insert_messages(assignments: Sequence[Assignment], due: dict[uuid.UUID, DueStep], now: datetime) -> None:
    domains = selectors.sender_domains({assignment.credential_id for assignment in assignments})
    kinds = selectors.client_kinds(
        {(assignment.candidate.campaign_id, assignment.candidate.batch_number) for assignment in assignments}
    )
    Message.everywhere.bulk_create(
        (
            Message(
                account_id=due[assignment.candidate.enrollment_id].account_id,
                campaign_id=assignment.candidate.campaign_id,
                enrollment_id=assignment.candidate.enrollment_id,
                contact_id=due[assignment.candidate.enrollment_id].contact_id,
                credential_id=assignment.credential_id,
                step_position=assignment.candidate.position,
                recipient=due[assignment.candidate.enrollment_id].email,
                recipient_digest=due[assignment.candidate.enrollment_id].address_digest,
                domain_digest=due[assignment.candidate.enrollment_id].domain_digest,
                message_id=make_message_id(
                    domains[assignment.credential_id], os.urandom(16), settings.DIGEST_KEY.encode()
                ),
                due_at=assignment.due_at,
                gap_seed=assignment.candidate.seed,
                gap_seconds=assignment.gap_seconds,
                usage_day=assignment.day if assignment.takes_unit else None,
                client_kind=kinds[assignment.candidate.campaign_id, assignment.candidate.batch_number],
                created_at=now,
            )
            for assignment in assignments
        ),
        batch_size=1_000,
    )


def _give_slot_again(assignment: Assignment) -> bool:
    """Give a new slot to a message that lost its own; False when something moved it meanwhile."""
    candidate = assignment.candidate
    moved = Message.everywhere.filter(
        pk=candidate.message_id,
        state=MessageState.PLANNED.value,
        due_at__isnull=True,
        usage_day=candidate.held_unit and candidate.held_unit[1],
    ).update(
        due_at=assignment.due_at,
        credential_id=assignment.credential_id,
        gap_seed=candidate.seed,
        gap_seconds=assignment.gap_seconds,
        usage_day=assignment.day if candidate.position == 1 else None,
        reason="",
    )
    if moved and assignment.takes_unit and candidate.held_unit is not None:
        capacity.give_back(*candidate.held_unit, 1)
    return bool(moved)


def _reserve(assignments: Sequence[Assignment]) -> None:
    for day in sorted({assignment.day for assignment in assignments if assignment.takes_unit}):
        units = Counter(
            assignment.credential_id for assignment in assignments if assignment.takes_unit and assignment.day == day
        )
        if not capacity.reserve(day, units):
            raise CapOverrun(f"units of {day} that the plan counted on are gone; the tick is repeated")


def _reserve_of_month(
    assignments: Sequence[Assignment], due: dict[uuid.UUID, DueStep], limited: set[uuid.UUID]
) -> None:
    sends = Counter(due[assignment.candidate.enrollment_id].account_id for assignment in assignments)
    monthly_limit.reserve({account_id: sends[account_id] for account_id in limited if sends[account_id]})


def _move_slots(assignments: Sequence[Assignment]) -> None:
    """The latest slot of each lane."""
    in_time = sorted(assignments, key=lambda assignment: assignment.due_at)
    latest = {assignment.credential_id: assignment.due_at for assignment in in_time}
    sql.execute(_MOVE_SLOTS, {"credentials": list(latest), "slots": list(latest.values())})


def _stop_suppressed(enrollment_ids: set[uuid.UUID], now: datetime) -> None:
    """Stop whoever was suppressed meanwhile; the `wire` would refuse them anyway."""
    if enrollment_ids:
        stops.stop_enrollments(enrollment_ids, StopReason.SUPPRESSED, now=now)


def _cancel_absent(candidates: Sequence[Candidate], now: datetime) -> None:
    """A domain without MX: the step is cancelled before any connection, and the contact bounced."""
    ids = [candidate.enrollment_id for candidate in candidates]
    if ids:
        stops.stop_enrollments(ids, StopReason.MX_ABSENT, now=now, bounce_reason=MX_FAILED)


def _postpone_silent(candidates: Sequence[Candidate], domains: dict[uuid.UUID, str], now: datetime) -> None:
    """Silence postpones and never judges; the enrollment comes back when its domain is asked again."""
    retries = mx.retry_times({domains[candidate.enrollment_id] for candidate in candidates}, now)
    for domain, retry_at in retries.items():
        ids = [candidate.enrollment_id for candidate in candidates if domains[candidate.enrollment_id] == domain]
        Enrollment.everywhere.filter(pk__in=ids, next_due_at__isnull=False).update(
            next_due_at=retry_at, wait_reason=WaitReason.MX_SILENT.value
        )


def _warn_of_caps(decision: Plan, now: datetime) -> None:
    """Say once per campaign and day that all its credentials are at their cap."""
    today = timing.day_of(now)
    capped = {campaign_id for campaign_id, reason in decision.closed.items() if reason is RotationReason.DAILY_CAP}
    known = set(CapWarning.objects.filter(campaign__in=capped, day=today).values_list("campaign_id", flat=True))
    for campaign_id in sorted(capped - known):
        CapWarning.objects.create(campaign_id=campaign_id, day=today, created_at=now)
        logger.warning(
            "Campaign %s: all credentials are at their daily limit; nothing more is queued today.",
            campaign_id,
            extra={"action": "plan", "reason": "daily_cap", "campaign_id": str(campaign_id)},
        )
