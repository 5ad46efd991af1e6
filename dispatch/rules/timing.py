"""Slots, gaps, delays and days: all arithmetic on time that the planner does (design: Gap, Delay, Daily limit).

Every instant is timezone-aware. Nothing here reads a clock.
"""

import hashlib
import uuid
from datetime import UTC, date, datetime, timedelta

LONGEST_GAP_SECONDS = 86_400
"""A day; the largest `max_wait_seconds` a campaign may ask for."""


def draw_gap(minimum_seconds: int, maximum_seconds: int, seed: int) -> int:
    """The gap of one message in whole seconds, uniform in [minimum, maximum], the same for the same seed for ever.

    Taken from a digest of the seed rather than from `random.Random`, whose `randint` may change between Python
    versions: an explanation given next year must name the gap that was drawn today. The modulo's bias is below 2**-239.
    Raises ValueError unless 0 ≤ minimum ≤ maximum ≤ 86,400.
    """
    if not 0 <= minimum_seconds <= maximum_seconds <= LONGEST_GAP_SECONDS:
        raise ValueError(
            f"A gap needs 0 ≤ minimum ≤ maximum ≤ {LONGEST_GAP_SECONDS} seconds, "
            f"got {minimum_seconds} and {maximum_seconds}.",
        )
    digest = hashlib.sha256(str(seed).encode("ascii")).digest()
    return minimum_seconds + int.from_bytes(digest) % (maximum_seconds - minimum_seconds + 1)


def draw_seed(key: bytes, enrollment_id: uuid.UUID, position: int, previous: int | None = None) -> int:
    """The seed of a step's gap, in 63 bits: the planner that gives the slot and the forecast before it draw the same.

    Nobody without `key` can foretell it. `previous` is the seed of a slot that was lost: the next gap is a fresh one.
    """
    drawn_from = b"%b|%d|%d" % (enrollment_id.bytes, position, -1 if previous is None else previous)
    digest = hashlib.blake2b(drawn_from, key=hashlib.sha256(key).digest(), digest_size=8)
    return int.from_bytes(digest.digest()) >> 1


def next_slot(
    now: datetime,
    last_slot_at: datetime | None,
    last_finished_at: datetime | None,
    gap_seconds: int,
) -> datetime:
    """The earliest instant at which a credential may start its next transaction.

    The gap runs from the later of the slot given out last and the end of the transaction that ended last (None: there
    was none); a slot that lies in the past is moved to `now`, so that idle time is never saved up into a burst.
    """
    earlier = [instant for instant in (last_slot_at, last_finished_at) if instant is not None]
    if not earlier:
        return now
    return max(now, max(earlier) + timedelta(seconds=gap_seconds))


def start_at(due_at: datetime, last_finished_at: datetime | None, gap_seconds: int) -> datetime:
    """When a planned message may start: not before its slot, nor before its gap after the transaction before it."""
    if last_finished_at is None:
        return due_at
    return max(due_at, last_finished_at + timedelta(seconds=gap_seconds))


def room_ahead(last_slot_at: datetime | None, now: datetime, ahead: timedelta) -> bool:
    """Whether a credential whose last slot is `last_slot_at` may be given another one.

    Slots are given out only while the last one lies within `ahead` of now: what is planned early cannot follow a later
    pause, edit or faster mailbox.
    """
    return last_slot_at is None or last_slot_at <= now + ahead


def step_due_at(sent_at: datetime, delay_minutes: int) -> datetime:
    """When a step is due whose predecessor was sent at `sent_at`. Raises ValueError for a negative delay."""
    if delay_minutes < 0:
        raise ValueError(f"delay_minutes must not be negative, got {delay_minutes}.")
    return sent_at + timedelta(minutes=delay_minutes)


def unknown_step_due_at(wire_at: datetime, delay_minutes: int, grace: timedelta) -> datetime:
    """When a step is due whose predecessor is `unknown` (law 3): the later of its delay and the grace period.

    Both run from `wire_at`, the last instant at which we know the predecessor's state. Raises ValueError for a negative
    delay.
    """
    return max(step_due_at(wire_at, delay_minutes), wire_at + grace)


def day_of(instant: datetime) -> date:
    """The UTC day that an instant belongs to. Raises ValueError for a naive one, which belongs to no day."""
    if instant.tzinfo is None:
        raise ValueError(f"An instant without a time zone belongs to no UTC day: {instant!r}.")
    return instant.astimezone(UTC).date()
