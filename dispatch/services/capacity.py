"""The daily cap: units are reserved by one conditional UPDATE, never counted afterwards (design, law 4).

A step-1 message holds one unit of (credential, day) from its planning on; `Message.usage_day` and `DailyUsage.used`
change in the same transaction, so they always agree.
"""

import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import date

from django.db import transaction

from ampout.lib import sql
from dispatch.services.lanes import lock_lane

_ADD_MISSING = """
INSERT INTO dispatch_dailyusage (credential_id, day, used, highest_limit)
SELECT credential, %(day)s, 0, 0 FROM unnest(%(credentials)s::uuid[]) credential ON CONFLICT DO NOTHING
"""
_RESERVE = """
UPDATE dispatch_dailyusage usage
SET used = usage.used + asked.units, highest_limit = GREATEST(usage.highest_limit, credential.daily_limit)
FROM unnest(%(credentials)s::uuid[], %(units)s::int[]) AS asked(credential_id, units)
JOIN credentials_smtpcredential credential ON credential.id = asked.credential_id
WHERE usage.credential_id = asked.credential_id AND usage.day = %(day)s
  AND usage.used + asked.units <= credential.daily_limit
"""
_RETURN = (
    "UPDATE dispatch_dailyusage SET used = used - %(units)s WHERE credential_id = %(credential)s AND day = %(day)s"
)
_UNITS_TO_RETURN = """
WITH held AS (
    SELECT id, credential_id, usage_day FROM dispatch_message
    WHERE usage_day IS NOT NULL AND due_at IS NULL AND first_attempt_at IS NULL AND state IN ('planned', 'cancelled')
    ORDER BY id FOR UPDATE SKIP LOCKED
)
UPDATE dispatch_message message SET usage_day = NULL
FROM held WHERE message.id = held.id
RETURNING held.credential_id, held.usage_day
"""
_MOVE_DAY = """
UPDATE dispatch_message SET usage_day = %(wanted)s
WHERE id = %(message)s AND fence = %(fence)s AND worker_id = %(worker)s AND state = 'claimed' AND usage_day = %(held)s
"""


def reserve(day: date, units: Mapping[uuid.UUID, int]) -> bool:
    """Take units of these credentials' caps on one day; False when some do not fit, and then the caller rolls back.

    Call it with the lanes locked.
    """
    credentials = sorted(units)
    facts = {"day": day, "credentials": credentials, "units": [units[credential] for credential in credentials]}
    sql.execute(_ADD_MISSING, facts)
    return sql.execute(_RESERVE, facts) == len(units)


def give_back(credential_id: uuid.UUID, day: date, units: int) -> None:
    """Return units that no message holds any more."""
    sql.execute(_RETURN, {"units": units, "credential": credential_id, "day": day})


@transaction.atomic
def return_units() -> int:
    """Give back the units of messages that were cancelled, or lost their slot, before any transaction."""
    returned = Counter((credential_id, day) for credential_id, day in sql.fetch(_UNITS_TO_RETURN))
    for (credential_id, day), units in sorted(returned.items()):
        give_back(credential_id, day, units)
    return sum(returned.values())


@transaction.atomic
def move_unit(
    worker_id: uuid.UUID, message_id: uuid.UUID, fence: int, credential_id: uuid.UUID, days: tuple[date, date]
) -> bool:
    """Move a claimed message's unit from one day to a later one; False when that day is full or the claim is lost."""
    held, wanted = days
    lock_lane(credential_id)
    if not reserve(wanted, {credential_id: 1}):
        return False
    facts = {"message": message_id, "fence": fence, "worker": worker_id, "held": held, "wanted": wanted}
    moved = sql.execute(_MOVE_DAY, facts) == 1
    give_back(credential_id, held if moved else wanted, 1)
    return moved
