"""I7 and I8: nothing of one account is moved by another's mails and calls, and no secret was found anywhere."""

from collections.abc import Iterator

from tests.faults.checks.losses import kind_of
from tests.faults.checks.view import View
from tests.faults.checks.violation import Law, Violation
from tests.faults.history import Kind, Row


def _crossed(sentence: str, *about: str, at: float | None = None) -> Violation:
    return Violation(Law.TENANTS, sentence, at, about)


def sent_by_own_login(view: View) -> Iterator[Violation]:
    """Every message left through a login of its own account."""
    accounts = {row["login"]: row["account"] for row in view.ledger.credentials}
    for entry in view.delivered:
        message = view.messages.get(entry.facts["message_id"])
        owner = accounts.get(entry.facts["login"])
        if message is not None and owner is not None and message["account"] != owner:
            sentence = f"{message['message_id']} of account {message['account']} left through {entry.facts['login']}."
            yield _crossed(sentence, message["message_id"], at=entry.at)


def feedback_is_own(view: View) -> Iterator[Violation]:
    """What came back into a mailbox says something about messages of that mailbox's account alone."""
    for row in view.ledger.feedback:
        if not row["account"] == row["message_account"] == row["notice_account"]:
            at = _mailed_at(view, row, row["notice_account"])
            sentence = f"A {row['kind']} in a mailbox of {row['notice_account']} was taken for {row['message_id']}."
            yield _crossed(sentence, row["message_id"], at=at)


def _mailed_at(view: View, row: Row, account: str) -> float | None:
    for entry in view.of_kind(Kind.MAILED):
        if (entry.facts.get("message_id"), entry.facts["account"], kind_of(entry)) == (
            row["message_id"],
            account,
            row["kind"],
        ):
            return entry.at
    return None


def replies_are_own(view: View) -> Iterator[Violation]:
    """Whoever replied did so in a mail to the account itself."""
    answered = {row["enrollment"] for row in view.ledger.feedback if row["kind"] == "reply"}
    for row in view.ledger.enrollments:
        if row["replied_at"] is not None and row["id"] not in answered:
            sentence = f"{row['contact']} counts as replied in account {row['account']}, and no reply is on record."
            yield _crossed(sentence, row["id"], row["contact"])


def events_are_own(view: View) -> Iterator[Violation]:
    """An account's events are about its own enrollments and campaigns."""
    owners = {row["id"]: row["account"] for row in (*view.ledger.enrollments, *view.ledger.campaigns)}
    for row in view.ledger.events:
        for name in ("enrollment_id", "campaign_id"):
            owner = owners.get(row["data"].get(name))
            if owner is not None and owner != row["account"]:
                yield _crossed(f"{row['fact']} was told to account {row['account']}.", row["id"], row["data"][name])
                break


def calls_are_own(view: View) -> Iterator[Violation]:
    """An account's receivers are called about its own events alone."""
    owners = {row["id"]: row["account"] for row in view.ledger.events}
    endpoints = {row["id"]: row["account"] for row in view.ledger.endpoints}
    for entry in view.of_kind(Kind.CALLED):
        called = {entry.facts["account"], endpoints.get(entry.facts.get("endpoint"), entry.facts["account"])}
        owner = owners.get(entry.facts["webhook_id"])
        if owner is not None and called != {owner}:
            sentence = (
                f"Webhook {entry.facts['webhook_id']} of account {owner} was told to {', '.join(sorted(called))}."
            )
            yield _crossed(sentence, entry.facts["webhook_id"], at=entry.at)


def suppressions_are_own(view: View) -> Iterator[Violation]:
    """An address is suppressed for what happened in the same account."""
    caused = _causes(view)
    for row in view.ledger.suppressions:
        if row["kind"] == "address" and row["contact"] and (row["account"], row["contact"].lower()) not in caused:
            sentence = (
                f"{row['contact']} is suppressed ({row['reason']}) in account {row['account']} for nothing there."
            )
            yield _crossed(sentence, row["contact"])


def _causes(view: View) -> set[tuple[str, str]]:
    """(account, address) of whom somebody of the account stopped, of who was refused, and of whom something came."""
    stopped = {
        (entry.facts["account"], entry.facts["contact"].lower())
        for entry in view.of_kind(Kind.STOPPED)
        if entry.facts.get("contact") is not None
    }
    answered = {(row["account"], row["message_id"]) for row in view.ledger.feedback}
    return stopped | {
        (row["account"], row["recipient"].lower())
        for row in view.ledger.messages
        if row["state"] == "refused" or (row["account"], row["message_id"]) in answered
    }


def secrets_stay_in(view: View) -> Iterator[Violation]:
    """I8: every place where a canary secret was found."""
    for leak in view.history.leaks:
        yield Violation(Law.SECRETS, f"A secret was found: {leak}", None)
