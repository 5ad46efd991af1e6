"""Whether an installation does its work: figures in, one check each out, with a sentence (promise G14)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MISSED_TICKS = 3
"""Periods of beat without a tick."""
CLOCK_SECONDS = 60
"""Since a wrong clock was last found: each process looks at its own more often."""
TICK_TOLERANCE_SECONDS = 10
"""How far in the future a tick may lie, which is written by the same clock that it is read by."""
UNFINISHED_PLANS = 30
"""Periods of beat without a planner that came to its end: a full plan takes longer than a period."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of the engine at one moment; ages and lags in seconds, None where there never was any."""

    beat_age: float | None = None
    plan_age: float | None = None
    """Both are negative where the database's clock was set back since."""
    wrong_clock_age: float | None = None
    """Since a process was last found whose clock is not the database's."""
    queue_age: float = 0.0
    """How late the latest message is that could go."""
    due: int = 0
    without_slot: int = 0
    undecided: int = 0
    """Messages that are unknown and inside their grace period."""
    sending_off: bool = False
    """Whether the database is a restored copy that nobody has adopted."""
    stuck: int = 0
    """Messages in the hands of loops that are dead for longer than healing takes."""
    poll_lag: float = 0.0
    webhook_lag: float = 0.0
    judging_lag: float = 0.0
    messages: Mapping[str, int] = field(default_factory=dict)
    """By state, those that have not ended."""
    loops: Mapping[str, int] = field(default_factory=dict)
    """By kind, those with a lease."""
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By source and label."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Up to where each figure is fine."""

    period_seconds: int
    due_seconds: int
    undecided: int


@dataclass(frozen=True, slots=True)
class Check:
    """One question and its answer. `value` is None where it is not known, `limit` where there is none."""

    ok: bool
    value: float | None
    limit: float | None
    message: str


def judge_readiness(figures: Figures | None, broker_queue: int | None, limits: Limits) -> dict[str, Check]:
    """Every check by its name. `figures` is None where the database gave none, `broker_queue` where the broker did."""
    broker = _broker(broker_queue)
    if figures is None:
        unasked = Check(False, None, None, "Not known, because the database does not answer.")
        names = ("beat", "planner", "clocks", "sending", "queue", "unknown", "claims")
        silent = Check(False, None, None, "The database does not answer.")
        return {"database": silent, "broker": broker} | dict.fromkeys(names, unasked)
    return {
        "database": Check(True, None, None, "The database answers."),
        "broker": broker,
        "beat": _beat(figures.beat_age, limits.period_seconds * MISSED_TICKS),
        "planner": _planner(figures.plan_age, limits.period_seconds * UNFINISHED_PLANS),
        "clocks": _clocks(figures.wrong_clock_age),
        "sending": _sending(figures.sending_off),
        "queue": _queue(figures.queue_age, limits.due_seconds),
        "unknown": _unknown(figures.undecided, limits.undecided),
        "claims": _claims(figures.stuck),
    }


def _broker(queue: int | None) -> Check:
    if queue is None:
        return Check(False, None, None, "The broker does not answer: nobody wakes the workers.")
    return Check(True, queue, None, f"The broker answers; {queue} tasks wait in it.")


def _beat(age: float | None, limit: int) -> Check:
    if age is None:
        return Check(False, None, limit, "No tick of beat has ever arrived: start beat and a worker.")
    if age < -TICK_TOLERANCE_SECONDS:
        words = f"The last tick of beat lies {-age:.0f} s in the future: the clock was set back since."
        return Check(False, age, limit, words)
    if age > limit:
        words = f"The last tick of beat arrived {age:.0f} s ago: beat, the broker or every worker stands still."
        return Check(False, age, limit, words)
    return Check(True, age, limit, f"The last tick of beat arrived {age:.0f} s ago.")


def _planner(age: float | None, limit: int) -> Check:
    if age is None:
        return Check(False, None, limit, "The planner has never come to its end.")
    if age < -TICK_TOLERANCE_SECONDS:
        words = f"The planner last came to its end {-age:.0f} s in the future: the clock was set back, and not since."
        return Check(False, age, limit, words)
    if age > limit:
        words = f"The planner last came to its end {age:.0f} s ago: look for its errors in the workers' logs."
        return Check(False, age, limit, words)
    return Check(True, age, limit, f"The planner came to its end {age:.0f} s ago.")


def is_clock_wrong(age: float | None) -> bool:
    """Whether a wrong clock that was found so many seconds ago is still taken for one."""
    return age is not None and 0 <= age <= CLOCK_SECONDS


def _clocks(age: float | None) -> Check:
    if is_clock_wrong(age):
        words = "A process whose clock is not the database's does nothing until both agree: see its log."
        return Check(False, age, CLOCK_SECONDS, words)
    return Check(True, age, CLOCK_SECONDS, "The clocks of all processes are the database's.")


def _sending(is_off: bool) -> Check:
    if is_off:
        words = "Sending is off: this database belongs to another installation, or is a copy. See manage.py adopt."
        return Check(False, None, None, words)
    return Check(True, None, None, "This database is the installation's own, and may send.")


def _queue(age: float, limit: int) -> Check:
    if age > limit:
        words = f"A message that could go is {age:.0f} s late: no deliver loop runs, or a server answers slowly."
        return Check(False, age, limit, words)
    return Check(True, age, limit, f"The oldest message that could go is {age:.0f} s late.")


def _unknown(count: int, limit: int) -> Check:
    if count > limit:
        words = f"{count} messages are unknown: servers fell silent, or workers were killed, while they were sent."
        return Check(False, count, limit, words)
    return Check(True, count, limit, f"{count} messages are unknown and inside their grace period.")


def _claims(count: int) -> Check:
    if count:
        return Check(False, count, 0, f"{count} messages are held by dead loops, and nobody heals them.")
    return Check(True, 0, 0, "No message is held by a dead loop.")
