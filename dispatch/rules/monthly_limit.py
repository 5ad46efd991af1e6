"""The monthly limit of an account, set by the operator: what room it leaves, and who gets it (design, law 4)."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dispatch.rules.planning import Assignment

COUNT_AGAIN_AFTER = timedelta(minutes=1)
"""How long a limit that seems reached is left alone before its account's messages are counted once more."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """How much of a month's limit is taken, at most; `counted_at` is when that was last counted, and exact."""

    limit: int
    month: date
    reserved: int
    counted_at: datetime | None

    @property
    def room(self) -> int:
        """How many more messages may be given a slot."""
        return max(0, self.limit - self.reserved)


def is_to_be_counted(reservation: Reservation, *, wanted: int, month: date, now: datetime) -> bool:
    """Whether the account's messages are counted before anything is given out.

    At first, in a new month, and again each minute while there seems to be no room for as much as is wanted: what was
    refused or given up meanwhile is off the count then. A clock that steps back never brings a month back.
    """
    if reservation.counted_at is None or reservation.month < month:
        return True
    return reservation.room < wanted and now - reservation.counted_at >= COUNT_AGAIN_AFTER


def keep_within(
    assignments: Iterable[Assignment], accounts: Mapping[uuid.UUID, uuid.UUID], rooms: Mapping[uuid.UUID, int]
) -> tuple[list[Assignment], list[Assignment]]:
    """Split a tick's assignments into those that fit, and those that wait for the limit.

    `accounts` are those of the campaigns; `rooms` is what is left to those that have a limit. Assignments come in the
    total order of planning, and what comes later never moved what came before: so the first ones of each account are
    what a planner that knew of the limit would have decided.
    """
    left = dict(rooms)
    kept: list[Assignment] = []
    waiting: list[Assignment] = []
    for assignment in assignments:
        account_id = accounts[assignment.candidate.campaign_id]
        if account_id not in left:
            kept.append(assignment)
        elif left[account_id] > 0:
            left[account_id] -= 1
            kept.append(assignment)
        else:
            waiting.append(assignment)
    return kept, waiting
