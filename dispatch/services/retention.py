"""What came back is kept RETENTION_DAYS: then the rows stay, as proof and against a second telling, without content."""

from datetime import datetime, timedelta

from django.conf import settings

from ampout.lib import clock, sql

AT_ONCE = 1_000
BATCHES_A_TICK = 50

# What was never judged is given up with its content. Rows in other hands are left for the next tick.
_NOTICES = """
UPDATE dispatch_notice
SET body = '', headers = '', error = '', verdict = verdict - 'evidence', address_digests = '{}',
    processed_at = COALESCE(processed_at, %(now)s)
WHERE id IN (
    SELECT id FROM dispatch_notice WHERE received_at < %(before)s AND NOT (body = '' AND headers = '')
    ORDER BY received_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
"""
_FEEDBACK = """
UPDATE dispatch_feedback SET text = '', subject = '', sender = '', evidence = '[]'
WHERE id IN (
    SELECT id FROM dispatch_feedback
    WHERE occurred_at < %(before)s AND NOT (text = '' AND subject = '' AND sender = '')
    ORDER BY occurred_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
"""
_HITS = """
UPDATE dispatch_hit SET url = '', user_agent = '', network = ''
WHERE id IN (
    SELECT id FROM dispatch_hit
    WHERE occurred_at < %(before)s AND NOT (url = '' AND user_agent = '' AND network = '')
    ORDER BY occurred_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
"""
_MX_VERDICTS = """
DELETE FROM dispatch_mxverdict
WHERE domain IN (
    SELECT domain FROM dispatch_mxverdict WHERE checked_at < %(before)s AND wanted_at IS NULL
    LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
"""


def forget_old(*, now: datetime | None = None) -> int:
    """Empty notices, feedback and hits older than RETENTION_DAYS, in batches of their own; returns how many rows.

    Domains whose MX was not asked for so long are forgotten: somebody's own domain names them.
    """
    now = now or clock.utc_now()
    facts = {"now": now, "before": now - timedelta(days=settings.RETENTION_DAYS), "limit": AT_ONCE}
    return sum(_in_batches(statement, facts) for statement in (_NOTICES, _FEEDBACK, _HITS, _MX_VERDICTS))


def _in_batches(statement: str, facts: dict[str, object]) -> int:
    emptied = 0
    for _ in range(BATCHES_A_TICK):
        rows = sql.execute(statement, facts)
        emptied += rows
        if rows < AT_ONCE:
            break
    return emptied
