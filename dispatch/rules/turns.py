"""The deliver loops of a simulation: on each lane one message after the other, in the order of their slots.

A transaction takes no time here, and the loops are always awake. So a message leaves at its slot, or later where its
gap after the transaction before it, or the lane's back-off, ends later (as `start_at` of the lane's runner says).
"""

import heapq
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from dispatch.rules import timing
from dispatch.rules.planning import Lane


@dataclass(slots=True)
class _Queue:
    """What waits on a lane, a heap; `version` tells the latest expectation of its head from stale ones."""

    waiting: list[tuple[bool, datetime, int, int, Any]] = field(default_factory=list)
    version: int = 0


class Turns:
    """Who starts next, on all lanes. `now` is the start last handed out, and never goes back."""

    def __init__(self, lanes: Mapping[uuid.UUID, Lane], now: datetime, claim_ahead: timedelta) -> None:
        self.lanes, self.now, self.claim_ahead = lanes, now, claim_ahead
        self._queues = {key: _Queue() for key in lanes}
        self._starts: list[tuple[datetime, int, int, uuid.UUID]] = []
        self._unclaimed: list[tuple[datetime, int, uuid.UUID]] = []
        self._numbers = count()

    def add(
        self, credential_id: uuid.UUID, due_at: datetime, gap_seconds: int, item: Any, *, urgent: bool = False
    ) -> None:
        """Queue something behind what is due before it; what is urgent goes first.

        Of two with the same slot, the one without a gap was given it as the follower of the other.
        """
        queue = self._queues[credential_id]
        entry = (not urgent, due_at, -gap_seconds, next(self._numbers), item)
        heapq.heappush(queue.waiting, entry)
        if queue.waiting[0] is entry:
            self._expect(credential_id, queue)

    def note_unclaimed(self, credential_id: uuid.UUID, due_at: datetime) -> None:
        """A slot that was given out counts as queued until a loop claims it, a while before it is due."""
        heapq.heappush(self._unclaimed, (due_at - self.claim_ahead, next(self._numbers), credential_id))

    def claim(self, now: datetime) -> None:
        """What the loops have claimed by now no longer counts as queued; nothing is claimed in a back-off."""
        while self._unclaimed and self._unclaimed[0][0] <= now:
            _, number, key = heapq.heappop(self._unclaimed)
            lane = self.lanes[key]
            if lane.back_off_until is not None and lane.back_off_until > now:
                heapq.heappush(self._unclaimed, (lane.back_off_until, number, key))
            else:
                lane.queued -= 1

    @property
    def next_at(self) -> datetime | None:
        """When somebody starts next; None when nothing waits."""
        while self._starts and self._queues[self._starts[0][3]].version != self._starts[0][2]:
            heapq.heappop(self._starts)
        return self._starts[0][0] if self._starts else None

    def take(self) -> tuple[datetime, uuid.UUID, Any]:
        """The next one: when it starts, on which lane, and what it is. Call `finish` once it has its outcome."""
        start_at, _, _, key = heapq.heappop(self._starts)
        self.now = start_at
        return start_at, key, heapq.heappop(self._queues[key].waiting)[-1]

    def finish(self, credential_id: uuid.UUID, *, transacted: bool) -> None:
        """Let the lane's next one be expected; the gap runs from a transaction's end."""
        if transacted:
            self.lanes[credential_id].last_finished_at = self.now
        self._expect(credential_id, self._queues[credential_id])

    def _expect(self, key: uuid.UUID, queue: _Queue) -> None:
        queue.version += 1
        if queue.waiting:
            _, due_at, negative_gap, number, _ = queue.waiting[0]
            lane = self.lanes[key]
            start_at = max(self.now, timing.start_at(due_at, lane.last_finished_at, -negative_gap))
            if lane.back_off_until is not None:
                start_at = max(start_at, lane.back_off_until)
            heapq.heappush(self._starts, (start_at, number, queue.version, key))
