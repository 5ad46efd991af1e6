"""I3: how many step-1 messages each credential attempted on each UTC day, against the limit in force.

The SMTP server's own time counts, for what reached it; an attempt that did not get so far is known from the ledger.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from tests.faults.checks.view import View
from tests.faults.checks.violation import Law, Violation
from tests.faults.history import Kind, Row


@dataclass(frozen=True, slots=True)
class Attempted:
    """A message that was tried: when it began, and when that was seen."""

    began: float
    seen: float
    message_id: str


def caps(view: View) -> Iterator[Violation]:
    """The first message of each credential and day that went over the limit in force."""
    changes = _changes(view)
    for (login, day), attempts in sorted(_attempts(view).items()):
        counted: set[str] = set()
        for attempt in sorted(attempts, key=lambda one: (one.began, one.message_id)):
            limit = _limit_at(changes[login], attempt.began)
            if limit is None or attempt.message_id in counted:
                continue
            counted.add(attempt.message_id)
            if len(counted) > limit:
                total = len({one.message_id for one in attempts})
                sentence = (
                    f"{login} on {day}: {attempt.message_id} is number {len(counted)} where {limit} may be"
                    f" attempted; there were {total}."
                )
                yield Violation(Law.CAPS, sentence, attempt.seen, (attempt.message_id, login))
                break


def _attempts(view: View) -> dict[tuple[str, date], list[Attempted]]:
    found: dict[tuple[str, date], list[Attempted]] = defaultdict(list)
    for entry in view.delivered:
        message = view.messages.get(entry.facts["message_id"])
        if message is not None and _counts(message):
            began = entry.facts.get("began", entry.at)
            found[entry.facts["login"], _day(began)].append(Attempted(began, entry.at, message["message_id"]))
    for attempt in view.ledger.attempts:
        if _counts(attempt) and _is_known_from_it_alone(view, attempt):
            began = attempt["started_at"]
            found[attempt["login"], _day(began)].append(Attempted(began, began, attempt["message_id"]))
    return found


def _counts(row: Row) -> bool:
    return bool(row["stream"] == "campaign" and row["step"] == 1)


def _is_known_from_it_alone(view: View, attempt: Row) -> bool:
    """The server has the better time of what it took: a worker's clock may be off."""
    if attempt["is_evidence"] or attempt["started_at"] is None:
        return False
    return attempt["state"] not in {"accepted", "unknown"} or attempt["message_id"] not in view.deliveries_of


def _changes(view: View) -> dict[str, list[tuple[float, int]]]:
    """The limits of each login, each with the time from when it is known to hold, oldest first."""
    found: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for login, limit in view.history.facts.get("limits", {}).items():
        found[login].append((0.0, int(limit)))
    for entry in view.of_kind(Kind.ANSWERED):
        if "limit" in entry.facts:
            found[entry.facts["login"]].append((entry.at, int(entry.facts["limit"])))
    return found


def _limit_at(changes: list[tuple[float, int]], began: float) -> int | None:
    """The limit for what began then: a raise may hold before its answer, a lower limit holds from its answer on."""
    before = [limit for at, limit in changes if at <= began]
    later = [limit for at, limit in changes if at > began and _day(at) == _day(began)]
    in_force = before[-1:] + later
    return max(in_force) if in_force else None


def _day(at: float) -> date:
    return datetime.fromtimestamp(at, UTC).date()
