"""I2: everything that was planned came to a named end, and the ledger says of it what the SMTP server saw."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.faults.checks.view import View, same_address
from tests.faults.checks.violation import Law, Violation
from tests.faults.history import Entry, Kind, Row
from tests.peers import chaos_behaviours
from tests.peers.chaos_behaviours import Action, plan_for

ENDED = frozenset({"accepted", "refused", "gave_up", "unknown"})
"""Ends that name themselves; a cancelled message has a reason besides. Nobody in a run is poison, to be quarantined."""

KIND_OF_BEHAVIOUR = {"absence": "auto_reply", "complaint": "feedback"}
"""What the ledger calls a mail, where people call it something else."""

KEPT = {"unsubscribed": "unsubscribed", "manual": "suppressed"}
"""Reasons of stops that are for good, and the words for them."""

LONGEST_THOUGHT = 60
"""Seconds that a server may think about the final dot before whoever waits is no longer expected to."""


def _lost(sentence: str, *about: str) -> Violation:
    return Violation(Law.LOST, sentence, None, about)


def ended(view: View) -> Iterator[Violation]:
    """Every message and every released enrollment came to an end, and the end has a reason."""
    for row in view.ledger.messages:
        if row["state"] == "cancelled" and not row["reason"]:
            yield _lost(f"{row['message_id']} is cancelled without a reason.", row["message_id"], row["recipient"])
        elif row["state"] != "cancelled" and row["state"] not in ENDED:
            sentence = f"{row['message_id']} to {row['recipient']} is {row['state']}, in which nothing ends."
            yield _lost(sentence, row["message_id"], row["recipient"])
    for row in view.ledger.enrollments:
        if row["released_at"] is not None:
            yield from _enrollment_ended(view, row)


def stuck(view: View) -> Iterator[Violation]:
    """The run came to its end."""
    words = view.history.facts.get("stuck")
    if words:
        yield _lost(str(words))


def _enrollment_ended(view: View, row: Row) -> Iterator[Violation]:
    who = f"The sequence of {row['contact']} in {row['campaign']}"
    if row["stopped_at"] is None and row["finished_at"] is None:
        yield _lost(f"{who} is unfinished, at step {row['next_position']}.", row["id"], row["contact"])
        return
    if row["stopped_at"] is not None and not row["stop_reason"]:
        yield _lost(f"{who} stopped without a reason.", row["id"], row["contact"])
    messages = view.messages_of.get(row["id"], {})
    through = row["steps_due"] if row["finished_at"] is not None else row["next_position"] - 1
    for step in range(1, through + 1):
        if step not in messages:
            yield _lost(f"{who} is past step {step}, of which there is no message.", row["id"], row["contact"])
        elif row["finished_at"] is not None and messages[step]["state"] == "cancelled":
            yield _lost(f"{who} is finished, and its step {step} was cancelled.", row["id"], row["contact"])


def accepted_as_delivered(view: View) -> Iterator[Violation]:
    """What the ledger calls accepted the server has; what the server has is accepted, or in doubt."""
    for row in view.ledger.messages:
        if row["state"] == "accepted" and row["message_id"] not in view.deliveries_of:
            sentence = f"{row['message_id']} to {row['recipient']} is accepted, and the server never saw it."
            yield _lost(sentence, row["message_id"], row["recipient"])
    for message_id, entries in view.deliveries_of.items():
        known = view.messages.get(message_id)
        state = "not in the ledger" if known is None else known["state"]
        if state not in {"accepted", "unknown"}:
            recipient = entries[0].facts["recipient"]
            yield _lost(f"{message_id} to {recipient} was delivered, and is {state}.", str(message_id), recipient)


def doubted(view: View) -> list[Row]:
    """The attempts that ended in doubt where the server did not ask for it: one for each message, the first."""
    found: dict[str, Row] = {}
    for row in view.ledger.attempts:
        if row["state"] == "unknown" and not row["is_evidence"] and not _asks_for_doubt(row["recipient"]):
            found.setdefault(row["message_id"], row)
    return list(found.values())


def _asks_for_doubt(recipient: str) -> bool:
    """Whether the server hangs up within the body of this recipient, or is silent, late or unreadable behind it."""
    plan = plan_for(recipient, 1)
    return "body" in plan or _hangs_up_at_the_body(plan.get("data")) or _says_nothing_certain(plan.get("dot"))


def _hangs_up_at_the_body(action: Action | None) -> bool:
    """Whoever writes a small body may have written all of it before that is seen."""
    return action is not None and action.kind is chaos_behaviours.Kind.DROP and action.code == "354"


def _says_nothing_certain(action: Action | None) -> bool:
    if action is None:
        return False
    answers = action.kind in {chaos_behaviours.Kind.ANSWER, chaos_behaviours.Kind.DRIP}
    return not answers or action.code[:1] not in {"2", "4", "5"} or action.seconds >= LONGEST_THOUGHT


def doubts_are_few(view: View) -> Iterator[Violation]:
    """No more messages in doubt than connections were open at the strikes."""
    found = doubted(view)
    allowed = sum(int(entry.facts.get("in_doubt", 0)) for entry in view.of_kind(Kind.STRIKE))
    if len(found) > allowed:
        ids = tuple(row["message_id"] for row in found)
        yield _lost(f"{len(found)} messages were in doubt, where {allowed} connections were struck.", *ids)


def acknowledged(view: View) -> Iterator[Violation]:
    """What the API acknowledged is in the tables."""
    contacts = {(row["account"], row["contact"].lower()) for row in view.ledger.contacts}
    # A test message goes to an address that need not be a contact's.
    contacts |= {(row["account"], row["recipient"].lower()) for row in view.ledger.messages}
    kept = {
        "enrollment": {(row["account"], row["id"]) for row in view.ledger.enrollments},
        "campaign": {(row["account"], row["id"]) for row in view.ledger.campaigns},
        "contact": contacts,
    }
    for entry in view.of_kind(Kind.ANSWERED):
        account = entry.facts.get("account")
        for name, known in kept.items():
            one = entry.facts.get(name)
            named = [*([one] if one is not None else []), *entry.facts.get(f"{name}s", [])]
            for text in named:
                if (account, text.lower() if name == "contact" else text) not in known:
                    yield _lost(f"{entry.facts.get('call')} was acknowledged, and {name} {text} is gone.", text)


def stops_kept(view: View) -> Iterator[Violation]:
    """Whoever unsubscribed or was suppressed, which was acknowledged, is so in that account, as are the sequences."""
    suppressed = {
        (row["account"], (row["contact"] or "").lower()) for row in view.ledger.suppressions if row["kind"] == "address"
    }
    for entry in view.of_kind(Kind.STOPPED):
        account, contact, reason = entry.facts["account"], entry.facts.get("contact"), entry.facts.get("reason")
        if contact is None or reason not in KEPT:
            continue
        if (account, contact.lower()) not in suppressed:
            yield _lost(f"{contact} is {KEPT[reason]}, which was acknowledged, and is not suppressed.", contact)
        for row in view.ledger.enrollments if reason == "unsubscribed" else ():
            own = row["account"] == account and same_address(row["contact"], contact)
            if own and row["unsubscribed_at"] is None:
                yield _lost(f"{contact} unsubscribed, which was acknowledged, and is not unsubscribed.", contact)


def limits_kept(view: View) -> Iterator[Violation]:
    """The daily limit that was acknowledged last is the one that stands."""
    told = {
        entry.facts["login"]: entry.facts["limit"] for entry in view.of_kind(Kind.ANSWERED) if "limit" in entry.facts
    }
    for row in view.ledger.credentials:
        limit = told.get(row["login"], row["daily_limit"])
        if row["daily_limit"] != limit:
            sentence = f"A limit of {limit} for {row['login']} was acknowledged, and it is {row['daily_limit']}."
            yield _lost(sentence, row["login"])


def mails_recorded(view: View) -> Iterator[Violation]:
    """Every mail that came back about a message of its own account is on record."""
    rows = Counter(
        (row["message_id"], row["kind"])
        for row in view.ledger.feedback
        if row["account"] == row["message_account"] == row["notice_account"]
    )
    for (message_id, kind), count in sorted(mails_about_own(view).items()):
        if rows[message_id, kind] < count:
            sentence = f"{count} mails ({kind}) came about {message_id}, and {rows[message_id, kind]} are on record."
            yield _lost(sentence, message_id)


def kind_of(mailed: Entry) -> str:
    """What the ledger calls such a mail."""
    behaviour = str(mailed.facts["behaviour"])
    return KIND_OF_BEHAVIOUR.get(behaviour, behaviour)


def mails_about_own(view: View) -> Counter[tuple[str, str]]:
    """How many different mails of each kind came about each message, into a mailbox of the account that sent it."""
    mails: set[tuple[str, str, Any]] = set()
    for entry in view.of_kind(Kind.MAILED):
        facts = entry.facts
        row = view.messages.get(facts.get("message_id") or "")
        if row is not None and row["account"] == facts["account"]:
            kind = kind_of(entry)
            mails.add((row["message_id"], kind, facts.get("mail_id", entry.at)))
    return Counter((message_id, kind) for message_id, kind, _ in mails)
