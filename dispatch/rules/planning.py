"""Which due steps get a slot now, through whom, and why the others wait (design: Rotation, Gap, Daily limit).

1. Candidates are taken in the total order: later steps first, then what lost its slot, then priority, batch,
   enrolled_at, id.
2. A candidate whose domain takes no mail is cancelled; one whose domain is silent, or not looked up, waits.
3. A later step goes through the credential of step 1; so does a first step that was attempted before. Where that one
   is not usable, a later step waits, and so does a first step whose unit of today is used up there. A later step that
   has no sender any more goes through whoever can send it soonest.
4. A first step goes through the least loaded credential with room (rotation); it takes one unit of today's cap.
5. The slot is a gap after the credential's latest one. No credential is planned further ahead than the horizon, and
   no first step past midnight, so that a day's cap is only touched on that day.
"""

import heapq
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from dispatch.rules import rotation, timing
from dispatch.rules.rotation import CredentialLoad, RotationReason

QUEUE_PER_LANE = 200
"""How many slots one credential may have given out and not used: bounds what a slow server holds back."""


class MxState(StrEnum):
    """What is known of a candidate's domain."""

    UNCHECKED = "unchecked"
    """The campaign does not ask."""
    PRESENT = "present"
    ABSENT = "absent"
    SILENT = "silent"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A step of an enrollment that is due. `message_id` is set when it has a row that lost its slot.

    `sender_id` is the credential of step 1, or the one that a first step was attempted through.
    """

    enrollment_id: uuid.UUID
    campaign_id: uuid.UUID
    position: int
    priority: int
    batch_number: int
    enrolled_at: datetime
    sender_id: uuid.UUID | None
    seed: int
    mx: MxState = MxState.UNCHECKED
    message_id: uuid.UUID | None = None
    held_unit: tuple[uuid.UUID, date] | None = None

    @property
    def order(self) -> tuple[int, bool, int, int, datetime, uuid.UUID]:
        """The total order of planning."""
        return (
            -self.position,
            self.message_id is None,
            -self.priority,
            self.batch_number,
            self.enrolled_at,
            self.enrollment_id,
        )


@dataclass(frozen=True, slots=True)
class LaneFacts:
    """A usable credential: enabled, with today's use of its cap and its place in time."""

    credential_id: uuid.UUID
    limit: int
    used: int
    last_slot_at: datetime | None
    last_finished_at: datetime | None
    back_off_until: datetime | None
    queued: int


@dataclass(frozen=True, slots=True)
class CampaignFacts:
    """An active campaign; `credential_ids` are the usable ones attached to it."""

    campaign_id: uuid.UUID
    min_wait_seconds: int
    max_wait_seconds: int
    credential_ids: tuple[uuid.UUID, ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """A slot for a candidate. `takes_unit`: it needs a unit of the credential's cap on `day`."""

    candidate: Candidate
    credential_id: uuid.UUID
    due_at: datetime
    gap_seconds: int
    day: date
    takes_unit: bool


@dataclass(slots=True)
class Plan:
    """What a tick decided. `closed` tells why a campaign's remaining first steps wait."""

    assignments: list[Assignment] = field(default_factory=list)
    absent: list[Candidate] = field(default_factory=list)
    silent: list[Candidate] = field(default_factory=list)
    waiting: dict[uuid.UUID, str] = field(default_factory=dict)
    closed: dict[uuid.UUID, RotationReason] = field(default_factory=dict)


class Horizon:
    """The time of a tick, its UTC day, and how far beyond it slots are given out; the lanes of a planner share one."""

    __slots__ = ("ahead", "now", "today")

    def __init__(self, now: datetime, ahead: timedelta) -> None:
        self.ahead = ahead
        self.turn_to(now)

    def turn_to(self, now: datetime) -> None:
        """Begin another tick."""
        self.now, self.today = now, timing.day_of(now)


class Lane:
    """A lane while plans are made: its slot moves as slots are given out."""

    __slots__ = (
        "back_off_until",
        "credential_id",
        "horizon",
        "last_finished_at",
        "last_slot_at",
        "limit",
        "queued",
        "used",
    )

    def __init__(self, facts: LaneFacts, horizon: Horizon) -> None:
        self.credential_id, self.limit, self.horizon = facts.credential_id, facts.limit, horizon
        self.used, self.queued = facts.used, facts.queued
        self.last_slot_at, self.last_finished_at = facts.last_slot_at, facts.last_finished_at
        self.back_off_until = facts.back_off_until

    @property
    def backing_off(self) -> bool:
        """Whether its server is left alone just now."""
        return self.back_off_until is not None and self.back_off_until > self.horizon.now

    @property
    def open(self) -> bool:
        """Whether it may be given another slot in this tick."""
        return self.queued < QUEUE_PER_LANE and timing.room_ahead(
            self.last_slot_at, self.horizon.now, self.horizon.ahead
        )

    @property
    def has_room(self) -> bool:
        """Whether a unit of today is left."""
        return self.used < self.limit

    def slot(self, gap_seconds: int) -> datetime:
        """When a message with this gap would leave."""
        return timing.next_slot(self.horizon.now, self.last_slot_at, self.last_finished_at, gap_seconds)

    def open_today(self, gap_seconds: int) -> bool:
        """Whether that is still today, as a first step's unit is."""
        return self.open and timing.day_of(self.slot(gap_seconds)) == self.horizon.today

    def load(self) -> CredentialLoad:
        """What rotation looks at."""
        return CredentialLoad(self.credential_id, self.used, self.limit, backing_off=self.backing_off)

    def key(self) -> tuple[float, int, int]:
        """Rotation's order. Equal shares give equal floats, and limits below 2**26 never confuse unequal ones."""
        return (self.used / self.limit, self.used, self.credential_id.int)


class _Rota:
    """A campaign's lanes by load: a heap, so that 500 credentials cost no more a contact than five.

    Another campaign may load a lane meanwhile; a key that has grown stale is put right when it comes up.
    """

    def __init__(self, lanes: Iterable[Lane]) -> None:
        self.lanes = list(lanes)
        usable = [lane for lane in self.lanes if lane.has_room and not lane.backing_off]
        self.heap = [(lane.key(), lane.credential_id, lane) for lane in usable]
        heapq.heapify(self.heap)

    def lightest(self) -> Lane | None:
        """The least loaded lane with room; None when there is none."""
        while self.heap:
            key, credential_id, lane = self.heap[0]
            if not lane.has_room:
                heapq.heappop(self.heap)
            elif key != lane.key():
                heapq.heapreplace(self.heap, (lane.key(), credential_id, lane))
            else:
                return lane
        return None

    def why_none(self) -> RotationReason:
        return rotation.choose_credential(lane.load() for lane in self.lanes).reason


class Planner:
    """Decides tick after tick on the same lanes: the planner makes one for a tick, the forecast one for all of them."""

    def __init__(
        self, lanes: Iterable[LaneFacts], campaigns: Iterable[CampaignFacts], *, now: datetime, ahead: timedelta
    ) -> None:
        self.horizon = Horizon(now, ahead)
        self.lanes = {lane.credential_id: Lane(lane, self.horizon) for lane in lanes}
        self.campaigns = {campaign.campaign_id: campaign for campaign in campaigns}
        self.attached = {key: frozenset(campaign.credential_ids) for key, campaign in self.campaigns.items()}
        self.rotas: dict[uuid.UUID, _Rota] = {}
        self.plan = Plan()

    def turn_to(self, now: datetime, *, lanes_rejoin: bool) -> None:
        """Begin another tick. `lanes_rejoin`: a day or a back-off ended, so that lanes may take part in rotation that
        did not before.
        """
        self.horizon.turn_to(now)
        self.plan = Plan()
        if lanes_rejoin:
            self.rotas.clear()

    def consider(self, candidate: Candidate) -> None:
        """Decide about one candidate; call it in the total order."""
        if candidate.mx is MxState.ABSENT:
            self.plan.absent.append(candidate)
        elif candidate.mx is MxState.SILENT:
            self.plan.silent.append(candidate)
        elif candidate.mx is MxState.PENDING:
            self.plan.waiting[candidate.enrollment_id] = "mx_pending"
        else:
            self._give_slot(candidate)

    def _give_slot(self, candidate: Candidate) -> None:
        campaign = self.campaigns[candidate.campaign_id]
        gap = timing.draw_gap(campaign.min_wait_seconds, campaign.max_wait_seconds, candidate.seed)
        sender_id = candidate.sender_id
        if sender_id is not None and sender_id in self.lanes and sender_id in self.attached[candidate.campaign_id]:
            reason = self._through_sender(candidate, self.lanes[sender_id], gap)
        elif sender_id is not None and (candidate.position > 1 or self._holds_unit_of_today(candidate)):
            reason = "credential_disabled"
        elif candidate.position > 1:
            reason = self._through_anybody(candidate, campaign, gap)
        else:
            reason = self._by_rotation(candidate, campaign, gap)
        if reason:
            self.plan.waiting[candidate.enrollment_id] = reason

    def _through_sender(self, candidate: Candidate, lane: Lane, gap: int) -> str:
        """Keep to the credential that wrote before; returns why it has to wait, or nothing."""
        if lane.backing_off:
            return "back_off"
        takes_unit = self._takes_unit(candidate, lane)
        if takes_unit and not lane.has_room:
            return "daily_cap"
        if not (lane.open_today(gap) if candidate.position == 1 else lane.open):
            return "gap"
        self._assign(candidate, lane, gap, takes_unit=takes_unit)
        return ""

    def _holds_unit_of_today(self, candidate: Candidate) -> bool:
        """Whether its sender's cap counts it today; after an attempt, that unit never comes back (law 4)."""
        return candidate.held_unit == (candidate.sender_id, self.horizon.today)

    def _through_anybody(self, candidate: Candidate, campaign: CampaignFacts, gap: int) -> str:
        """A later step whose sender was retired: it uses no cap, so it goes where it leaves first."""
        lanes = [self.lanes[key] for key in campaign.credential_ids if key in self.lanes]
        if not lanes:
            return RotationReason.NO_ENABLED_CREDENTIAL.value
        working = [lane for lane in lanes if not lane.backing_off]
        if not working:
            return RotationReason.BACK_OFF.value
        free = [lane for lane in working if lane.open]
        if not free:
            return RotationReason.GAP.value
        soonest = min(free, key=lambda lane: (lane.slot(gap), lane.queued, lane.credential_id))
        self._assign(candidate, soonest, gap, takes_unit=False)
        return ""

    def _by_rotation(self, candidate: Candidate, campaign: CampaignFacts, gap: int) -> str:
        """Let rotation choose; once nobody can be chosen, the campaign's later candidates need not ask again."""
        if campaign.campaign_id in self.plan.closed:
            return self.plan.closed[campaign.campaign_id].value
        rota = self._rota(campaign)
        lane = rota.lightest()
        if lane is None or not lane.open_today(gap):
            reason = rota.why_none() if lane is None else RotationReason.GAP
            self.plan.closed[campaign.campaign_id] = reason
            return reason.value
        self._assign(candidate, lane, gap, takes_unit=self._takes_unit(candidate, lane))
        return ""

    def _rota(self, campaign: CampaignFacts) -> _Rota:
        if campaign.campaign_id not in self.rotas:
            usable = [self.lanes[key] for key in campaign.credential_ids if key in self.lanes]
            self.rotas[campaign.campaign_id] = _Rota(usable)
        return self.rotas[campaign.campaign_id]

    def _takes_unit(self, candidate: Candidate, lane: Lane) -> bool:
        """Only first steps use the cap, and one that holds today's unit of this credential keeps it."""
        held = (lane.credential_id, self.horizon.today)
        return candidate.position == 1 and candidate.held_unit != held

    def _assign(self, candidate: Candidate, lane: Lane, gap: int, *, takes_unit: bool) -> None:
        due_at = lane.slot(gap)
        lane.last_slot_at = due_at
        lane.queued += 1
        lane.used += takes_unit
        self.plan.assignments.append(
            Assignment(candidate, lane.credential_id, due_at, gap, timing.day_of(due_at), takes_unit)
        )


def decide_plan(
    candidates: Sequence[Candidate],
    lanes: Iterable[LaneFacts],
    campaigns: Iterable[CampaignFacts],
    *,
    now: datetime,
    ahead: timedelta,
) -> Plan:
    """The plan of one tick, by the numbered list above. Every candidate's campaign is among `campaigns`."""
    planner = Planner(lanes, campaigns, now=now, ahead=ahead)
    for candidate in sorted(candidates, key=lambda candidate: candidate.order):
        planner.consider(candidate)
    return planner.plan
