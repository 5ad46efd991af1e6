"""Leases of webhook loops, by the database's clock: an endpoint is served by one live loop at a time."""

import uuid

from django.conf import settings

from ampout.events.models import WebhookEndpoint, WebhookLoop
from ampout.lib import database_clock, sql

_START = """
INSERT INTO events_webhookloop (name, id, started_at, lease_until)
VALUES (%(name)s, %(id)s, now(), now() + make_interval(secs => %(lease)s))
ON CONFLICT (name) DO UPDATE
SET id = excluded.id, started_at = excluded.started_at, lease_until = excluded.lease_until
WHERE events_webhookloop.lease_until < now()
"""
_RENEW = f"""
UPDATE events_webhookloop SET lease_until = now() + make_interval(secs => %(lease)s) WHERE id = %(id)s
RETURNING {database_clock.AHEAD}
"""  # noqa: S608  # constants only
# The database's clock may have been set back: a live holder renews, a dead one's lease runs out one lease later.
_CAP = """
UPDATE events_webhookloop SET lease_until = now() + make_interval(secs => %(lease)s)
WHERE lease_until > now() + make_interval(secs => %(lease)s)
"""


def start_loop(name: str) -> uuid.UUID | None:
    """Register a loop under `name`; None while a live one holds that name."""
    loop_id = uuid.uuid4()
    started = sql.execute(_START, {"name": name, "id": loop_id, "lease": settings.LEASE_SECONDS})
    return loop_id if started else None


def renew_lease(loop_id: uuid.UUID) -> bool:
    """Extend the lease; False when another loop took the name over, and this one must stop.

    No lease lies further ahead than one. The log tells where the clock of this process is wrong.
    """
    facts = {"id": loop_id, "lease": settings.LEASE_SECONDS}
    sql.execute(_CAP, facts)
    rows = sql.fetch(_RENEW, facts | database_clock.facts())
    if rows:
        database_clock.judge(rows[0][0])
    return bool(rows)


def end_loop(loop_id: uuid.UUID) -> None:
    """A loop that stops by itself gives up its endpoints."""
    WebhookEndpoint.everywhere.filter(loop_id=loop_id).update(loop_id=None)
    WebhookLoop.objects.filter(id=loop_id).delete()
