"""The engine on a virtual clock: the planner's own decisions, and loops that are always on time (`turns`).

1. The planner ticks at `now` and then every `Pace.every`. A tick is skipped when nothing that it looks at has changed
   since the one before: `_wake_at` names every change that time alone brings.
2. A tick considers what the planner's queries would bring, in the order of planning. What cannot get a slot any more,
   as its lane or its campaign is closed in this tick, is not even looked at.
3. Every message is accepted at once, and nothing else happens: no reply, no bounce, no hand of an owner. A domain whose
   MX has to be looked up takes mail, and answers before the next tick.
"""

import heapq
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import count

from ampout.lib.mx import MxStatus
from campaigns.rules.enrollment_state import WaitReason
from dispatch.rules import timing
from dispatch.rules.courses import Course, Dice, DueSteps, Source
from dispatch.rules.demand import demand_of
from dispatch.rules.message_state import MessageState
from dispatch.rules.mx import MxKnown, MxOutcome, decide_mx, kept_for
from dispatch.rules.planning import Assignment, Lane, MxState, Planner
from dispatch.rules.rotation import RotationReason
from dispatch.rules.turns import Turns
from dispatch.rules.world import OpenMessage, Passer, World


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that leaves at `at`."""

    at: datetime
    enrollment_id: uuid.UUID
    campaign_id: uuid.UUID
    position: int
    credential_id: uuid.UUID


class Simulation:
    """One run from `world.now` on.

    `binding` tells what held a campaign's steps back on a day, as far as the run has come. `ended` has the enrollments
    that a tick stops: suppressed ones, those without MX, those whose step was deleted. `left` counts the sequences of
    each campaign that are neither through nor ended; `exhausted` says that time alone brings no further send.
    """

    def __init__(self, world: World, dice: Dice) -> None:
        self.world, self.dice, self.pace, self.now = world, dice, world.pace, world.now
        self.binding: dict[tuple[uuid.UUID, date], str] = {}
        self.ended: set[uuid.UUID] = set()
        self.left = Counter(one.campaign_id for one in world.sequences)
        self.exhausted = False
        campaigns = [campaign.facts(world.usable) for campaign in world.campaigns]
        self.planner = Planner([], campaigns, now=world.now, ahead=self.pace.ahead)
        lanes = {lane.credential_id: Lane(replace(lane, queued=0), self.planner.horizon) for lane in world.lanes}
        self.planner.lanes = {key: lane for key, lane in lanes.items() if key in world.usable}
        self.turns = Turns(lanes, world.now, self.pace.claim_ahead)
        self._campaigns = {campaign.campaign_id: campaign for campaign in world.campaigns}
        self._checked = {campaign.campaign_id for campaign in world.campaigns if campaign.verify_email_mx}
        # Where steps may be set aside, the limits of the planner's queries matter.
        self._limited = self._checked | {one.campaign_id for one in world.sequences if one.suppressed}
        self._due = DueSteps(self.planner.campaigns)
        self._future: list[tuple[datetime, int, Course | None]] = []
        self._opening: dict[tuple[uuid.UUID, int], list[Course]] = {}
        self._open: dict[uuid.UUID, Lane] = {}
        self._shut: list[tuple[datetime, uuid.UUID]] = []
        self._units_moved: dict[tuple[uuid.UUID, date], int] = {}
        self._mx, self._answers, self._looked_after = dict(world.mx), dict[str, MxKnown](), set[str]()
        self._numbers = count()
        self._again = False
        self._month, self._under_way = world.month, 0
        self._load()

    # -- What there is at the start

    def _load(self) -> None:
        for one in self.world.sequences:
            if one.message is not None and one.message.state is MessageState.WIRE:
                self.turns.lanes[one.message.credential_id].last_finished_at = self.now
        for rank, facts in enumerate(sorted(self.world.sequences, key=lambda one: one.rank)):
            self._place(Course(facts, rank), facts.message)
        for courses in self._opening.values():
            courses.sort(key=lambda course: course.facts.enrollment_id, reverse=True)
        for passer in self.world.passers:
            self.turns.add(passer.credential_id, passer.due_at, passer.gap_seconds, passer, urgent=passer.urgent)
            if passer.queued:
                self._note_queued(passer.credential_id, passer.due_at)
        for key in self.planner.lanes:
            self._sort_lane(key)

    def _place(self, course: Course, message: OpenMessage | None) -> None:
        if message is None:
            if course.facts.opening:
                key = (course.facts.campaign_id, course.facts.batch_number)
                self._opening.setdefault(key, []).append(course)
            elif course.due_at is not None:
                self._wait_until(course.due_at, course)
        elif message.state is MessageState.WIRE:
            self._advance(course, message.credential_id, message.wire_at or self.now)
        elif message.due_at is None:
            self._due.add(course, self.now)
        else:
            self._under_way += 1
            self.turns.add(message.credential_id, message.due_at, message.gap_seconds, course)
            if message.state is MessageState.PLANNED:
                self._note_queued(message.credential_id, message.due_at)

    def _note_queued(self, credential_id: uuid.UUID, due_at: datetime) -> None:
        self.turns.lanes[credential_id].queued += 1
        self.turns.note_unclaimed(credential_id, due_at)

    def _wait_until(self, moment: datetime, course: Course | None) -> None:
        heapq.heappush(self._future, (moment, next(self._numbers), course))

    # -- Time

    def sends(self, until: datetime) -> Iterator[Sent]:
        """What leaves up to `until`, in the order of time."""
        self._tick(self.now)
        while True:
            tick_at, start_at = self._tick_at(), self.turns.next_at
            if start_at is not None and (tick_at is None or start_at <= tick_at):
                if start_at > until:
                    return
                sent = self._start_next()
                if sent is not None:
                    yield sent
            elif tick_at is None:
                self.exhausted = True
                return
            elif tick_at > until:
                return
            else:
                self._tick(tick_at)

    def _tick_at(self) -> datetime | None:
        """The next tick at which anything can have changed; None when time alone changes nothing any more."""
        wake_at = self.now if self._again else self._wake_at()
        if wake_at is None:
            return None
        soonest = self.now + self.pace.every
        # What has just been sent may wake the planner for something that would not have mattered before.
        wake_at = max(wake_at, self.turns.now)
        if wake_at <= soonest:
            return soonest
        ticks = -((self.world.now - wake_at) // self.pace.every)
        return self.world.now + ticks * self.pace.every

    def _wake_at(self) -> datetime | None:
        """A step becomes due; or, where steps wait, a lane opens or ends its back-off, or a day begins."""
        wake_at = self._future[0][0] if self._future else None
        if self._due:
            midnight = datetime.combine(self.planner.horizon.today + timedelta(days=1), time(), UTC)
            wake_at = midnight if wake_at is None else min(wake_at, midnight)
            if self._shut:
                wake_at = min(wake_at, self._shut[0][0])
        return wake_at

    # -- A tick

    def _tick(self, now: datetime) -> None:
        self.turns.claim(now)
        self._turn_to(now)
        self._open_batches(now)
        while self._future and self._future[0][0] <= now:
            course = heapq.heappop(self._future)[2]
            if course is not None:
                self._due.add(course, now)
        sources = self._sources()
        for course in self._consider(sources):
            self._due.add(course, now)
        for source in sources:
            self._note_end(source)
        for assignment in self.planner.plan.assignments:
            if assignment.credential_id in self._open:
                self._sort_lane(assignment.credential_id)
        self._mx |= self._answers
        self._looked_after -= self._answers.keys()
        self._answers.clear()

    def _turn_to(self, now: datetime) -> None:
        """Lanes that open, a day that begins, back-offs that end."""
        opening = []
        while self._shut and self._shut[0][0] <= now:
            opening.append(heapq.heappop(self._shut)[1])
        lanes, today = self.planner.lanes, timing.day_of(now)
        new_day = today != self.planner.horizon.today
        rested = [key for key in opening if lanes[key].backing_off]
        self.planner.turn_to(now, lanes_rejoin=new_day or bool(rested))
        self.now, self._again = now, False
        if self._month is not None and now >= self._month.ends_at:
            self._month = self._month.next_one(self._under_way)
        if new_day:
            for key, lane in lanes.items():
                lane.used = self._units_moved.pop((key, today), 0)
        for key in opening:
            self._sort_lane(key)

    def _sort_lane(self, key: uuid.UUID) -> None:
        """Whether a lane takes another slot now, or when it will."""
        lane = self.planner.lanes[key]
        if lane.open and not lane.backing_off:
            self._open[key] = lane
            return
        self._open.pop(key, None)
        opens_at = soonest = self.now + self.pace.every
        if lane.backing_off and lane.back_off_until is not None:
            opens_at = lane.back_off_until
        elif lane.last_slot_at is not None:
            opens_at = max(soonest, lane.last_slot_at - self.pace.ahead)
        heapq.heappush(self._shut, (opens_at, key))

    def _open_batches(self, now: datetime) -> None:
        for key, courses in list(self._opening.items()):
            for _ in range(min(self.pace.open_at_once, len(courses))):
                course = courses.pop()
                course.due_at = now
                self._due.add(course, now)
            if courses:
                self._again = True
            else:
                del self._opening[key]

    def _sources(self) -> list[Source]:
        demands = {
            key: demand_of(campaign, self.planner.lanes, now=self.now, ahead=self.pace.ahead, batch=self.pace.batch)
            for key, campaign in self.planner.campaigns.items()
            if key in self._limited or self._due.has_moved(key)
        }
        sources = self._due.sources(self._open, demands, self.pace.batch)
        lost = self._due.lost(self.world.usable, self.pace.batch)
        return [*sources, lost] if lost is not None else sources

    def _consider(self, sources: list[Source]) -> list[Course]:
        """Have the planner decide about what is due, in the total order; returns what goes on waiting."""
        waiting = []
        heads = [(source.heap[0][0], number) for number, source in enumerate(sources) if source.quota]
        heapq.heapify(heads)
        while heads and not self._month_is_full:
            number = heapq.heappop(heads)[1]
            source = sources[number]
            if self._is_blocked(source) and source.campaign_id not in self._limited:
                continue
            course = self._due.take(source)
            if self._ends(course) or self._decide(course):
                source.progress = True
            else:
                waiting.append(course)
            if source.quota and source.heap:
                heapq.heappush(heads, (source.heap[0][0], number))
        return waiting

    @property
    def _month_is_full(self) -> bool:
        return self._month is not None and self._month.taken >= self._month.limit

    def _is_blocked(self, source: Source) -> bool:
        """Whether nothing more of it can get a slot in this tick."""
        if source.lane is not None:
            return not source.lane.open
        return source.rotates and source.campaign_id in self.planner.plan.closed

    def _note_end(self, source: Source) -> None:
        """What is left of a source after a tick: held back, or cut off by the limit of a query."""
        key, closed = source.campaign_id, self.planner.plan.closed
        if self._month_is_full:
            if key is not None:
                self.binding[key, self.planner.horizon.today] = WaitReason.MONTHLY_LIMIT
            return
        if key is None or (source.lane is None and not source.rotates):
            # Lost slots and moved threads: others come up once some of them have gone.
            self._again = self._again or source.progress
            return
        if self._is_blocked(source):
            day = (key, self.planner.horizon.today)
            if self.binding.get(day) is not RotationReason.DAILY_CAP:
                self.binding[day] = closed.get(key, RotationReason.GAP)
        elif source.heap:
            self._again = True

    # -- One step

    def _ends(self, course: Course) -> bool:
        """Whether the tick stops it: suppressed, or through as its step was deleted."""
        facts = course.facts
        if not facts.suppressed and course.position in self._campaigns[facts.campaign_id].delays:
            return False
        self._end(course)
        return True

    def _end(self, course: Course) -> None:
        self._due.forget_lost(course)
        self.ended.add(course.facts.enrollment_id)
        self.left[course.facts.campaign_id] -= 1

    def _decide(self, course: Course) -> bool:
        """Have the planner decide; False when the step waits where it was."""
        plan, retry_at = self.planner.plan, self._look_at_mx(course)
        if course.mx in {MxState.PRESENT, MxState.UNCHECKED} and self._waits_with_its_campaign(course):
            return False
        before = len(plan.assignments)
        self.planner.consider(course.candidate(self.dice))
        if len(plan.assignments) > before:
            self._give_slot(course, plan.assignments[-1])
        elif course.mx is MxState.ABSENT:
            self._end(course)
        elif course.mx is MxState.SILENT and retry_at is not None:
            return self._postpone(course, retry_at)
        else:
            return False
        return True

    def _waits_with_its_campaign(self, course: Course) -> bool:
        return (
            course.position == 1 and course.message_id is None and course.facts.campaign_id in self.planner.plan.closed
        )

    def _look_at_mx(self, course: Course) -> datetime | None:
        """Note what is known of the domain now; returns when a silent one is asked again."""
        if course.facts.campaign_id not in self._checked:
            return None
        domain = course.facts.domain
        known = self._mx.get(domain)
        decision = decide_mx(known, self.now)
        course.mx = MX_STATES[decision.outcome]
        if course.mx is MxState.PENDING or known is None:
            self._answers[domain] = MxKnown(MxStatus.PRESENT, self.now)
            self._again = True
        elif domain not in self._looked_after:
            # The answer grows old while a step waits for its slot.
            self._looked_after.add(domain)
            self._wait_until(known.asked_at + kept_for(known.status, known.silences), None)
        return decision.retry_at

    def _postpone(self, course: Course, retry_at: datetime) -> bool:
        """A message that lost its slot stays with the planner; what has none comes back when its domain is asked."""
        if course.message_id is not None:
            self._wait_until(retry_at, None)
            return False
        course.due_at = retry_at
        self._wait_until(retry_at, course)
        return True

    def _give_slot(self, course: Course, assignment: Assignment) -> None:
        self._due.forget_lost(course)
        self._under_way += 1
        if self._month is not None:
            self._month = self._month.with_one_more()
        course.message_id = course.message_id or course.facts.enrollment_id
        course.credential_id, course.seed = assignment.credential_id, assignment.candidate.seed
        course.usage_day = assignment.day if course.position == 1 else None
        self.turns.add(assignment.credential_id, assignment.due_at, assignment.gap_seconds, course)
        self.turns.note_unclaimed(assignment.credential_id, assignment.due_at)

    # -- Delivery

    def _start_next(self) -> Sent | None:
        """Whoever's turn it is: sent, handed back to the planner, or something else that passes."""
        at, credential_id, item = self.turns.take()
        if isinstance(item, Passer):
            self.turns.finish(credential_id, transacted=item.transacts)
            return None
        course: Course = item
        self._under_way -= 1
        goes = self._may_start(course, credential_id) and self._holds_unit(course, credential_id, at)
        self.turns.finish(credential_id, transacted=goes)
        if not goes:
            self._lose_slot(course, at)
            return None
        if course.facts.suppressed:
            # It is refused its `wire`, in the middle of a transaction.
            self._end(course)
            return None
        facts = course.facts
        sent = Sent(at, facts.enrollment_id, facts.campaign_id, course.position, credential_id)
        self._advance(course, credential_id, at)
        return sent

    def _may_start(self, course: Course, credential_id: uuid.UUID) -> bool:
        return credential_id in self.planner.attached[course.facts.campaign_id]

    def _holds_unit(self, course: Course, credential_id: uuid.UUID, at: datetime) -> bool:
        """Whether it holds a unit of the day; one of a day before is moved where there is room."""
        today = timing.day_of(at)
        if course.usage_day is None or course.usage_day == today:
            return True
        lane, key = self.planner.lanes[credential_id], (credential_id, today)
        if today == self.planner.horizon.today:
            fits = lane.has_room
            lane.used += fits
        else:
            moved = self._units_moved.get(key, 0)
            fits = moved < lane.limit
            self._units_moved[key] = moved + fits
        if fits:
            course.usage_day = today
            # Rotation may pass over the lane now that it is heavier.
            self._wait_until(at, None)
        return fits

    def _lose_slot(self, course: Course, at: datetime) -> None:
        """Back to the planner, ahead of new contacts; a unit that was never tried goes back."""
        if not course.attempted:
            course.usage_day = None
        self._due.add(course, at)
        self._wait_until(at, None)

    def _advance(self, course: Course, credential_id: uuid.UUID, at: datetime) -> None:
        """Its next step is due after its delay; a sequence without one is through."""
        delay = self._campaigns[course.facts.campaign_id].delays.get(course.position + 1)
        course.position += 1
        course.sender_id = credential_id
        course.forget_message()
        if delay is None:
            self.left[course.facts.campaign_id] -= 1
        else:
            course.due_at = timing.step_due_at(at, delay)
            self._wait_until(course.due_at, course)


MX_STATES = {
    MxOutcome.SEND: MxState.PRESENT,
    MxOutcome.CANCEL: MxState.ABSENT,
    MxOutcome.POSTPONE: MxState.SILENT,
    MxOutcome.LOOK_UP: MxState.PENDING,
}
"""What the planner calls each outcome of a look at the MX."""
