"""The account's log for those who read it by a cursor: nothing is missed, nothing comes twice.

The sequence numbers of events are no cursor: a transaction that began early may commit late, below a number that the
reader has passed. So places are given when the log is read, to what has committed by then:

1. Lock the account's log. Who else reads it waits here, and goes on from where we leave it.
2. Give the next places to the oldest events without one. All of them are committed, or we would not see them.
3. Commit places and the last of them together. From now on whoever sees a place sees every place below it.
4. Read behind the cursor, up to the last place we know of.

An event that commits later gets a later place, whatever its number. No transaction elsewhere can hold the log back, and
places survive a dump and a restore, which transaction ids do not.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction

from ampout.events.models import Event
from ampout.lib import sql
from ampout.lib.errors import AmpoutError

PLACED_AT_ONCE = 10_000
"""Events: so long a log is placed by several reads."""
LOOKED_AT = 10_000
"""Events: the most that a read looks through for the kinds it wants."""

_STATE = """
SELECT coalesce((SELECT last_position FROM events_eventlog WHERE account_id = %(account)s), 0),
       EXISTS (SELECT FROM events_event WHERE account_id = %(account)s AND position IS NULL)
"""
_LOCK = """
INSERT INTO events_eventlog AS log (account_id, last_position) VALUES (%(account)s, 0)
ON CONFLICT (account_id) DO UPDATE SET last_position = log.last_position
RETURNING last_position
"""
# A statement of its own, after the lock: it sees all that the reader before us did. The events are locked in the order
# of their numbers, as an erasure takes them.
_PLACE = """
WITH unplaced AS MATERIALIZED (
    SELECT sequence
    FROM events_event
    WHERE account_id = %(account)s AND position IS NULL
    ORDER BY sequence
    LIMIT %(limit)s
    FOR NO KEY UPDATE
), batch AS MATERIALIZED (
    SELECT sequence, row_number() OVER (ORDER BY sequence) AS number FROM unplaced
), placed AS (
    UPDATE events_event event SET position = %(last)s + batch.number
    FROM batch WHERE event.sequence = batch.sequence
)
UPDATE events_eventlog SET last_position = last_position + (SELECT count(*) FROM batch)
WHERE account_id = %(account)s
RETURNING last_position
"""
_FIRST = """
SELECT position FROM events_event
WHERE account_id = %(account)s AND position > %(after)s ORDER BY position LIMIT 1
"""


class CursorBeyondLog(AmpoutError):
    """The cursor names a place that this log never had."""

    code = "validation_failed"


@dataclass(frozen=True, slots=True)
class LogPage:
    """Events, oldest first, and the place to read on from."""

    events: list[Event]
    position: int


def read_log(account_id: uuid.UUID, after: int, kinds: Collection[str], limit: int) -> LogPage:
    """At most `limit` events of these kinds behind place `after`. Call it outside any transaction.

    Where the page's position is `after` itself, there is nothing newer; otherwise reading may go on, also when no event
    of these kinds was found. Raises CursorBeyondLog.
    """
    [(last, has_unplaced)] = sql.fetch(_STATE, {"account": account_id})
    if after > last:
        raise CursorBeyondLog("after")
    if has_unplaced and last - after < LOOKED_AT:
        last = _place(account_id)
    first = sql.fetch(_FIRST, {"account": account_id, "after": after})
    end = min(last, first[0][0] + LOOKED_AT - 1) if first else after
    found = Event.objects.of(account_id).filter(position__gt=after, position__lte=end, type__in=kinds)
    events = list(found.order_by("position")[:limit])
    is_full = len(events) == limit
    return LogPage(events, events[-1].position or end if is_full else end)


@transaction.atomic
def _place(account_id: uuid.UUID) -> int:
    [(last,)] = sql.fetch(_LOCK, {"account": account_id})
    [(placed,)] = sql.fetch(_PLACE, {"account": account_id, "last": last, "limit": PLACED_AT_ONCE})
    return int(placed)
