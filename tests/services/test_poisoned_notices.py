"""A8: a notice that kills whoever judges it is set aside after three deaths, and holds up no other."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError

from ampout.lib import clock, sql
from dispatch.models import Message, Notice
from dispatch.services import judgement, notices
from tests.services import mails
from tests.services.desk import Desk, message_of
from tests.services.judging import enrollment_of, store


@pytest.fixture
def sent(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Message:
    """A message to somebody who replied; storing reads the desk's clock."""
    monkeypatch.setattr(clock, "utc_now", lambda: desk.now)
    desk.released(1)
    [claimed] = desk.send_due()
    message = message_of(claimed)
    store(desk, message, mails.reply(message))
    return message


def after(deaths: int) -> Notice:
    """The notice, with so many tries from which nobody came back."""
    Notice.everywhere.update(deaths=deaths, failures=deaths)
    found: Notice = Notice.everywhere.get()
    return found


def test_a_suspect_that_is_judged_is_none_any_more(desk: Desk, sent: Message) -> None:
    notice = after(notices.DEATHS_TO_QUARANTINE - 1)
    assert notices.process_due(now=desk.now) == 1
    notice.refresh_from_db()
    assert (notice.deaths, notice.processed_at) == (0, desk.now)
    assert enrollment_of(sent).status == "replied"


def test_what_three_died_of_is_set_aside_unread(desk: Desk, sent: Message, caplog: pytest.LogCaptureFixture) -> None:
    notice = after(notices.DEATHS_TO_QUARANTINE)
    body = bytes(notice.body)
    assert notices.process_due(now=desk.now) == 0
    notice.refresh_from_db()
    assert (notice.processed_at, notice.verdict["quarantined"], bytes(notice.body)) == (desk.now, "poison", body)
    assert enrollment_of(sent).status == "sent"
    assert [str(notice.pk) in record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [True]


def test_an_operator_can_have_it_judged_again(desk: Desk, sent: Message) -> None:
    after(notices.DEATHS_TO_QUARANTINE)
    notices.process_due(now=desk.now)
    call_command("replay_notices")
    assert enrollment_of(sent).status == "replied"
    assert "quarantined" not in Notice.everywhere.get().verdict


def test_an_error_that_the_process_survives_is_no_death(
    desk: Desk, sent: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    after(2)

    def fail(*_arguments: object, **_facts: object) -> None:
        raise ValueError("no")

    monkeypatch.setattr(judgement, "judge", fail)
    notices.process_due(now=desk.now)
    assert (Notice.everywhere.get().deaths, Notice.everywhere.get().error) == (0, "ValueError: no")


def test_the_databases_own_trouble_is_no_death(desk: Desk, sent: Message, monkeypatch: pytest.MonkeyPatch) -> None:
    after(1)

    def fail(*_arguments: object, **_facts: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(judgement, "judge", fail)
    notices.process_due(now=desk.now)
    assert Notice.everywhere.get().deaths == 1


def test_suspects_are_judged_alone_and_hold_up_nobody(
    desk: Desk, sent: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        store(desk, sent, mails.reply(sent).replace(b"Date:", b"X-Number: %d\r\nDate:" % number, 1) + b"%d" % number)
    ids = list(Notice.everywhere.order_by("received_at", "pk").values_list("pk", flat=True))
    for number, pk in enumerate(ids):
        Notice.everywhere.filter(pk=pk).update(next_try_at=desk.now - timedelta(hours=1) + timedelta(seconds=number))
    Notice.everywhere.filter(pk__in=ids[1:3]).update(deaths=1)
    batches: list[list[int]] = []
    fetch = sql.fetch

    def watch(query: str, *facts: Any) -> list[sql.Row]:
        rows = fetch(query, *facts)
        if query == notices._CLAIM:
            batches.append([ids.index(row[1]) for row in rows])
        return rows

    monkeypatch.setattr(sql, "fetch", watch)
    assert notices.process_due(now=desk.now) == 5
    assert [sorted(batch) for batch in batches if batch] == [[0], [1], [2], [3, 4]]
