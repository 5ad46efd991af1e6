"""I5: nothing is put on the wire after a stop fact was answered.

A body whose `wire` came first may still arrive (design, law 5). So an arrival alone proves nothing: the ledger's
`wire_at` does, as far as its worker's clock is right, and so does a transaction that began (MAIL) after the answer, as
`wire` is asked for after RCPT.

`wire_at` is when `wire` was asked for; it is granted once its locks are held, and a process may stand still in between.
So what was asked for during a pause may lawfully be granted after it. Granted during it was whatever was over before
the pause was lifted: the body, by the server's clock, or the attempt, by the ledger's.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.checks.view import View, same_address
from tests.faults.checks.violation import Law, Violation
from tests.faults.history import Entry, Kind, Row

TOLERANCE = 0.25
"""Seconds by which two readings of one machine's clock may disagree, as while it is being set."""

STOPPING_EVENTS = frozenset({"enrollment.replied", "enrollment.bounced", "enrollment.unsubscribed"})
"""Whoever is told of one knows that the enrollment's stop is committed."""

EVERYBODY = ""

SELECTORS = ("account", "contact", "campaign", "login")


@dataclass(frozen=True, slots=True)
class Stop:
    """Whom it stops, as (name, value) of a message's fields, and from when until when."""

    selectors: tuple[tuple[str, str], ...]
    reason: str
    since: float
    until: float | None = None

    @property
    def whom(self) -> str:
        """The one address or enrollment that it stops, EVERYBODY where it stops more."""
        named = dict(self.selectors)
        return named["contact"].lower() if "contact" in named else named.get("enrollment", EVERYBODY)

    @property
    def is_pause(self) -> bool:
        """Whether it holds a campaign and nothing else: test messages go on."""
        return {name for name, _ in self.selectors} == {"account", "campaign"}

    def concerns(self, message: Row) -> bool:
        """Whether it stops this message."""
        if self.is_pause and message["stream"] == "test":
            return False
        return all(
            same_address(message["recipient"], value) if name == "contact" else message[name] == value
            for name, value in self.selectors
        )


def nothing_after_stops(view: View) -> Iterator[Violation]:
    """What went to the wire, or was begun, while it was stopped."""
    stops: dict[str, list[Stop]] = defaultdict(list)
    for stop in (*_answered(view), *_told(view)):
        stops[stop.whom].append(stop)
    for message in view.ledger.messages:
        delivered = view.deliveries_of.get(message["message_id"], [])
        if message["wire_at"] is None and not delivered:
            continue
        for stop in (
            *stops[message["recipient"].lower()],
            *stops[message["enrollment"] or EVERYBODY],
            *stops[EVERYBODY],
        ):
            if stop.concerns(message) and (found := _broken(view, stop, message, delivered)):
                yield found
                break


def _answered(view: View) -> Iterator[Stop]:
    """STOPPED entries, each until the next RESUMED one with the same selectors."""
    open_ones: dict[tuple[tuple[str, str], ...], Stop] = {}
    for entry in view.of_kind(Kind.STOPPED, Kind.RESUMED):
        selectors = _selectors(entry)
        if entry.kind is Kind.STOPPED:
            open_ones.setdefault(selectors, Stop(selectors, entry.facts.get("reason", ""), entry.at))
        elif selectors in open_ones:
            stop = open_ones.pop(selectors)
            yield Stop(stop.selectors, stop.reason, stop.since, entry.at)
    yield from open_ones.values()


def _selectors(entry: Entry) -> tuple[tuple[str, str], ...]:
    return tuple((name, entry.facts[name]) for name in SELECTORS if entry.facts.get(name) is not None)


def _told(view: View) -> Iterator[Stop]:
    for entry in view.of_kind(Kind.CALLED):
        enrollment = entry.facts["data"].get("enrollment_id")
        if entry.facts["type"] in STOPPING_EVENTS and enrollment is not None:
            yield Stop((("enrollment", enrollment),), entry.facts["type"], entry.at)


def _broken(view: View, stop: Stop, message: Row, delivered: list[Entry]) -> Violation | None:
    late = [entry for entry in delivered if _began_within(stop, entry)]
    if not late and not _wired_within(view, stop, message, delivered):
        return None
    seen = late or delivered[-1:]
    after = (seen[0].facts["began"] if late else message["wire_at"]) - stop.since
    sentence = (
        f"{message['message_id']} to {message['recipient']} left {after:.3f} s after it was known to be stopped"
        f" ({stop.reason})."
    )
    about = (message["message_id"], message["recipient"])
    return Violation(Law.STOPS, sentence, seen[0].at if seen else message["wire_at"], about)


def _began_within(stop: Stop, entry: Entry) -> bool:
    """Begun after the stop; and where that was lifted, over before: the `wire` lies between MAIL and the final dot."""
    return entry.facts.get("began", 0.0) > stop.since + TOLERANCE and (stop.until is None or entry.at < stop.until)


def _wired_within(view: View, stop: Stop, message: Row, delivered: list[Entry]) -> bool:
    """Asked for after the stop; and where that was lifted, granted before."""
    wire_at, until = message["wire_at"], stop.until
    if wire_at is None or wire_at <= stop.since + TOLERANCE + view.skew:
        return False
    return until is None or (wire_at < until and _is_over(view, message, delivered, until))


def _is_over(view: View, message: Row, delivered: list[Entry], at: float) -> bool:
    """Whether the body, or the attempt that this `wire` belongs to, had come to its end by then."""
    return any(entry.at < at for entry in delivered) or any(
        not attempt["is_evidence"] and message["wire_at"] <= attempt["ended_at"] < at - view.skew
        for attempt in view.attempts_of.get(message["message_id"], [])
    )
