"""Events are not kept for ever; docs/explanation/events.md says what guards a fact from being told twice afterwards."""

from datetime import datetime, timedelta

from django.conf import settings

from ampout.lib import clock, sql

BATCH = 5_000
MOST_BATCHES = 100
"""A call: more is left to the next one."""

_DELETE = """
DELETE FROM events_event WHERE sequence IN (
    SELECT sequence FROM events_event event
    WHERE created_at < %(before)s
      AND fanned_out_at IS NOT NULL
      AND NOT EXISTS (SELECT FROM events_webhookdelivery WHERE event_id = event.sequence)
    ORDER BY created_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
"""


def delete_old_events(*, now: datetime | None = None) -> int:
    """Delete the events of more than EVENTS_RETENTION_DAYS ago, a batch at a time; returns how many went.

    One that has a webhook delivery, pending or in the history, stays until `delete_old_deliveries` took that.
    """
    before = (now or clock.utc_now()) - timedelta(days=settings.EVENTS_RETENTION_DAYS)
    deleted = 0
    for _ in range(MOST_BATCHES):
        size = sql.execute(_DELETE, {"before": before, "limit": BATCH})
        deleted += size
        if size < BATCH:
            break
    return deleted
