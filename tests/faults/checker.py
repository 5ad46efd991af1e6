"""The judge of a run: which laws a history breaks, the shortest part of it that shows so, and the words for it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.faults.checks import audited, caps, losses, sending, stops, telling, walls
from tests.faults.checks.view import View
from tests.faults.checks.violation import Law, Violation
from tests.faults.history import Entry, History, Kind, Row

__all__ = ["Law", "Violation", "check", "concerning", "in_doubt", "report", "shortest_prefix"]

SHOWN = 10
"""Violations, and entries about the first of them, that a report shows of each law."""

SHOWN_ENTRIES = 40

HIDDEN = frozenset({"digest", "size", "stage", "violations", "time", "began", "data"})
"""Facts that a line leaves out."""

CHECKS: tuple[Callable[[View], Iterator[Violation]], ...] = (
    sending.twice,
    losses.stuck,
    losses.ended,
    losses.accepted_as_delivered,
    losses.doubts_are_few,
    losses.acknowledged,
    losses.stops_kept,
    losses.limits_kept,
    losses.mails_recorded,
    caps.caps,
    sending.steps_in_order,
    stops.nothing_after_stops,
    telling.told_once,
    telling.facts_are_told,
    telling.events_have_facts,
    telling.replies_are_told,
    telling.pauses_are_told,
    telling.endpoints_are_called,
    telling.calls_are_alike,
    walls.sent_by_own_login,
    walls.feedback_is_own,
    walls.replies_are_own,
    walls.events_are_own,
    walls.calls_are_own,
    walls.suppressions_are_own,
    walls.secrets_stay_in,
    audited.audited,
)


def check(history: History) -> list[Violation]:
    """Everything that broke a law, by law and by time; empty after a good run."""
    view = View(history)
    found = [violation for one in CHECKS for violation in one(view)]
    return sorted(found, key=lambda violation: (violation.law, violation.at is None, violation.at or 0.0))


def shortest_prefix(history: History) -> tuple[Entry, ...]:
    """The entries, by time, up to the one that shows the first violation; all where only the end shows it."""
    times = [violation.at for violation in check(history) if violation.at is not None]
    entries = sorted(history.entries, key=lambda entry: entry.at)
    return tuple(entry for entry in entries if not times or entry.at <= min(times))


def concerning(entries: Iterable[Entry], violation: Violation) -> tuple[Entry, ...]:
    """Those of the entries that are about the messages and people of a violation, and the strikes among them."""
    about = set(violation.about)
    return tuple(entry for entry in entries if entry.kind is Kind.STRIKE or about & _named_in(entry.facts))


def _named_in(facts: Mapping[str, Any]) -> set[str]:
    """The texts among an entry's facts, in its lists and its data too."""
    found: set[str] = set()
    for value in facts.values():
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, Mapping):
            found |= _named_in(value)
        elif isinstance(value, list | tuple):
            found |= {one for one in value if isinstance(one, str)}
    return found


def report(history: History, violations: Sequence[Violation]) -> str:
    """The laws that were broken, how to repeat it, and the last entries of the shortest prefix."""
    entries = shortest_prefix(history)
    counts = Counter(violation.law for violation in violations)
    lines = [f"Broken: {law} ({count} times)" for law, count in sorted(counts.items())]
    for law in sorted(counts):
        of_law = [violation for violation in violations if violation.law == law]
        lines += ["", law, *(f"  {violation.sentence}" for violation in of_law[:SHOWN])]
        if len(of_law) > SHOWN:
            lines.append(f"  … and {len(of_law) - SHOWN} more")
        lines += [f"    {line}" for line in told(concerning(entries, of_law[0]), history)[-SHOWN:]]
    lines += ["", f"Again: make faults SEED={history.seed}"]
    if "folder" in history.facts:
        lines.append(f"All of it: {history.facts['folder']}")
    last = told(entries, history)[-SHOWN_ENTRIES:]
    return "\n".join([*lines, "", f"The shortest failing prefix, the last {len(last)} of {len(entries)}:", *last])


def in_doubt(history: History) -> list[str]:
    """A line for each message that was in doubt by a strike: what became of it, and which strike that was.

    It is the last one before the doubt was recorded, which is when a lease ran out, or later.
    """
    view = View(history)
    strikes = view.of_kind(Kind.STRIKE)
    return [_doubt(view, attempt, strikes) for attempt in losses.doubted(view)]


def _doubt(view: View, attempt: Row, strikes: list[Entry]) -> str:
    message = view.messages[attempt["message_id"]]
    reached = "reached the server" if attempt["message_id"] in view.deliveries_of else "never reached the server"
    before = [
        told([entry], view.history)[0].strip() for entry in strikes if entry.at <= attempt["ended_at"] + view.skew
    ]
    after = before[-1] if before else "no strike"
    return (
        f"{attempt['message_id']} to {attempt['recipient']} was in doubt, {reached}, and is {message['state']};"
        f" after {after}"
    )


def told(entries: Iterable[Entry], history: History) -> list[str]:
    """A line for each entry, its time counted from the first of the run."""
    first = min((entry.at for entry in history.entries), default=0.0)
    return [f"{entry.at - first:9.3f} s  {entry.kind:9}  {_facts(entry.facts)}" for entry in entries]


def _facts(facts: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in facts.items() if name not in HIDDEN)
