"""Random worlds, and their plainest execution: every tick, everything read anew, `decide_plan` and nothing else."""

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from random import Random
from uuid import UUID

from ampout.lib.mx import MxStatus
from dispatch.rules import timing
from dispatch.rules.demand import demand_of
from dispatch.rules.message_state import MessageState as S
from dispatch.rules.mx import MxKnown, MxOutcome, decide_mx
from dispatch.rules.planning import Assignment, Candidate, LaneFacts, MxState, decide_plan
from dispatch.rules.simulation import Sent
from dispatch.rules.world import CampaignWorld, OpenMessage, OpenSequence, Pace, Passer, World
from tests.strategies import NOON

DICE = partial(timing.draw_seed, b"a key")
DOMAINS = ("present.example", "absent.example", "silent.example", "unasked.example")
SECOND = timedelta(seconds=1)

# -- The execution


@dataclass
class Step:
    """A sequence while it is executed."""

    facts: OpenSequence
    position: int
    due_at: datetime | None
    sender_id: UUID | None
    message: OpenMessage | None
    opening: bool

    @property
    def order(self) -> tuple[int, bool, int, int, datetime, UUID]:
        """As in `Candidate`."""
        one = self.facts
        rest = (-one.priority, one.batch_number, one.enrolled_at, one.enrollment_id)
        return (-self.position, self.message is None, *rest)


@dataclass
class Execution:
    """Runs a world tick by tick; `gone` collects what has left."""

    world: World
    now: datetime = field(init=False)
    gone: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        world = self.world
        self.now = self.reached = world.now
        self.lanes = {lane.credential_id: lane for lane in world.lanes}
        self.units: dict[tuple[UUID, date], int] = defaultdict(int)
        for lane in world.lanes:
            self.units[lane.credential_id, world.now.date()] = lane.used
        self.campaigns = {campaign.campaign_id: campaign for campaign in world.campaigns}
        self.steps = [
            Step(one, one.position, one.due_at, one.sender_id, one.message, one.opening) for one in world.sequences
        ]
        self.passers = list(world.passers)
        self.mx = dict(world.mx)
        for step in list(self.steps):
            if step.message is not None and step.message.state is S.WIRE:
                self.finish(step.message.credential_id, world.now)
                self.advance(step, step.message.credential_id, step.message.wire_at or world.now)

    def run(self, until: datetime) -> list[Sent]:
        """Everything up to `until`."""
        while self.now <= until:
            self.tick()
            self.now += self.world.pace.every
            self.deliver(min(self.now, until))
        return self.gone

    # -- The planner

    def tick(self) -> None:
        self.claim()
        self.open_batches()
        due = [step for step in self.due() if not self.is_stopped(step)]
        by_id = {step.facts.enrollment_id: step for step in due}
        plan = decide_plan(
            [self.candidate(step) for step in due],
            self.usable().values(),
            [campaign.facts(self.world.usable) for campaign in self.campaigns.values()],
            now=self.now,
            ahead=self.world.pace.ahead,
        )
        for assignment in plan.assignments:
            self.give_slot(by_id[assignment.candidate.enrollment_id], assignment)
        for candidate in plan.absent:
            self.steps.remove(by_id[candidate.enrollment_id])
        for candidate in plan.silent:
            step = by_id[candidate.enrollment_id]
            if step.message is None:
                step.due_at = decide_mx(self.mx[step.facts.domain], self.now).retry_at
        for domain in {step.facts.domain for step in due if self.mx_of(step) is MxState.PENDING}:
            self.mx[domain] = MxKnown(MxStatus.PRESENT, self.now)

    def claim(self) -> None:
        for step in self.steps:
            message = step.message
            if message and message.state is S.PLANNED and message.due_at and self.is_claimed(message):
                step.message = replace(message, state=S.CLAIMED)
        self.passers = [
            replace(one, queued=False) if one.queued and self.is_claimed(one) else one for one in self.passers
        ]

    def is_claimed(self, message: OpenMessage | Passer) -> bool:
        lane = self.lanes[message.credential_id]
        assert message.due_at is not None
        resting = lane.back_off_until is not None and lane.back_off_until > self.now
        return not resting and message.due_at <= self.now + self.world.pace.claim_ahead

    def open_batches(self) -> None:
        opening: dict[tuple[UUID, int], list[Step]] = defaultdict(list)
        for step in self.steps:
            if step.opening:
                opening[step.facts.campaign_id, step.facts.batch_number].append(step)
        for steps in opening.values():
            steps.sort(key=lambda step: step.facts.enrollment_id)
            for step in steps[: self.world.pace.open_at_once]:
                step.opening, step.due_at = False, self.now

    def usable(self) -> dict[UUID, LaneFacts]:
        queued = [step.message for step in self.steps if step.message and step.message.state is S.PLANNED]
        keys = [message.credential_id for message in queued if message.due_at is not None]
        keys += [one.credential_id for one in self.passers if one.queued]
        return {
            key: replace(self.lanes[key], used=self.units[key, self.now.date()], queued=keys.count(key))
            for key in self.world.usable
        }

    def due(self) -> list[Step]:
        lanes, pace = self.usable(), self.world.pace
        unplanned = [step for step in self.steps if step.message and step.message.due_at is None]
        taken = [
            step
            for step in sorted(unplanned, key=lambda step: step.order)
            if step.position == 1 or step.sender_id in {None, *lanes}
        ][: pace.batch]
        ripe = [step for step in self.steps if step.message is None and step.due_at and step.due_at <= self.now]
        ripe.sort(key=lambda step: step.order)
        for campaign in self.campaigns.values():
            facts = campaign.facts(self.world.usable)
            demand = demand_of(facts, lanes, now=self.now, ahead=pace.ahead, batch=pace.batch)
            own = [step for step in ripe if step.facts.campaign_id == campaign.campaign_id]
            taken += [step for step in own if step.position == 1][: demand.first]
            later = [step for step in own if step.position > 1]
            for key, room in demand.later.items():
                taken += [step for step in later if step.sender_id == key][:room]
            moved = [step for step in later if step.sender_id is None]
            moved.sort(key=lambda step: step.due_at or self.now)
            taken += moved[: demand.moved]
        return taken

    def is_stopped(self, step: Step) -> bool:
        stopped = step.facts.suppressed or step.position not in self.campaigns[step.facts.campaign_id].delays
        if stopped:
            self.steps.remove(step)
        return stopped

    def mx_of(self, step: Step) -> MxState:
        if not self.campaigns[step.facts.campaign_id].verify_email_mx:
            return MxState.UNCHECKED
        outcome = decide_mx(self.mx.get(step.facts.domain), self.now).outcome
        return {
            MxOutcome.SEND: MxState.PRESENT,
            MxOutcome.CANCEL: MxState.ABSENT,
            MxOutcome.POSTPONE: MxState.SILENT,
            MxOutcome.LOOK_UP: MxState.PENDING,
        }[outcome]

    def candidate(self, step: Step) -> Candidate:
        one, message = step.facts, step.message
        sender_id = step.sender_id if step.position > 1 else None
        if step.position == 1 and message and message.attempted:
            sender_id = message.credential_id
        return Candidate(
            enrollment_id=one.enrollment_id,
            campaign_id=one.campaign_id,
            position=step.position,
            priority=one.priority,
            batch_number=one.batch_number,
            enrolled_at=one.enrolled_at,
            sender_id=sender_id,
            seed=DICE(one.enrollment_id, step.position, message.seed if message else None),
            mx=self.mx_of(step),
            message_id=message.message_id if message else None,
            held_unit=(message.credential_id, message.usage_day) if message and message.usage_day else None,
        )

    def give_slot(self, step: Step, assignment: Assignment) -> None:
        key, candidate = assignment.credential_id, assignment.candidate
        self.units[key, assignment.day] += assignment.takes_unit
        self.lanes[key] = replace(self.lanes[key], last_slot_at=assignment.due_at)
        step.due_at = None
        step.message = OpenMessage(
            candidate.message_id or uuid.uuid5(candidate.enrollment_id, str(candidate.position)),
            S.PLANNED,
            key,
            assignment.due_at,
            assignment.gap_seconds,
            candidate.seed,
            assignment.day if candidate.position == 1 else None,
            attempted=bool(step.message and step.message.attempted),
        )

    # -- The loops

    def deliver(self, until: datetime) -> None:
        while (head := min(self.heads(), default=None, key=lambda head: head[0])) is not None and head[0] <= until:
            self.reached, item = head
            if isinstance(item, Passer):
                self.passers.remove(item)
                if item.transacts:
                    self.finish(item.credential_id, self.reached)
            else:
                self.start(item)

    def heads(self) -> Iterator[tuple[datetime, Step | Passer]]:
        """What each lane sends next, and when."""
        by_lane: dict[UUID, list[tuple[bool, datetime, int, int, Step | Passer]]] = defaultdict(list)
        for number, step in enumerate(self.steps):
            message = step.message
            if message and message.due_at and message.state is not S.WIRE:
                by_lane[message.credential_id].append((True, message.due_at, -message.gap_seconds, number, step))
        for number, one in enumerate(self.passers):
            by_lane[one.credential_id].append((not one.urgent, one.due_at, -one.gap_seconds, -number - 1, one))
        for key, waiting in by_lane.items():
            _, due_at, negative_gap, _, item = min(waiting, key=lambda one: one[:-1])
            lane = self.lanes[key]
            at = max(self.reached, timing.start_at(due_at, lane.last_finished_at, -negative_gap))
            yield max(at, lane.back_off_until or at), item

    def start(self, step: Step) -> None:
        message, at = step.message, self.reached
        assert message is not None
        campaign, key = self.campaigns[step.facts.campaign_id], message.credential_id
        if key not in campaign.facts(self.world.usable).credential_ids or not self.has_unit(message, at):
            kept = message.usage_day if message.attempted else None
            step.message = replace(message, state=S.PLANNED, due_at=None, usage_day=kept)
            return
        self.finish(key, at)
        one = step.facts
        if one.suppressed:
            self.steps.remove(step)
            return
        self.gone.append(Sent(at, one.enrollment_id, one.campaign_id, step.position, key))
        self.advance(step, key, at)

    def has_unit(self, message: OpenMessage, at: datetime) -> bool:
        if message.usage_day in {None, at.date()}:
            return True
        key = (message.credential_id, at.date())
        if self.units[key] >= self.lanes[message.credential_id].limit:
            return False
        self.units[key] += 1
        return True

    def finish(self, key: UUID, at: datetime) -> None:
        self.lanes[key] = replace(self.lanes[key], last_finished_at=at)

    def advance(self, step: Step, key: UUID, at: datetime) -> None:
        delay = self.campaigns[step.facts.campaign_id].delays.get(step.position + 1)
        if delay is None:
            self.steps.remove(step)
            return
        step.position, step.sender_id, step.message = step.position + 1, key, None
        step.due_at = timing.step_due_at(at, delay)


# -- Random worlds


def random_world(random: Random) -> World:
    """Some campaigns that share some lanes, in the middle of their work."""
    now = NOON + timedelta(minutes=random.choice([0, 0, 300, 700, 718, 719]), seconds=random.randrange(60))
    lanes = [_lane(random, UUID(int=number), now) for number in range(1, random.randint(1, 4) + 1)]
    campaigns = [_campaign(random, UUID(int=11 + number), lanes) for number in range(random.randint(1, 3))]
    usable = frozenset(lane.credential_id for lane in lanes if random.random() < 0.85)
    sequences = [
        _sequence(random, UUID(int=100 + number), random.choice(campaigns), lanes, now)
        for number in range(random.randint(0, 12))
    ]
    passers = [_passer(random, random.choice(lanes), now) for _ in range(random.choice([0, 0, 1, 2]))]
    pace = Pace(
        every=random.choice([7, 60, 60, 300, 1_800]) * SECOND,
        ahead=random.choice([60, 300, 300, 4_000]) * SECOND,
        claim_ahead=30 * SECOND,
        batch=random.choice([1, 3, 2_000]),
        open_at_once=random.choice([1, 2, 10_000]),
    )
    return World(
        now,
        pace,
        tuple(campaigns),
        tuple(sequences),
        tuple(lanes),
        usable,
        tuple(passers),
        _mx(random, now),
    )


def _around(random: Random, now: datetime, before: int, after: int) -> datetime:
    return now + random.randint(-before, after) * SECOND


def _lane(random: Random, key: UUID, now: datetime) -> LaneFacts:
    def sometimes(moment: datetime) -> datetime | None:
        return moment if random.random() < 0.6 else None

    return LaneFacts(
        key,
        limit=random.randint(0, 5),
        used=random.randint(0, 3),
        last_slot_at=sometimes(_around(random, now, 600, 900)),
        last_finished_at=sometimes(_around(random, now, 600, 0)),
        back_off_until=_around(random, now, 600, 3_600) if random.random() < 0.15 else None,
        queued=0,
    )


def _campaign(random: Random, key: UUID, lanes: list[LaneFacts]) -> CampaignWorld:
    shortest = random.choice([0, 0, 20, 120, 900])
    attached = random.sample(lanes, random.randint(1, len(lanes)))
    delays = [random.choice([0, 1, 30, 1_000]) for _ in range(random.randint(1, 3))]
    return CampaignWorld(
        key,
        shortest,
        shortest + random.choice([0, 30, 300]),
        tuple(lane.credential_id for lane in attached),
        dict(enumerate(delays, start=1)),
        verify_email_mx=random.random() < 0.3,
    )


def _sequence(
    random: Random, key: UUID, campaign: CampaignWorld, lanes: list[LaneFacts], now: datetime
) -> OpenSequence:
    position = random.randint(1, len(campaign.delays))
    known = [lane.credential_id for lane in lanes]
    one = OpenSequence(
        key,
        campaign.campaign_id,
        position,
        priority=random.choice([0, 0, 0, 1]),
        batch_number=random.choice([0, 0, 1]),
        enrolled_at=_around(random, now, 3, -1),
        due_at=_around(random, now, 600, 3_000 if position > 1 or campaign.verify_email_mx else 0),
        sender_id=random.choice([*known, *known, None]) if position > 1 else None,
        domain=random.choice(DOMAINS),
        suppressed=random.random() < 0.05,
    )
    if random.random() < 0.15 and position == 1:
        return replace(one, due_at=None, opening=True)
    if random.random() < 0.3:
        return replace(one, due_at=None, message=_message(random, one, random.choice(known), now))
    return one


def _message(random: Random, one: OpenSequence, key: UUID, now: datetime) -> OpenMessage:
    state = random.choice([S.PLANNED, S.PLANNED, S.PLANNED, S.CLAIMED, S.DEFERRED, S.WIRE])
    if one.position > 1 and one.sender_id is not None:
        key = one.sender_id
    due_at: datetime | None = _around(random, now, 300, {S.PLANNED: 600, S.CLAIMED: 30}.get(state, 7_000))
    attempted = state in {S.DEFERRED, S.WIRE} or random.random() < 0.3
    lost = state is S.PLANNED and random.random() < 0.5
    holds = one.position == 1 and (attempted or not lost)
    return OpenMessage(
        uuid.uuid5(one.enrollment_id, "message"),
        state,
        key,
        None if lost else due_at,
        gap_seconds=random.choice([0, 20, 120]),
        seed=random.getrandbits(63),
        usage_day=now.date() - timedelta(days=random.choice([0, 0, 1])) if holds else None,
        attempted=attempted,
        wire_at=_around(random, now, 50, 0) if state is S.WIRE else None,
    )


def _passer(random: Random, lane: LaneFacts, now: datetime) -> Passer:
    is_test = random.random() < 0.5
    return Passer(
        lane.credential_id,
        _around(random, now, 30, 0 if is_test else 2_000),
        0 if is_test else random.choice([0, 120]),
        transacts=is_test,
        queued=is_test,
        urgent=is_test,
    )


def _mx(random: Random, now: datetime) -> Mapping[str, MxKnown]:
    asked = _around(random, now, 6 * 3_600 - 60, 0)
    return {
        "present.example": MxKnown(MxStatus.PRESENT, asked),
        "absent.example": MxKnown(MxStatus.ABSENT, asked),
        "silent.example": MxKnown(MxStatus.SILENT, _around(random, now, 600, 0), random.randint(1, 3)),
    }
