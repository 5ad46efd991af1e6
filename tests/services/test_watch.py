"""The figures of /readyz and /metrics: each as the rows say, by one statement, off every long table."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from ampout.accounts.models import Account
from ampout.events.models import Event, WebhookDelivery, WebhookLoop
from ampout.lib import clock
from dispatch.models import DeliveryWorker, FactCount, Lane, Mailbox, Message, Notice, Tick
from dispatch.services import watch
from dispatch.services.ticks import BEAT, record_tick
from tests import factories

pytestmark = pytest.mark.django_db

LONG = {
    *("dispatch_message", "dispatch_notice", "dispatch_attempt", "campaigns_enrollment"),
    *("events_event", "events_webhookdelivery", "dispatch_mailbox"),
}
"""Tables that grow with what was done, or with how many accounts there are."""


def ago(seconds: float) -> Any:
    return Now() - timedelta(seconds=seconds)


def make_message(account: Account, lane: dict[str, Any] | None = None, **facts: Any) -> Message:
    """A message of a campaign of its own, with its lane."""
    credential = factories.make_credential(account, label=f"{uuid.uuid4()}", smtp_username=f"{uuid.uuid4()}")
    campaign = factories.make_campaign(account, credentials=[credential], status="active")
    Lane.objects.create(credential=credential, **(lane or {}))
    contact = factories.make_contact(account, f"{uuid.uuid4()}@example.com")
    return factories.make_message(factories.enroll(campaign, contact), credential=credential, **facts)


def make_loop(**facts: Any) -> DeliveryWorker:
    loop: DeliveryWorker = DeliveryWorker.objects.create(name=f"{uuid.uuid4()}", **facts)
    return loop


def test_nothing_is_late_where_nothing_is(account: Account) -> None:
    figures = watch.read_figures()
    assert (figures.beat_age, figures.queue_age, figures.due, figures.stuck) == (None, 0.0, 0, 0)
    assert figures.messages == {"planned": 0, "claimed": 0, "wire": 0, "deferred": 0, "unknown": 0}
    assert figures.loops == {"deliver": 0, "poll": 0, "webhooks": 0}


def test_the_last_tick_has_an_age(account: Account) -> None:
    record_tick(BEAT)
    assert watch.read_figures().beat_age == pytest.approx(0, abs=5)
    Tick.objects.update(ticked_at=ago(60))
    assert watch.read_figures().beat_age == pytest.approx(60, abs=5)


def test_messages_are_counted_by_what_they_wait_for(account: Account) -> None:
    later = clock.utc_now() + timedelta(hours=1)
    make_message(account, state="planned", due_at=later)
    make_message(account, state="planned", due_at=ago(100))
    make_message(account, state="planned", due_at=None)
    make_message(account, state="deferred", due_at=ago(50))
    make_message(account, state="unknown", wire_at=ago(10))
    make_message(account, state="unknown", wire_at=ago(1_000_000))
    make_message(account, state="accepted", wire_at=ago(10))
    figures = watch.read_figures()
    assert figures.messages == {"planned": 2, "claimed": 0, "wire": 0, "deferred": 1, "unknown": 2}
    assert (figures.due, figures.without_slot, figures.undecided) == (2, 1, 1)
    assert figures.queue_age == pytest.approx(100, abs=5)


def test_what_waits_for_a_back_off_is_not_late(account: Account) -> None:
    later = clock.utc_now() + timedelta(hours=1)
    make_message(account, {"back_off_until": later}, state="planned", due_at=ago(500))
    make_message(account, state="planned", due_at=ago(40))
    assert watch.read_figures().queue_age == pytest.approx(40, abs=5)


def test_what_waits_for_a_disabled_credential_is_not_late(account: Account) -> None:
    message = make_message(account, state="planned", due_at=ago(500))
    type(message.credential).everywhere.update(disabled_at=clock.utc_now())  # type: ignore[union-attr]
    assert watch.read_figures().queue_age == 0


def test_a_claim_that_nobody_comes_to_is_late(account: Account) -> None:
    loop = make_loop(lease_until=clock.utc_now() + timedelta(hours=1))
    make_message(account, state="claimed", due_at=ago(300), worker_id=loop.pk)
    figures = watch.read_figures()
    assert figures.queue_age == pytest.approx(300, abs=5)
    assert (figures.stuck, figures.messages["claimed"]) == (0, 1)


@pytest.mark.parametrize(
    ("loop", "stuck"),
    [
        ({"lease_until": ago(5)}, 0),
        ({"lease_until": ago(100)}, 1),
        ({"lease_until": ago(0), "ended_at": ago(100)}, 1),
        (None, 1),
    ],
    ids=["healing has time", "lease ran out", "ended", "nobody knows it"],
)
def test_claims_of_dead_loops_are_stuck(account: Account, loop: dict[str, Any] | None, stuck: int) -> None:
    worker_id = uuid.uuid4() if loop is None else make_loop(**loop).pk
    make_message(account, state="wire", wire_at=ago(100), worker_id=worker_id)
    assert watch.read_figures().stuck == stuck


def test_only_loops_with_a_lease_count(account: Account) -> None:
    later = clock.utc_now() + timedelta(hours=1)
    DeliveryWorker.objects.create(name="poll host:1", lease_until=later)
    make_loop(lease_until=later)
    make_loop(lease_until=ago(1))
    make_loop(lease_until=later, ended_at=ago(1))
    WebhookLoop.objects.create(name="host:1", id=uuid.uuid4(), started_at=ago(1), lease_until=later)
    WebhookLoop.objects.create(name="host:2", id=uuid.uuid4(), started_at=ago(9), lease_until=ago(1))
    assert watch.read_figures().loops == {"deliver": 1, "poll": 1, "webhooks": 1}


def test_what_comes_back_has_its_lags(account: Account) -> None:
    credential = factories.make_credential(account)
    Mailbox.objects.create(credential=credential, next_poll_at=ago(70))
    Notice.everywhere.create(account=account, credential=credential, source="imap", dedupe=b"x", next_try_at=ago(30))
    figures = watch.read_figures()
    assert figures.poll_lag == pytest.approx(70, abs=5)
    assert figures.judging_lag == pytest.approx(30, abs=5)


def test_webhooks_that_work_have_a_lag(account: Account) -> None:
    told = {"fanned_out_at": ago(1), "type": "enrollment.sent", "data": {}}
    working, failing = factories.make_webhook(account), factories.make_webhook(account)
    type(failing).everywhere.filter(pk=failing.pk).update(consecutive_failures=5)
    for number, (endpoint, seconds) in enumerate([(working, 20), (failing, 900)]):
        event = Event.everywhere.create(account=account, fact=f"fact{number}", **told)
        WebhookDelivery.everywhere.create(account=account, endpoint=endpoint, event=event, due_at=ago(seconds))
    assert watch.read_figures().webhook_lag == pytest.approx(20, abs=5)


def test_an_event_that_was_not_fanned_out_is_late_too(account: Account) -> None:
    Event.everywhere.create(account=account, type="enrollment.sent", fact="f", data={}, created_at=ago(80))
    assert watch.read_figures().webhook_lag == pytest.approx(80, abs=5)


def test_counters_are_read_as_they_are_kept(account: Account) -> None:
    FactCount.objects.create(source="attempts", label="accepted", count=7)
    assert watch.read_figures().counts == {"attempts": {"accepted": 7}, "events": {}, "webhook_calls": {}}


def test_it_is_one_statement_with_a_limit_of_time(account: Account) -> None:
    with CaptureQueriesContext(
        connection,
    ) as seen:
        watch.read_figures()
    told = [query["sql"].split()[0] for query in seen.captured_queries]
    assert told == ["SAVEPOINT", "SET", "SELECT", "RELEASE"]


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(found for below in plan.get("Plans", []) for found in nodes(below))]


def test_every_long_table_is_read_by_a_partial_index(account: Account) -> None:
    with connection.cursor() as cursor:
        # What other tests left behind of pages and statistics sways the choice between indexes.
        cursor.execute(f"TRUNCATE {', '.join(sorted(LONG))} CASCADE")
        # On empty tables a scan costs nothing; without this there would be nothing to see.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {watch._FIGURES}", watch.facts())
        [[found]] = cursor.fetchall()
    plan = (found if isinstance(found, list) else json.loads(found))[0]["Plan"]
    scanned = {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"}
    assert scanned & LONG == set()
    used = {node["Index Name"] for node in nodes(plan) if "Index Name" in node}
    assert {"message_due", "message_unplanned", "message_undecided", "message_by_worker", "event_to_fan_out"} <= used
    assert {"notice_to_judge", "webhook_delivery_due"} <= used
    whole = {"message_by_state", "message_by_account", "message_by_campaign", "dispatch_message_pkey"}
    assert used & whole == set()
