"""From the log of events to deliveries: one row for every endpoint that wants an event, made off the hot path.

Events say themselves whether they were fanned out. A cursor over their numbers would skip those of a transaction that
began early and committed late. What an endpoint is told begins with it by the database's clock: those of the programs
may be wrong, and an event dated too early would never be told. An endpoint from the future was made before the
database's own clock was set back: it is told everything until then.
"""

from datetime import datetime

from django.db import transaction

from ampout.events.rules.delivery_state import DeliveryState
from ampout.lib import database_clock, sql

BATCH = 1_000

_FAN_OUT = f"""
WITH batch AS MATERIALIZED (
    SELECT sequence, account_id, type, recorded_at
    FROM events_event
    WHERE fanned_out_at IS NULL AND {database_clock.AGREES}
    ORDER BY sequence
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), made AS (
    INSERT INTO events_webhookdelivery
        (id, account_id, endpoint_id, event_id, state, attempt, tries, due_at, error, created_at)
    SELECT gen_random_uuid(), batch.account_id, endpoint.id, batch.sequence, %(pending)s, 0, 0, %(now)s, '', %(now)s
    FROM batch
    JOIN events_webhookendpoint endpoint ON endpoint.account_id = batch.account_id
    WHERE endpoint.disabled_at IS NULL
      AND endpoint.deleted_at IS NULL
      AND (endpoint.since <= batch.recorded_at
           OR endpoint.since > statement_timestamp() + interval '{database_clock.TOLERANCE_SECONDS} seconds')
      AND endpoint.event_filters ?| ARRAY['*', split_part(batch.type, '.', 1) || '.*', batch.type]
    ON CONFLICT (event_id, endpoint_id) DO NOTHING
)
UPDATE events_event SET fanned_out_at = %(now)s WHERE sequence IN (SELECT sequence FROM batch)
"""  # noqa: S608  # constants only


def fan_out(*, now: datetime, limit: int = BATCH) -> int:
    """Make the deliveries of the oldest events that have none yet; returns how many events that were.

    None by a wrong clock. Many loops may call it side by side: a batch is locked, and the others take the next one.
    """
    with transaction.atomic():
        facts = {"limit": limit, "now": now, "pending": DeliveryState.PENDING.value}
        return sql.execute(_FAN_OUT, facts | database_clock.facts())
