"""What the SMTP server saw, message by message: nothing twice, no step before the one before it."""

from collections.abc import Iterator
from typing import Any

from tests.faults.checks.view import View
from tests.faults.checks.violation import Law, Violation
from tests.faults.history import Entry, Row


def twice(view: View) -> Iterator[Violation]:
    """I1: a Message-ID, or a step to a person, that was completed more than once."""
    steps: dict[tuple[Any, ...], str] = {}
    seen: set[str] = set()
    for entry in view.delivered:
        message_id, recipient = entry.facts["message_id"], entry.facts["recipient"]
        if message_id in seen:
            sentence = f"{message_id} to {recipient} was delivered again."
            yield Violation(Law.TWICE, sentence, entry.at, (message_id, recipient))
            continue
        seen.add(message_id)
        row = view.messages.get(message_id)
        if row is None or row["step"] is None:
            continue
        step = (row["account"], row["campaign"], recipient.lower(), row["step"])
        if step in steps:
            sentence = f"{recipient} got step {row['step']} as {steps[step]} and again as {message_id}."
            yield Violation(Law.TWICE, sentence, entry.at, (steps[step], message_id, recipient))
        steps.setdefault(step, message_id)


def steps_in_order(view: View) -> Iterator[Violation]:
    """I4: what was delivered, and what the ledger says of it, has every step after the one before it."""
    for messages in view.messages_of.values():
        for step, message in messages.items():
            if step > 1:
                yield from _delivered_in_order(view, messages.get(step - 1), message)
                yield from _wired_in_order(view, messages.get(step - 1), message)


def _delivered_in_order(view: View, earlier: Row | None, later: Row) -> Iterator[Violation]:
    """An earlier step that nobody knows the fate of counts as sent, after its grace."""
    delivered = view.deliveries_of.get(later["message_id"])
    if not delivered:
        return
    first = _first(view, earlier)
    if first is None:
        if earlier is None or earlier["state"] != "unknown":
            yield _out_of_order(later, "was delivered, and the one before it never was", delivered[0].at)
    elif first.at > delivered[0].at:
        yield _out_of_order(later, "was delivered before the one before it", delivered[0].at)


def _first(view: View, message: Row | None) -> Entry | None:
    found = view.deliveries_of.get(message["message_id"]) if message is not None else None
    return found[0] if found else None


def _wired_in_order(view: View, earlier: Row | None, later: Row) -> Iterator[Violation]:
    """The ledger's `wire_at` is by its worker's clock, which may be off."""
    if later["wire_at"] is None:
        return
    if earlier is None or earlier["state"] not in {"accepted", "unknown", "refused"} or earlier["wire_at"] is None:
        state = "missing" if earlier is None else earlier["state"]
        yield _out_of_order(later, f"was on the wire, and the one before it is {state}", later["wire_at"])
    elif earlier["wire_at"] > later["wire_at"] + view.skew:
        yield _out_of_order(later, "was on the wire before the one before it", later["wire_at"])


def _out_of_order(message: Row, words: str, at: float) -> Violation:
    sentence = f"Step {message['step']} to {message['recipient']}, {message['message_id']}, {words}."
    return Violation(Law.ORDER, sentence, at, (message["message_id"], message["recipient"]))
