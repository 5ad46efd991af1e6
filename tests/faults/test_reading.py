"""The ledger as it is read from real tables: what the engine did, driven by hand, breaks no law."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from psycopg.conninfo import make_conninfo

from ampout.events.services.endpoints import create_endpoint
from ampout.lib import clock
from dispatch.models import Message
from dispatch.services import notices
from tests.faults.checker import Law, check
from tests.faults.history import Entry, History, Kind, Ledger
from tests.faults.reading import QUERIES, delivered_entries, ledger_as_text, ledger_from_text, read_tables
from tests.services import mails
from tests.services.desk import Desk, message_of

BEHAVIOURS: dict[str, Callable[[Message], bytes]] = {
    "reply": mails.reply,
    "bounce": mails.bounce,
    "unsubscribe": mails.unsubscribe,
}


@pytest.fixture
def desk(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose time is the clock's."""
    made = Desk()
    monkeypatch.setattr(clock, "utc_now", lambda: made.now)
    return made


def read() -> Ledger:
    """The tables of this test, by a connection of its own."""
    facts = connection.get_connection_params()
    where = {name: facts[name] for name in ("host", "port", "user", "password", "dbname") if facts.get(name)}
    return read_tables(make_conninfo(**where))


def run(desk: Desk) -> list[Entry]:
    """Three messages; one is replied to, one bounces, one is answered by a wish to be left alone."""
    desk.released(3)
    messages = [message_of(claimed) for claimed in desk.send_due()]
    entries = delivered_entries(_line(message, desk.now) for message in messages)
    desk.wait(minutes=1)
    for message, (behaviour, write) in zip(messages, BEHAVIOURS.items(), strict=True):
        assert message.credential is not None
        notices.store_mail(message.credential.pk, message.account_id, write(message), received_at=desk.now)
        mail = {"mailbox": message.credential.smtp_username, "account": str(message.account_id)}
        facts = {**mail, "behaviour": behaviour, "message_id": message.message_id}
        entries.append(Entry(desk.now.timestamp(), Kind.MAILED, facts))
    notices.process_due(now=desk.now)
    return entries


def _line(message: Message, now: datetime) -> dict[str, object]:
    assert message.credential is not None
    return {
        "message_id": message.message_id,
        "recipient": message.recipient,
        "login": message.credential.smtp_username,
        "answer": "250",
        "began": (now - timedelta(seconds=1)).isoformat(),
        "time": now.isoformat(),
    }


def test_what_the_engine_did_breaks_no_law(desk: Desk) -> None:
    history = History(1, tuple(run(desk)), read())
    assert check(history) == []
    assert len(history.ledger.messages) == len(history.ledger.enrollments) == len(history.ledger.feedback) == 3
    assert len(history.ledger.events) == 6
    assert {row["reason"] for row in history.ledger.suppressions} == {"hard_bounce", "unsubscribed"}


def test_what_the_engine_did_breaks_laws_with_other_words_of_the_oracle(desk: Desk) -> None:
    entries = run(desk)
    twice = History(1, (*entries, entries[0]), read())
    assert {violation.law for violation in check(twice)} == {Law.TWICE}
    never = History(1, tuple(entries[1:]), twice.ledger)
    assert {violation.law for violation in check(never)} == {Law.LOST}


def test_an_endpoint_is_read_with_what_it_wants(desk: Desk) -> None:
    create_endpoint(desk.account, "https://receiver.example/hook", ["*"], now=desk.now)
    desk.wait(minutes=1)
    history = History(1, tuple(run(desk)), read())
    assert [row["event_filters"] for row in history.ledger.endpoints] == [["*"]]
    assert {violation.law for violation in check(history)} == {Law.EVENTS}
    assert len(check(history)) == 6


def test_rows_are_plain_texts_and_seconds(desk: Desk) -> None:
    run(desk)
    ledger = read()
    [message, *_] = ledger.messages
    assert message["account"] == str(desk.account.pk)
    assert datetime.fromtimestamp(message["wire_at"], UTC) == desk.now - timedelta(minutes=1)
    assert ledger_from_text(ledger_as_text(ledger)) == ledger
    assert {name for name in QUERIES if not getattr(ledger, name)} == {"endpoints"}
