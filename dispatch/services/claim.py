"""Claiming: due messages of many credentials, for one deliver loop.

A lane (one credential) is held by one loop at a time, so that its gap is kept by whoever sends. The claimed rows carry
the loop's id and a fence that grows with each claim: a loop that lost its lease moves nothing any more.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction

from ampout.accounts import installation
from ampout.lib import database_clock, sql
from dispatch.models import Lane
from dispatch.services import overdue

CLAIM_AHEAD = timedelta(seconds=30)

_LIVE_WORKER = f"""
SELECT 1 FROM dispatch_deliveryworker
WHERE id = %(worker)s AND ended_at IS NULL AND {installation.IS_OWN} AND {database_clock.AGREES} AND {overdue.IS_NONE}
FOR SHARE
"""  # noqa: S608  # constants only

_FORGET_UNANSWERED = """
UPDATE dispatch_message SET state = 'planned', worker_id = NULL
WHERE worker_id = %(worker)s AND state = 'claimed' AND NOT (id = ANY(%(held)s))
"""

_TAKE_LANES = """
WITH due AS (
    SELECT message.credential_id, min(message.due_at) AS due_at FROM dispatch_message message
    WHERE message.state IN ('planned', 'deferred') AND message.due_at <= %(until)s
    GROUP BY message.credential_id
), free AS (
    SELECT lane.credential_id FROM dispatch_lane lane JOIN due ON due.credential_id = lane.credential_id
    WHERE lane.worker_id IS NULL AND (lane.back_off_until IS NULL OR lane.back_off_until <= %(now)s)
    ORDER BY due.due_at
    LIMIT %(lanes)s
    FOR UPDATE OF lane SKIP LOCKED
)
UPDATE dispatch_lane lane SET worker_id = %(worker)s FROM free WHERE lane.credential_id = free.credential_id
"""

# Within one slot, which campaigns without gaps have many of, in the order of planning (rules/planning). An UPDATE
# returns its rows as it finds them: `turn` keeps their order.
_CLAIM = """
WITH locked AS (
    SELECT message.id, lane.last_finished_at FROM dispatch_message message
    JOIN dispatch_lane lane ON lane.credential_id = message.credential_id AND lane.worker_id = %(worker)s
    LEFT JOIN campaigns_enrollment enrollment ON enrollment.id = message.enrollment_id
    WHERE message.state IN ('planned', 'deferred') AND message.due_at <= %(until)s
      AND (lane.back_off_until IS NULL OR lane.back_off_until <= %(now)s)
    ORDER BY message.due_at, message.step_position DESC, enrollment.priority DESC, enrollment.batch_number,
             enrollment.enrolled_at, enrollment.id
    LIMIT %(messages)s
    FOR UPDATE OF message SKIP LOCKED
), due AS (SELECT locked.*, row_number() OVER () AS turn FROM locked)
UPDATE dispatch_message message
SET state = 'claimed', worker_id = %(worker)s, fence = message.fence + 1, reason = ''
FROM due WHERE message.id = due.id
RETURNING due.turn, message.id, message.fence, message.credential_id, message.due_at, message.stream,
          message.gap_seconds, message.usage_day, message.attempts, message.first_attempt_at, due.last_finished_at,
          (SELECT credential.smtp_host FROM credentials_smtpcredential credential
           WHERE credential.id = message.credential_id),
          message.deaths
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """One message in this loop's hands.

    `attempts` counts the transactions before this one; `lane_finished_at` is when its credential's last one ended.
    `deaths` counts the processes that died while they held it, perhaps by its fault (services/poison).
    """

    message_id: uuid.UUID
    fence: int
    credential_id: uuid.UUID
    due_at: datetime
    stream: str
    gap_seconds: int
    usage_day: date | None
    attempts: int
    first_attempt_at: datetime | None
    lane_finished_at: datetime | None
    smtp_host: str = ""
    deaths: int = 0


def claim_messages(
    worker_id: uuid.UUID, *, now: datetime, lanes: int, messages: int, held: Collection[uuid.UUID] = ()
) -> list[Claim]:
    """Claim up to `messages` that are due within 30 s, taking up to `lanes` free lanes for them.

    Nothing is claimed by a loop whose lease was reaped or whose clock is wrong, in a restored copy, nor while the
    planner has yet to find out what is overdue. `held` is what this loop knows to be in its hands: other claims of its
    own are those whose answer was lost with the connection, and are made anew.
    """
    facts = {"worker": worker_id, "now": now, "until": now + CLAIM_AHEAD, "lanes": lanes, "messages": messages}
    with transaction.atomic():
        if not sql.fetch(_LIVE_WORKER, facts | installation.facts() | database_clock.facts() | overdue.facts()):
            return []
        sql.execute(_FORGET_UNANSWERED, {"worker": worker_id, "held": list(held)})
        if lanes > 0:
            sql.execute(_TAKE_LANES, facts)
        return [Claim(*row) for _, *row in sorted(sql.fetch(_CLAIM, facts))]


def release_lanes(worker_id: uuid.UUID, credential_ids: Sequence[uuid.UUID]) -> None:
    """Let other loops serve these credentials; call it when none of their messages is in this loop's hands."""
    Lane.objects.filter(worker_id=worker_id, pk__in=credential_ids).update(worker_id=None)
