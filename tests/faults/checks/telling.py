"""I6: each fact has exactly one event, no event is without its fact, and whoever wants it was told, always alike."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from ampout.events.kinds import EventKind
from ampout.events.rules.filters import kinds_for
from tests.faults.checks.losses import mails_about_own
from tests.faults.checks.view import View, grouped
from tests.faults.checks.violation import Law, Violation
from tests.faults.history import Kind, Row

SENT = "enrollment.sent"
TOLD_STATUSES = ("opened", "replied", "bounced", "unsubscribed")
"""Statuses of which an enrollment tells when it reaches them; one of a lower rank that comes late is not told."""


def _untold(sentence: str, *about: str, at: float | None = None) -> Violation:
    return Violation(Law.EVENTS, sentence, at, about)


def told_once(view: View) -> Iterator[Violation]:
    """No fact has two events, by its name or by what it says."""
    names = Counter((row["account"], row["fact"]) for row in view.ledger.events)
    for (_, fact), count in names.items():
        if count > 1:
            yield _untold(f"{fact} was told {count} times.", fact)
    stops = Counter(
        (row["type"], row["data"]["enrollment_id"])
        for row in {(row["account"], row["fact"]): row for row in view.ledger.events}.values()
        if row["type"] != SENT and row["data"].get("enrollment_id")
    )
    for (kind, enrollment), count in stops.items():
        if count > 1:
            yield _untold(f"{kind} of enrollment {enrollment} was told {count} times, by several names.", enrollment)


def facts_are_told(view: View) -> Iterator[Violation]:
    """Every step that was sent, and every enrollment that replied, bounced or unsubscribed, has its event."""
    facts = {(row["account"], row["fact"]) for row in view.ledger.events}
    for row in view.ledger.messages:
        wanted = f"{SENT}:{row['enrollment']}:{row['step']}"
        was_sent = row["enrollment"] is not None and row["state"] in {"accepted", "unknown"}
        if was_sent and (row["account"], wanted) not in facts:
            sentence = f"{row['message_id']} is {row['state']}, and no event tells of it."
            yield _untold(sentence, row["message_id"], row["recipient"])
    for row in view.ledger.enrollments:
        wanted = f"enrollment.{row['status']}:{row['id']}"
        if row["status"] in TOLD_STATUSES and (row["account"], wanted) not in facts:
            sentence = f"The enrollment of {row['contact']} is {row['status']}, and no event tells of it."
            yield _untold(sentence, row["id"], row["contact"])


def events_have_facts(view: View) -> Iterator[Violation]:
    """Every event tells of something that the tables know."""
    campaigns = {row["id"] for row in view.ledger.campaigns}
    for row in view.ledger.events:
        enrollment = row["data"].get("enrollment_id")
        if enrollment is not None:
            known = _knows(view, row, enrollment)
        elif row["type"] == EventKind.CAMPAIGN_PAUSED:
            known = row["data"].get("campaign_id") in campaigns
        else:
            continue
        if not known:
            yield _untold(f"{row['fact']} was told, and nothing of the kind happened.", row["id"], row["fact"])


def _knows(view: View, event: Row, enrollment_id: str) -> bool:
    enrollment = view.enrollments.get(enrollment_id)
    if enrollment is None:
        return False
    if event["type"] != SENT:
        return enrollment[f"{event['type'].partition('.')[2]}_at"] is not None
    step = event["fact"].rpartition(":")[2]
    message = view.messages_of.get(enrollment_id, {}).get(int(step)) if step.isdecimal() else None
    return message is not None and message["wire_at"] is not None


def replies_are_told(view: View) -> Iterator[Violation]:
    """A mail is on record once; a reply that is on record is told, unless more than a reply was known by then."""
    known = mails_about_own(view)
    rows: Counter[tuple[str, str]] = Counter()
    for row in view.ledger.feedback:
        if row["account"] == row["message_account"] == row["notice_account"] and row["source"] == "imap":
            rows[row["message_id"], row["kind"]] += 1
    for (message_id, kind), count in rows.items():
        mails = known[message_id, kind]
        if mails and count > mails:
            yield _untold(f"{mails} mails ({kind}) came about {message_id}, and {count} are on record.", message_id)
    replied = {row["data"].get("enrollment_id") for row in view.ledger.events if row["type"] == "enrollment.replied"}
    for message_id in (message_id for message_id, kind in rows if kind == "reply"):
        enrollment = view.enrollments.get(view.messages.get(message_id, {}).get("enrollment") or "")
        if enrollment is None or enrollment["status"] in {"bounced", "unsubscribed"}:
            continue
        if enrollment["id"] not in replied:
            yield _untold(f"A reply to {message_id} is on record, and no event tells of it.", message_id)


def pauses_are_told(view: View) -> Iterator[Violation]:
    """Every pause of a campaign has an event of its own, and no event is without one."""
    told = Counter(
        (row["account"], row["data"].get("campaign_id"))
        for row in view.ledger.events
        if row["type"] == EventKind.CAMPAIGN_PAUSED
    )
    answered, asked = _pauses(view)
    for row in view.ledger.campaigns:
        campaign, count = row["id"], told[row["account"], row["id"]]
        if not answered[campaign] <= count <= asked[campaign]:
            times = f"{answered[campaign]} times of {asked[campaign]}"
            yield _untold(f"{campaign} is known to be paused {times}, and {count} events tell of it.", campaign)


def _pauses(view: View) -> tuple[Counter[str], Counter[str]]:
    """How often each campaign was paused: as far as it was answered, and at most.

    A pause that was not answered may have happened; it is lifted all the same, which is noted.
    """
    answered: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    paused: set[str] = set()
    for entry in view.of_kind(Kind.STOPPED, Kind.RESUMED):
        campaign = entry.facts.get("campaign")
        if campaign is None or entry.facts.get("contact") is not None or entry.facts.get("login") is not None:
            continue
        if entry.kind is Kind.RESUMED:
            asked[campaign] += campaign not in paused
            paused.discard(campaign)
        elif campaign not in paused:
            paused.add(campaign)
            answered[campaign] += 1
            asked[campaign] += 1
    return answered, asked


def endpoints_are_called(view: View) -> Iterator[Violation]:
    """Every event that an endpoint wants reached it."""
    called = {
        (entry.facts["webhook_id"], entry.facts.get("endpoint"), entry.facts["account"])
        for entry in view.of_kind(Kind.CALLED)
    }
    kinds = [kind.value for kind in EventKind]
    for endpoint in view.ledger.endpoints:
        if endpoint["disabled_at"] is not None or endpoint["deleted_at"] is not None:
            continue
        wanted = set(kinds_for(endpoint["event_filters"], kinds))
        for event in view.ledger.events:
            own = event["account"] == endpoint["account"] and event["recorded_at"] >= endpoint["since"]
            ways = {(event["id"], which, event["account"]) for which in (endpoint["id"], None)}
            if own and event["type"] in wanted and not called & ways:
                yield _untold(f"{event['fact']} never reached its receiver.", event["id"], event["fact"])


def calls_are_alike(view: View) -> Iterator[Violation]:
    """A call tells of an event of the log, and says the same each time."""
    events = {row["id"]: row for row in view.ledger.events}
    by_id: dict[Any, Any] = defaultdict(list, grouped(view.of_kind(Kind.CALLED), "webhook_id"))
    for webhook_id, calls in by_id.items():
        first = calls[0]
        event = events.get(webhook_id)
        if event is None or event["type"] != first.facts["type"]:
            known = "is not in the log" if event is None else f"is {event['type']} in the log"
            sentence = f"Webhook {webhook_id} told of {first.facts['type']}, and {known}."
            yield _untold(sentence, str(webhook_id), at=first.at)
        for call in calls[1:]:
            if call.facts["body"] != first.facts["body"]:
                yield _untold(f"Webhook {webhook_id} came with two bodies.", str(webhook_id), at=call.at)
                break
