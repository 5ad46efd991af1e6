"""What /readyz and /metrics tell: one statement on one snapshot, whose every part is served by a partial index.

What it reads grows with what is at hand (slots that were given out, endpoints, loops), never with what is enrolled or
was sent. All of it is in the database, so every web process gives the same answer.
"""

from collections import defaultdict
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction

from ampout.accounts import installation
from ampout.accounts.installation import IS_OFF
from ampout.events.rules.retry import FAILURES_TO_OPEN
from ampout.lib import sql
from dispatch.gateways import broker
from dispatch.rules.message_state import OUTSTANDING, MessageState
from dispatch.rules.readiness import Check, Figures, Limits, judge_readiness
from dispatch.services import fact_counts

PATIENCE_SECONDS = 5
"""For the database's answer, while a migration has a table locked, say."""
HEALING_PERIODS = 3
"""Looks for dead loops after which their messages count as stuck."""
LOOPS = ("deliver", "poll", "webhooks")
STATES = tuple(sorted(state.value for state in OUTSTANDING | {MessageState.UNKNOWN}))

# What waits for its lane's back-off, or for its owner, is not late.
_FIGURES = f"""
SELECT 'age', name, EXTRACT(epoch FROM now() - ticked_at)::float8 FROM dispatch_tick
UNION ALL
SELECT 'messages', 'planned', count(*) FROM dispatch_message WHERE state = 'planned' AND due_at IS NOT NULL
UNION ALL
SELECT 'messages', 'deferred', count(*) FROM dispatch_message WHERE state = 'deferred' AND due_at IS NOT NULL
UNION ALL
SELECT 'messages', 'claimed', count(*) FROM dispatch_message WHERE state = 'claimed' AND worker_id IS NOT NULL
UNION ALL
SELECT 'messages', 'wire', count(*) FROM dispatch_message WHERE state = 'wire' AND worker_id IS NOT NULL
UNION ALL
SELECT 'messages', 'unknown', count(*) FROM dispatch_message WHERE state = 'unknown'
UNION ALL
SELECT 'number', 'without_slot', count(*) FROM dispatch_message WHERE state = 'planned' AND due_at IS NULL
UNION ALL
SELECT 'number', 'due', count(*) FROM dispatch_message WHERE state IN ('planned', 'deferred') AND due_at <= now()
UNION ALL
SELECT 'number', 'undecided', count(*) FROM dispatch_message
WHERE state = 'unknown' AND wire_at > now() - make_interval(secs => %(grace)s)
UNION ALL
SELECT 'number', 'stuck', count(*) FROM dispatch_message message
LEFT JOIN dispatch_deliveryworker worker ON worker.id = message.worker_id
WHERE message.state IN ('claimed', 'wire')
  AND (worker.id IS NULL OR COALESCE(worker.ended_at, worker.lease_until) < now() - make_interval(secs => %(healing)s))
UNION ALL
SELECT 'number', 'sending_off', {IS_OFF}::int
UNION ALL
SELECT 'lag', 'queue', EXTRACT(epoch FROM now() - due_at)::float8 FROM (
    SELECT message.due_at FROM dispatch_message message
    JOIN dispatch_lane lane ON lane.credential_id = message.credential_id
    JOIN credentials_smtpcredential credential ON credential.id = message.credential_id
    JOIN accounts_account account ON account.id = message.account_id
    WHERE message.state IN ('planned', 'deferred') AND message.due_at <= now()
      AND (lane.back_off_until IS NULL OR lane.back_off_until <= now())
      AND credential.disabled_at IS NULL AND account.suspended_at IS NULL
    ORDER BY message.due_at LIMIT 1
) AS oldest
UNION ALL
SELECT 'lag', 'queue', EXTRACT(epoch FROM now() - min(due_at))::float8 FROM dispatch_message
WHERE state = 'claimed' AND worker_id IS NOT NULL
UNION ALL
SELECT 'lag', 'poll', EXTRACT(epoch FROM now() - next_poll_at)::float8 FROM (
    SELECT next_poll_at FROM dispatch_mailbox WHERE next_poll_at <= now() ORDER BY next_poll_at LIMIT 1
) AS mailbox
UNION ALL
SELECT 'lag', 'judging', EXTRACT(epoch FROM now() - next_try_at)::float8 FROM (
    SELECT next_try_at FROM dispatch_notice
    WHERE processed_at IS NULL AND next_try_at <= now() ORDER BY next_try_at LIMIT 1
) AS notice
UNION ALL
SELECT 'lag', 'webhook', EXTRACT(epoch FROM now() - created_at)::float8 FROM (
    SELECT created_at FROM events_event WHERE fanned_out_at IS NULL ORDER BY sequence LIMIT 1
) AS event
UNION ALL
SELECT 'lag', 'webhook', EXTRACT(epoch FROM now() - min(delivery.due_at))::float8
FROM events_webhookendpoint endpoint CROSS JOIN LATERAL (
    SELECT due_at FROM events_webhookdelivery
    WHERE endpoint_id = endpoint.id AND state = 'pending' AND due_at <= now() ORDER BY due_at LIMIT 1
) AS delivery
WHERE endpoint.disabled_at IS NULL AND endpoint.deleted_at IS NULL
  AND (endpoint.hold_until IS NULL OR endpoint.hold_until <= now())
  AND endpoint.consecutive_failures < %(failing)s
UNION ALL
SELECT 'loops', CASE WHEN name LIKE 'poll %%' THEN 'poll' ELSE 'deliver' END, count(*) FROM dispatch_deliveryworker
WHERE ended_at IS NULL AND lease_until > now() GROUP BY 2
UNION ALL
SELECT 'loops', 'webhooks', count(*) FROM events_webhookloop WHERE lease_until > now()
UNION ALL
SELECT source, label, count FROM dispatch_factcount
"""  # noqa: S608  # constants only


def read_figures() -> Figures:
    """All figures as they are at one moment. Raises DatabaseError where the database gives none."""
    with transaction.atomic():
        sql.execute(f"SET LOCAL statement_timeout = '{PATIENCE_SECONDS}s'")
        rows = sql.fetch(_FIGURES, facts())
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for group, name, value in rows:
        # Ages have one row each, and may be negative.
        found[group][name] = value if group == "age" else max(value or 0, found[group].get(name, 0))
    numbers, lags = found["number"], found["lag"]
    return Figures(
        beat_age=found["age"].get("beat"),
        plan_age=found["age"].get("plan"),
        wrong_clock_age=found["age"].get("clock"),
        queue_age=lags.get("queue", 0.0),
        due=int(numbers["due"]),
        without_slot=int(numbers["without_slot"]),
        undecided=int(numbers["undecided"]),
        sending_off=bool(numbers["sending_off"]),
        stuck=int(numbers["stuck"]),
        poll_lag=lags.get("poll", 0.0),
        webhook_lag=lags.get("webhook", 0.0),
        judging_lag=lags.get("judging", 0.0),
        messages={state: int(found["messages"][state]) for state in STATES},
        loops={kind: int(found["loops"].get(kind, 0)) for kind in LOOPS},
        counts={source: _whole(found[source]) for source in fact_counts.SOURCES},
    )


def facts() -> dict[str, Any]:
    """What the statement is given."""
    return {
        "grace": settings.UNKNOWN_GRACE_SECONDS,
        "healing": settings.RECONCILE_EVERY_SECONDS * HEALING_PERIODS,
        "failing": FAILURES_TO_OPEN,
        **installation.facts(),
    }


def _whole(numbers: dict[str, float]) -> dict[str, int]:
    return {label: int(number) for label, number in numbers.items()}


def check_readiness() -> dict[str, Check]:
    """Every check by its name, whatever does not answer."""
    try:
        figures = read_figures()
    except DatabaseError:
        figures = None
    limits = Limits(settings.PLAN_EVERY_SECONDS, settings.READY_DUE_SECONDS, settings.READY_UNKNOWN_MESSAGES)
    return judge_readiness(figures, broker.waiting_tasks(), limits)
