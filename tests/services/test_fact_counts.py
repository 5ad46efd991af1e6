"""Counters only grow, and count each row once, in whatever order rows are committed."""

import threading

import pytest
from django.db import connection

from ampout.accounts.models import Account
from ampout.events.models import Event
from ampout.lib import sql
from dispatch.models import Attempt, CountMark, FactCount, Message
from dispatch.services import fact_counts
from dispatch.services.fact_counts import count_facts
from tests import factories
from tests.faults.waiting import wait_for
from tests.pages.admin_records import MAKERS
from tests.services.rival import Rival

pytestmark = pytest.mark.django_db(transaction=True)

INSERT = """
INSERT INTO events_event (id, account_id, type, fact, data, created_at)
VALUES (gen_random_uuid(), %s, 'enrollment.sent', %s, '{}', now())
"""


def counted(source: str) -> dict[str, int]:
    return dict(FactCount.objects.filter(source=source).values_list("label", "count"))


def make_events(account: Account, *facts: str, kind: str = "enrollment.sent") -> None:
    Event.everywhere.bulk_create(Event(account=account, type=kind, fact=fact, data={}) for fact in facts)


def count_until(source: str, expected: dict[str, int]) -> None:
    """Count round by round: others' transactions on the server may be waited for."""

    def holds() -> bool:
        count_facts()
        return counted(source) == expected

    wait_for(f"{source} are {expected}", holds, 60, lambda: f"{counted(source)}")


@pytest.fixture
def account() -> Account:
    return factories.make_account()


def test_rows_are_counted_by_their_label(account: Account) -> None:
    make_events(account, "a", "b")
    make_events(account, "c", kind="enrollment.replied")
    count_until("events", {"enrollment.sent": 2, "enrollment.replied": 1})


def test_counting_again_counts_nothing_twice(account: Account) -> None:
    make_events(account, "a")
    count_until("events", {"enrollment.sent": 1})
    make_events(account, "b")
    count_until("events", {"enrollment.sent": 2})
    count_facts()
    count_facts()
    assert counted("events") == {"enrollment.sent": 2}


def test_what_is_deleted_stays_counted(account: Account) -> None:
    make_events(account, "a", "b")
    count_until("events", {"enrollment.sent": 2})
    Event.everywhere.all().delete()
    make_events(account, "c")
    count_until("events", {"enrollment.sent": 3})


def test_a_row_that_is_committed_late_is_counted_too(account: Account) -> None:
    with Rival() as late:
        late.run(INSERT, account.pk, "late")
        make_events(account, "a", "b")
        for _ in range(3):
            count_facts()
        # Its number is lower than theirs, and it may still come.
        assert counted("events") == {}
        late.commit()
    count_until("events", {"enrollment.sent": 3})


def test_a_transaction_without_end_is_not_waited_for(account: Account) -> None:
    with Rival() as late:
        late.run(INSERT, account.pk, "late")
        make_events(account, "a")
        count_facts()
        sql.execute("UPDATE dispatch_countmark SET seen_at = now() - interval '1 hour'")
        count_until_impatient = counted("events")
        assert count_until_impatient == {}
        count_facts()
        sql.execute("UPDATE dispatch_countmark SET seen_at = now() - interval '1 hour'")
        count_facts()
        assert counted("events") == {"enrollment.sent": 1}


def test_two_at_once_count_nothing_twice(account: Account) -> None:
    make_events(account, *"abcdefgh")

    def work() -> None:
        for _ in range(5):
            count_facts()
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    count_until("events", {"enrollment.sent": 8})


def test_evidence_is_no_attempt(account: Account) -> None:
    message = MAKERS[Message]()
    facts = {"account": message.account, "message": message, "fence": 1, "ended_at": message.created_at}
    Attempt.everywhere.create(**facts, state="accepted")
    Attempt.everywhere.create(**facts, state="accepted", is_evidence=True)
    count_until("attempts", {"accepted": 1})


@pytest.mark.parametrize("source", fact_counts.SOURCES)
def test_rows_are_found_by_their_number(account: Account, source: str) -> None:
    _table, number, labels = fact_counts._SOURCES[source]
    query = labels.format(range=fact_counts._RANGE.format(number=number))
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(f"EXPLAIN {query}", {"counted": 1, "seen": 2})
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("SET enable_seqscan = on")
    assert "_pkey" in plan
    assert "Seq Scan" not in plan


def test_each_table_has_its_mark(account: Account) -> None:
    count_facts()
    assert set(CountMark.objects.values_list("source", flat=True)) == set(fact_counts.SOURCES)
