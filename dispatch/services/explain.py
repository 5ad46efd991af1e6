"""Why a step has not gone, and when it will: the gates of one enrollment (read-only, from one snapshot).

1. What the enrollment, its campaign and its account say; who waits for a person needs no more.
2. The world around it (`world_reads`), asked gate by gate: `earliest_at`.
3. The same world simulated until the step leaves: `expected_at`.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from ampout.accounts.installation import is_off
from ampout.accounts.models import Account
from ampout.lib import clock, sql
from ampout.lib.errors import NotFound
from campaigns.models import Batch, Enrollment
from campaigns.rules.campaign_state import CampaignStatus, PauseReason
from campaigns.rules.enrollment_state import StopReason
from dispatch.rules.gates import Explanation, State, explain_step
from dispatch.rules.simulation import Simulation
from dispatch.rules.step_facts import StepFacts, facts_of
from dispatch.rules.world import World
from dispatch.services.pace import planners_dice, present_pace
from dispatch.world_reads import Asked, read_world

HORIZON = timedelta(days=90)
"""How far `expected_at` looks ahead."""
MOST_SENDS = 100_000
"""How many sends are simulated at most to find one of them."""
MOST_SEQUENCES = 300_000
"""How many enrollments are read at most to simulate."""

AFTER_HORIZON = "after_horizon"
TOO_MUCH = "too_much_to_simulate"


@dataclass(frozen=True, slots=True)
class EnrollmentExplanation:
    """The explanation of an enrollment's next step. `expected_at` is empty with a reason in `expected_reason`."""

    enrollment: Enrollment
    now: datetime
    explanation: Explanation
    expected_at: datetime | None
    expected_reason: str


def explain_enrollment(
    account: Account, enrollment_id: uuid.UUID, *, now: datetime | None = None
) -> EnrollmentExplanation:
    """Why the next step of this enrollment has not gone, and when it will. Raises NotFound (enrollment_not_found)."""
    now = now or clock.utc_now()
    with sql.snapshot():
        enrollment = _find(account, enrollment_id)
        return _explain(account, enrollment, now)


def _find(account: Account, enrollment_id: uuid.UUID) -> Enrollment:
    found: Enrollment | None = (
        Enrollment.objects.of(account)
        .select_related("campaign")
        .filter(pk=enrollment_id, campaign__deleted_at__isnull=True)
        .first()
    )
    if found is None:
        raise NotFound("enrollment_not_found")
    return found


def _explain(account: Account, enrollment: Enrollment, now: datetime) -> EnrollmentExplanation:
    if enrollment.stopped_at is not None or enrollment.finished_at is not None:
        ended = StepFacts(
            now=now,
            position=enrollment.next_position,
            stop_reason=enrollment.stop_reason,
            finished=enrollment.finished_at is not None,
        )
        explanation = explain_step(ended)
        return EnrollmentExplanation(enrollment, now, explanation, None, explanation.reason)
    alone = Asked(account, enrollment.campaign_id, now, present_pace(), released=True, only=enrollment.pk)
    known = _known(account, enrollment)
    acts = enrollment.campaign.status == CampaignStatus.ACTIVE and not known["suspended"] and not known["sending_off"]
    asked = Asked(account, enrollment.campaign_id, now, present_pace(), most=MOST_SEQUENCES) if acts else alone
    found = read_world(asked)
    if not any(one.enrollment_id == enrollment.pk for one in found.world.sequences):
        # Its batch was not released, or it is one of too many.
        found = read_world(alone)
        acts = False
    [sequence] = [one for one in found.world.sequences if one.enrollment_id == enrollment.pk]
    facts = facts_of(found.world, sequence, found.senders, planners_dice(), **known)
    explanation = explain_step(facts)
    if explanation.state is not State.WAITING or explanation.waits_for_somebody:
        reason = "" if explanation.state is State.ON_THE_WIRE else explanation.reason
        return EnrollmentExplanation(enrollment, now, explanation, explanation.earliest_at, reason)
    expected_at, reason = _foretell(found.world, enrollment) if acts else (None, TOO_MUCH)
    return EnrollmentExplanation(enrollment, now, explanation, expected_at, reason)


def _known(account: Account, enrollment: Enrollment) -> dict[str, object]:
    """What the gates ask and a world does not know."""
    campaign = enrollment.campaign
    released = Batch.objects.filter(
        campaign=campaign, number=enrollment.batch_number, released_at__isnull=False
    ).exists()
    return {
        "suspended": account.suspended_at is not None,
        "sending_off": is_off(),
        "status": CampaignStatus(campaign.status),
        "pause_reason": PauseReason(campaign.pause_reason) if campaign.pause_reason else None,
        "released": released or enrollment.next_position > 1 or enrollment.next_due_at is not None,
        "lacks_postal_address": settings.REQUIRE_POSTAL_ADDRESS and not account.postal_address.strip(),
        "wait_reason": enrollment.wait_reason,
    }


def _foretell(world: World, enrollment: Enrollment) -> tuple[datetime | None, str]:
    """When the step leaves if nothing else happens; or nothing, and why."""
    simulation = Simulation(world, planners_dice())
    for number, sent in enumerate(simulation.sends(world.now + HORIZON)):
        if sent.enrollment_id == enrollment.pk:
            return sent.at, ""
        if number >= MOST_SENDS:
            return None, TOO_MUCH
    if enrollment.pk in simulation.ended:
        return None, StopReason.MX_ABSENT.value
    return None, AFTER_HORIZON
