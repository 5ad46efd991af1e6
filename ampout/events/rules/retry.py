"""What a receiver's answer means: delivered, tried again and when, or given up; and when an endpoint is set aside.

The schedule is that of Standard Webhooks: 75.6 hours from the first try to the last. Jitter only adds.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from random import Random

from ampout.events.rules.delivery_state import DisabledReason

SCHEDULE = (
    timedelta(0),
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""The wait before each try; the first is that after the event."""
JITTER = 0.1
"""Each wait grows by a random share of at most this."""

RETRY_AFTER_STATUSES = frozenset({429, 503})
LONGEST_RETRY_AFTER = timedelta(hours=24)
LONGEST_HOLD = timedelta(hours=1)
"""How long a receiver's Retry-After holds back the other events for it."""

FAILURES_TO_OPEN = 5
"""Failures in a row after which an endpoint is only probed."""
CALLS_SIDE_BY_SIDE = 4
PROBE_PAUSE = timedelta(seconds=30)
"""Between two probes of an endpoint that keeps failing."""

DISABLED_AFTER = timedelta(days=5)
STREAK_LAPSES_AFTER = timedelta(hours=48)
"""Failures further apart are not one stretch of failing: nothing was tried between them."""


class Verdict(StrEnum):
    """What becomes of a delivery after a call."""

    DELIVERED = "delivered"
    """The answer was 2xx, and nothing else counts."""
    RETRY = "retry"
    """It failed, and another try is on the schedule."""
    EXHAUSTED = "exhausted"
    """It failed, and that was the last try."""
    GONE = "gone"
    """The answer was 410: there will never be a receiver here."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call came to. `status` is None when there was no answer; `retry_after` is that header as it came."""

    status: int | None
    retry_after: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """`due_at` is set exactly for RETRY. `hold` is how long the receiver asked to be left alone, within bounds."""

    verdict: Verdict
    due_at: datetime | None
    hold: timedelta


def decide_delivery(answer: Answer, tries: int, now: datetime, rng: Random) -> Decision:
    """What to do after try number `tries` (from 1), which ended at `now`."""
    if answer.status is not None and 200 <= answer.status < 300:
        return Decision(Verdict.DELIVERED, None, timedelta(0))
    if answer.status == 410:
        return Decision(Verdict.GONE, None, timedelta(0))
    asked = timedelta(0)
    if answer.status in RETRY_AFTER_STATUSES:
        asked = read_retry_after(answer.retry_after, now)
    hold = min(asked, LONGEST_HOLD)
    if tries >= len(SCHEDULE):
        return Decision(Verdict.EXHAUSTED, None, hold)
    wait = SCHEDULE[tries]
    return Decision(Verdict.RETRY, now + max(wait + wait * (JITTER * rng.random()), asked), hold)


def read_retry_after(text: str, now: datetime) -> timedelta:
    """The wait that a Retry-After header asks for (RFC 9110, 10.2.3), 24 hours at most; zero for what is unreadable."""
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return min(timedelta(seconds=int(text[:9])), LONGEST_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(text)
        wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return timedelta(0)
    return min(max(wait, timedelta(0)), LONGEST_RETRY_AFTER)


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """How an endpoint has been doing; `failures` are those since the last success."""

    failures: int = 0
    failing_since: datetime | None = None
    last_failure_at: datetime | None = None
    hold_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class HealthDecision:
    """The endpoint's health after a call, and why it is to be disabled, if it is."""

    health: EndpointHealth
    disable: DisabledReason | None = None


def judge_endpoint(before: EndpointHealth, decision: Decision, now: datetime) -> HealthDecision:
    """What one more call, decided as `decision` at `now`, says about its endpoint."""
    if decision.verdict is Verdict.DELIVERED:
        return HealthDecision(EndpointHealth())
    failures = before.failures + 1
    pause = PROBE_PAUSE if failures >= FAILURES_TO_OPEN else timedelta(0)
    hold = max(decision.hold, pause)
    since = before.failing_since
    if since is None or (before.last_failure_at is not None and now - before.last_failure_at > STREAK_LAPSES_AFTER):
        since = now
    health = EndpointHealth(failures, since, now, now + hold if hold else before.hold_until)
    if decision.verdict is Verdict.GONE:
        return HealthDecision(health, DisabledReason.GONE)
    if now - since >= DISABLED_AFTER:
        return HealthDecision(health, DisabledReason.FAILING)
    return HealthDecision(health)


def calls_side_by_side(failures: int) -> int:
    """How many calls an endpoint gets at a time: one that keeps failing is only probed."""
    return CALLS_SIDE_BY_SIDE if failures < FAILURES_TO_OPEN else 1
