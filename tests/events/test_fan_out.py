"""From events to deliveries: every event once for every endpoint that wants it, and none is skipped."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from ampout.accounts.models import Account
from ampout.events.kinds import EventKind
from ampout.events.models import Event, WebhookDelivery
from ampout.events.services.fan_out import fan_out
from ampout.lib import clock
from tests import factories
from tests.events.conftest import deliveries, tell

LATER = timedelta(seconds=1)


def endpoint(account: Account, **fields: Any) -> Any:
    return factories.make_webhook(account, **({"created_at": clock.utc_now() - LATER} | fields))


def fan() -> int:
    return fan_out(now=clock.utc_now())


def test_each_event_gets_one_delivery_an_endpoint(account: Account) -> None:
    first, second = endpoint(account), endpoint(account)
    events = tell(account, 3)
    assert (fan(), fan()) == (3, 0)
    for each in (first, second):
        assert [delivery.event for delivery in deliveries(each)] == events
    assert {(d.state, d.attempt) for d in deliveries(first)} == {("pending", 0)}


def test_a_second_pass_over_an_event_adds_nothing(account: Account) -> None:
    to = endpoint(account)
    tell(account)
    fan()
    Event.everywhere.update(fanned_out_at=None)
    assert fan() == 1
    assert len(deliveries(to)) == 1


@pytest.mark.parametrize(
    ("filters", "kinds"),
    [
        (["*"], {"enrollment.sent", "enrollment.replied", "campaign.paused"}),
        (["enrollment.*"], {"enrollment.sent", "enrollment.replied"}),
        (["enrollment.replied"], {"enrollment.replied"}),
        (["enrollment.replied", "campaign.*"], {"enrollment.replied", "campaign.paused"}),
        (["credential.disabled"], set()),
        ([], set()),
    ],
)
def test_filters_choose(account: Account, filters: list[str], kinds: set[str]) -> None:
    to = endpoint(account, event_filters=filters)
    for kind in (EventKind.ENROLLMENT_SENT, EventKind.ENROLLMENT_REPLIED, EventKind.CAMPAIGN_PAUSED):
        tell(account, kind=kind)
    fan()
    assert {delivery.event.type for delivery in deliveries(to)} == kinds


def test_events_from_before_the_endpoint_are_not_sent(account: Account) -> None:
    tell(account)
    to = endpoint(account, created_at=clock.utc_now())
    later = tell(account)
    assert fan() == 1
    assert [delivery.event for delivery in deliveries(to)] == later


def test_an_event_that_a_slow_clock_dates_before_the_endpoint_is_sent(account: Account) -> None:
    to = endpoint(account, created_at=clock.utc_now())
    events = tell(account)
    Event.everywhere.update(created_at=clock.utc_now() - timedelta(hours=6))
    fan()
    assert [delivery.event for delivery in deliveries(to)] == events


@pytest.mark.parametrize("field", ["disabled_at", "deleted_at"])
def test_disabled_and_deleted_endpoints_get_nothing(account: Account, field: str) -> None:
    to = endpoint(account, **{field: clock.utc_now()})
    tell(account)
    fan()
    assert deliveries(to) == []


def test_another_account_s_events_are_none_of_its_business(account: Account, other_account: Account) -> None:
    to = endpoint(account)
    tell(other_account)
    fan()
    assert deliveries(to) == []


def test_a_batch_takes_the_oldest(account: Account) -> None:
    to = endpoint(account)
    events = tell(account, 5)
    assert fan_out(now=clock.utc_now(), limit=2) == 2
    assert [delivery.event for delivery in deliveries(to)] == events[:2]


@pytest.mark.django_db(transaction=True)
def test_an_event_that_commits_late_is_not_skipped() -> None:
    """Its number is lower than that of an event which was fanned out before it could be seen."""
    account = factories.make_account()
    to = endpoint(account)
    begun, finish = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with transaction.atomic():
            tell(account)
            begun.set()
            finish.wait(20)
        connection.close()

    slow = threading.Thread(target=write_slowly)
    slow.start()
    begun.wait(20)
    quick = tell(account)[0]
    assert fan() == 1
    finish.set()
    slow.join()
    assert fan() == 1
    late, early = deliveries(to)
    assert (early.event, late.event.sequence < quick.sequence) == (quick, True)


@pytest.mark.django_db(transaction=True)
def test_two_loops_share_the_work(account: Account) -> None:
    to = endpoint(account)
    tell(account, 10)
    with transaction.atomic():
        assert fan_out(now=clock.utc_now(), limit=4) == 4
        others: list[int] = []

        def other() -> None:
            others.append(fan_out(now=clock.utc_now(), limit=100))
            connection.close()

        rival = threading.Thread(target=other)
        rival.start()
        rival.join(20)
        assert others == [6]
    assert len(deliveries(to)) == 10


def test_without_endpoints_there_is_nothing_to_do(account: Account, django_assert_num_queries: Any) -> None:
    endpoint(account, disabled_at=clock.utc_now())
    with django_assert_num_queries(2):  # the events are written by one statement, and read here by another
        tell(account, 50)
    assert not Event.everywhere.filter(fanned_out_at=None).exists()
    with django_assert_num_queries(3):  # begin, one statement, end
        assert fan() == 0
    assert not WebhookDelivery.everywhere.exists()


def test_a_look_for_new_events_reads_only_those(account: Account) -> None:
    """The partial index holds what is left to do, however long the log is."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT * FROM events_event WHERE fanned_out_at IS NULL ORDER BY sequence LIMIT 10")
        assert "event_to_fan_out" in str(cursor.fetchall())
