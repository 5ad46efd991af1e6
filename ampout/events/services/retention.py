"""What is not kept for ever: old deliveries with their attempts, deleted endpoints, and loops that are gone."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from ampout.events.models import WebhookEndpoint, WebhookLoop
from ampout.lib import clock, sql

BATCH = 1_000
MOST_BATCHES = 100
"""A call: more is left to the next one."""
LOOPS_KEPT = timedelta(days=1)

_FINISHED = """
SELECT id FROM events_webhookdelivery WHERE finished_at < %(before)s ORDER BY finished_at LIMIT %(limit)s
"""
_OF_DELETED = """
SELECT delivery.id
FROM events_webhookdelivery delivery
JOIN events_webhookendpoint endpoint ON endpoint.id = delivery.endpoint_id
WHERE endpoint.deleted_at IS NOT NULL
LIMIT %(limit)s
"""
_LEFT_BEHIND = """
SELECT delivery.id
FROM events_webhookdelivery delivery
JOIN events_webhookendpoint endpoint ON endpoint.id = delivery.endpoint_id
WHERE delivery.state = 'pending' AND endpoint.disabled_at < %(before)s AND delivery.due_at < %(before)s
LIMIT %(limit)s
"""


def delete_old_deliveries(*, now: datetime | None = None) -> int:
    """Delete deliveries that ended RETENTION_DAYS ago, wait for an endpoint that was disabled as long, or whose
    endpoint was deleted; then what is left of deleted endpoints. Returns how many deliveries went.
    """
    now = now or clock.utc_now()
    before = now - timedelta(days=settings.RETENTION_DAYS)
    deleted = sum(_delete_all(query, before) for query in (_FINISHED, _LEFT_BEHIND, _OF_DELETED))
    WebhookLoop.objects.filter(lease_until__lt=now - LOOPS_KEPT).delete()
    for endpoint in WebhookEndpoint.everywhere.filter(deleted_at__isnull=False, deleted_at__lt=now)[:BATCH]:
        _forget(endpoint)
    return deleted


def _delete_all(query: str, before: datetime) -> int:
    deleted = 0
    for _ in range(MOST_BATCHES):
        size = _delete_batch(query, before)
        deleted += size
        if size < BATCH:
            break
    return deleted


@transaction.atomic
def _delete_batch(query: str, before: datetime) -> int:
    """By SQL: Django would read every attempt before deleting it."""
    ids = [row[0] for row in sql.fetch(query, {"before": before, "limit": BATCH})]
    sql.execute("DELETE FROM events_webhookattempt WHERE delivery_id = ANY(%(ids)s)", {"ids": ids})
    return sql.execute("DELETE FROM events_webhookdelivery WHERE id = ANY(%(ids)s)", {"ids": ids})


def _forget(endpoint: WebhookEndpoint) -> None:
    """Remove a deleted endpoint, unless a delivery of it is left for the next call."""
    facts = {"id": endpoint.pk}
    sql.execute(
        "DELETE FROM events_webhookendpoint WHERE id = %(id)s"
        " AND NOT EXISTS (SELECT FROM events_webhookdelivery WHERE endpoint_id = %(id)s)",
        facts,
    )
