"""The log under concurrent writers and readers, and what is deleted of it."""

import random
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from pytest_django.fixtures import Settings

from ampout.accounts.models import Account
from ampout.events.kinds import EventKind
from ampout.events.models import Event, EventLog
from ampout.events.rules.delivery_state import DeliveryState
from ampout.events.services.event_retention import delete_old_events
from ampout.events.services.fan_out import fan_out
from ampout.events.services.read_log import read_log
from ampout.lib import clock
from tests import factories
from tests.events.conftest import deliveries, tell
from tests.services.rival import Held, Waiting

KINDS = [kind.value for kind in EventKind]
WRITERS, ROUNDS = 4, 25
OLD = timedelta(days=91)


def follow(account: Account, after: int = 0, limit: int = 7) -> Iterator[Event]:
    """Every event behind a place, until the place stands still."""
    while True:
        page = read_log(account.pk, after, KINDS, limit)
        yield from page.events
        if page.position == after:
            return
        after = page.position


class Reader:
    """Follows the cursor while others write."""

    def __init__(self, account: Account) -> None:
        self.account, self.seen, self.position = account, [], 0  # type: tuple[Account, list[Event], int]

    def read(self) -> int:
        """One page; how many events it had."""
        page = read_log(self.account.pk, self.position, KINDS, 7)
        self.position = page.position
        self.seen += page.events
        return len(page.events)


def in_thread(act: Any) -> threading.Thread:
    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(3))
def test_readers_see_every_event_once_whatever_the_order_of_commits(seed: int) -> None:
    """Writers keep transactions open across each other's commits and roll some back; two readers follow meanwhile."""
    account = factories.make_account()
    committed: list[int] = []
    done = threading.Event()

    def write(number: int) -> None:
        rng = random.Random(f"{seed}-{number}")
        for _ in range(ROUNDS):
            with transaction.atomic():
                told = tell(account, rng.randint(1, 3))
                # The server's pause: what others write meanwhile commits first.
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_sleep(%s)", [rng.random() / 100])
                if rng.random() < 0.2:
                    transaction.set_rollback(True)
                    continue
            committed.extend(event.sequence for event in told)

    def read(reader: Reader) -> None:
        while not done.is_set():
            reader.read()

    readers = [Reader(account), Reader(account)]
    writing = [in_thread(lambda number=number: write(number)) for number in range(WRITERS)]
    reading = [in_thread(lambda reader=reader: read(reader)) for reader in readers]
    for thread in writing:
        thread.join()
    done.set()
    for thread in reading:
        thread.join()
    for reader in readers:
        while reader.read():
            pass
        assert sorted(event.sequence for event in reader.seen) == sorted(committed)
        assert [event.position for event in reader.seen] == list(range(1, len(committed) + 1))


@pytest.mark.django_db(transaction=True)
def test_a_reader_waits_for_another_s_places_and_goes_on_from_them() -> None:
    account = factories.make_account()
    tell(account, 3)
    with Held(lambda: read_log(account.pk, 0, KINDS, 10)) as first:
        second = Waiting(lambda: read_log(account.pk, 0, KINDS, 10)).until_it_waits()
        ours = first.commit()
    assert (
        [event.position for event in ours.events] == [event.position for event in second.result().events] == [1, 2, 3]
    )


def aged(account: Account, count: int, **fields: Any) -> list[Event]:
    """Events of 91 days ago."""
    events = tell(account, count)
    facts = {"created_at": clock.utc_now() - OLD} | fields
    Event.everywhere.filter(pk__in=[event.pk for event in events]).update(**facts)
    return events


def test_what_is_past_its_days_is_deleted_and_nothing_else(account: Account, other_account: Account) -> None:
    aged(account, 3)
    aged(other_account, 1)
    kept = tell(account, 2)
    assert delete_old_events() == 4
    assert list(Event.everywhere.order_by("pk")) == kept
    assert delete_old_events() == 0


def test_the_setting_says_how_long(account: Account, settings: Settings) -> None:
    settings.EVENTS_RETENTION_DAYS = 92
    aged(account, 1)
    assert delete_old_events() == 0


def test_an_event_stays_while_a_webhook_waits_for_it_or_shows_it(account: Account) -> None:
    endpoint = factories.make_webhook(account, created_at=clock.utc_now() - OLD * 2)
    aged(account, 2)
    assert delete_old_events() == 0, "not fanned out yet"
    fan_out(now=clock.utc_now())
    pending, delivered = deliveries(endpoint)
    delivered.state, delivered.finished_at = DeliveryState.DELIVERED.value, clock.utc_now()
    delivered.save()
    assert delete_old_events() == 0
    delivered.delete()
    assert delete_old_events() == 1
    assert Event.everywhere.get() == pending.event


def test_places_go_on_after_a_deletion(account: Account) -> None:
    aged(account, 3)
    assert len(list(follow(account))) == 3
    delete_old_events()
    tell(account, 1)
    assert [event.position for event in follow(account, after=3)] == [4]
    assert EventLog.objects.get(account=account).last_position == 4


@pytest.mark.django_db(transaction=True)
def test_a_deletion_passes_over_what_is_in_use() -> None:
    account = factories.make_account()
    aged(account, 2)
    with Held(lambda: Event.everywhere.filter(account=account)[:1].select_for_update().get()):
        assert delete_old_events() == 1
    assert delete_old_events() == 1
