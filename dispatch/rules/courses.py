"""Sequences on their way through a simulation, and the lists that a tick takes due steps from."""

import heapq
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from dispatch.rules.demand import Demand
from dispatch.rules.planning import CampaignFacts, Candidate, Lane, MxState
from dispatch.rules.world import OpenSequence

Dice = Callable[[uuid.UUID, int, int | None], int]
"""The seed of a step's gap: of an enrollment's id, a position, and the seed of the slot it lost, if it had one."""

Order = tuple[int, bool, int]
"""Position (later ones first), whether it has no message, rank: the total order of planning in short."""


class Course:
    """A sequence and the message of its next step.

    `rank` is its place among all sequences where neither position nor a lost slot decides. `message_id` is set once
    that step has a message; its other facts are then in `credential_id`, `seed`, `usage_day` and `attempted`.
    """

    __slots__ = (
        "attempted",
        "credential_id",
        "due_at",
        "facts",
        "message_id",
        "mx",
        "position",
        "rank",
        "seed",
        "sender_id",
        "usage_day",
    )

    def __init__(self, facts: OpenSequence, rank: int) -> None:
        self.facts, self.rank = facts, rank
        self.position, self.sender_id, self.due_at = facts.position, facts.sender_id, facts.due_at
        self.mx = MxState.UNCHECKED
        message = facts.message
        self.message_id = None if message is None else message.message_id
        self.credential_id = None if message is None else message.credential_id
        self.seed = None if message is None else message.seed
        self.usage_day = None if message is None else message.usage_day
        self.attempted = message is not None and message.attempted

    def forget_message(self) -> None:
        """The step has no message yet."""
        self.message_id = self.credential_id = self.seed = self.usage_day = None
        self.attempted = False

    @property
    def order(self) -> Order:
        """Its place in the total order of planning."""
        return (-self.position, self.message_id is None, self.rank)

    def candidate(self, dice: Dice) -> Candidate:
        """As the planner reads it: a first step keeps to the sender that it was attempted through."""
        facts, sender_id, held = self.facts, self.sender_id, None
        if self.position == 1:
            sender_id = self.credential_id if self.attempted else None
        if self.usage_day is not None and self.credential_id is not None:
            held = (self.credential_id, self.usage_day)
        return Candidate(
            facts.enrollment_id,
            facts.campaign_id,
            self.position,
            facts.priority,
            facts.batch_number,
            facts.enrolled_at,
            sender_id,
            dice(facts.enrollment_id, self.position, self.seed),
            self.mx,
            self.message_id,
            held,
        )


Entry = tuple[Order, Course]


class Source:
    """A heap of due steps of one kind. A tick takes `quota` of them at most.

    `campaign_id` is empty for those that lost their slot, of all campaigns; `lane` is set where all go through one;
    `rotates`: they are first steps, and wait together once their campaign is closed. `progress`: the tick has given
    slots to some, or stopped them.
    """

    __slots__ = ("campaign_id", "heap", "lane", "progress", "quota", "rotates")

    def __init__(
        self,
        heap: list[Entry],
        quota: int,
        campaign_id: uuid.UUID | None = None,
        *,
        lane: Lane | None = None,
        rotates: bool = False,
    ) -> None:
        self.heap, self.quota, self.campaign_id, self.lane, self.rotates = heap, quota, campaign_id, lane, rotates
        self.progress = False


class DueSteps:
    """What is due and has no slot, by kind, as the planner's queries tell them apart."""

    def __init__(self, campaigns: Mapping[uuid.UUID, CampaignFacts]) -> None:
        self._attached = {key: frozenset(campaign.credential_ids) for key, campaign in campaigns.items()}
        self._first: dict[uuid.UUID, list[Entry]] = {key: [] for key in campaigns}
        self._later: dict[tuple[uuid.UUID, uuid.UUID], list[Entry]] = {}
        self._moved: dict[uuid.UUID, list[tuple[datetime, int, Course]]] = {key: [] for key in campaigns}
        self._lost: dict[uuid.UUID, Course] = {}
        self._count = 0

    def __bool__(self) -> bool:
        """Whether anything waits for a slot."""
        return bool(self._count or self._lost)

    def has_moved(self, campaign_id: uuid.UUID) -> bool:
        """Whether steps wait whose sender was retired."""
        return bool(self._moved[campaign_id])

    def add(self, course: Course, now: datetime) -> None:
        """Put a step where the planner looks for it; nowhere while its sender is not usable."""
        campaign_id, sender_id = course.facts.campaign_id, course.sender_id
        if course.message_id is not None:
            self._lost[course.facts.enrollment_id] = course
            return
        if course.position == 1:
            heapq.heappush(self._first[campaign_id], (course.order, course))
        elif sender_id is None:
            heapq.heappush(self._moved[campaign_id], (course.due_at or now, course.rank, course))
        elif sender_id in self._attached[campaign_id]:
            heapq.heappush(self._later.setdefault((campaign_id, sender_id), []), (course.order, course))
        else:
            return
        self._count += 1

    def sources(
        self, open_lanes: Mapping[uuid.UUID, Lane], demands: Mapping[uuid.UUID, Demand], batch: int
    ) -> list[Source]:
        """The kinds that have something. `demands` bounds what is taken of the campaigns that it names."""
        sources = []
        for pair in [pair for pair, heap in self._later.items() if not heap]:
            del self._later[pair]
        for (key, lane_id), heap in self._later.items():
            if lane_id in open_lanes:
                quota = demands[key].later.get(lane_id, 0) if key in demands else len(heap)
                sources.append(Source(heap, quota, key, lane=open_lanes[lane_id]))
        for key, heap in self._first.items():
            if heap:
                sources.append(Source(heap, demands[key].first if key in demands else batch, key, rotates=True))
        return [*sources, *self._moved_sources(demands)]

    def _moved_sources(self, demands: Mapping[uuid.UUID, Demand]) -> Iterable[Source]:
        """Threads whose sender was retired: those that have waited longest."""
        for key, demand in demands.items():
            moved = self._moved[key]
            longest = [heapq.heappop(moved)[2] for _ in range(min(len(moved), demand.moved))]
            if longest:
                yield Source(sorted((course.order, course) for course in longest), len(longest), key)

    def lost(self, usable: frozenset[uuid.UUID], batch: int) -> Source | None:
        """What lost its slot; later steps only where their sender is usable, or free to change."""
        if not self._lost:
            return None
        entries = [
            (course.order, course)
            for course in self._lost.values()
            if course.position == 1 or course.sender_id is None or course.sender_id in usable
        ]
        entries.sort()
        return Source(entries[:batch], min(batch, len(entries)))

    def take(self, source: Source) -> Course:
        """The next of a source. One that lost its slot stays listed until it is forgotten."""
        course = heapq.heappop(source.heap)[1]
        source.quota -= 1
        if course.message_id is None:
            self._count -= 1
        return course

    def forget_lost(self, course: Course) -> None:
        """It has a slot again, or was stopped."""
        self._lost.pop(course.facts.enrollment_id, None)
