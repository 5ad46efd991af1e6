"""Promise B4: a process whose clock is not the database's does nothing, and overdue work waits for its owner."""

import logging
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from ampout.accounts import tasks as account_tasks
from ampout.accounts.models import Installation
from ampout.events import tasks as event_tasks
from ampout.events.models import Event, WebhookDelivery, WebhookLoop
from ampout.events.services import claim as webhook_claim
from ampout.events.services import loops
from ampout.events.services.fan_out import fan_out
from ampout.lib import clock, database_clock
from campaigns.models import Campaign, Enrollment
from dispatch import tasks
from dispatch.models import DeliveryWorker, Lane, Mailbox, Message, Tick
from dispatch.services import clocks, leases, lifecycle, mailboxes, reconcile, waking
from dispatch.services.conservation import conservation_of
from dispatch.services.ticks import BEAT, CLOCK, PLAN, record_tick
from tests import factories
from tests.events.conftest import tell
from tests.services.desk import Desk, message_of

pytestmark = pytest.mark.django_db

HOUR, DAY = 3_600, 86_400
WRONG = [3 * DAY, -6 * HOUR, 11, -11]

SetClock = Callable[[float], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Set this process's clock so many seconds ahead of the database's."""
    real_now = clock.machine_now
    monkeypatch.setattr(database_clock, "_told_at", float("-inf"))

    def to(seconds: float) -> None:
        monkeypatch.setattr(clock, "machine_now", lambda: real_now() + timedelta(seconds=seconds))

    return to


@pytest.fixture
def present() -> Desk:
    """A desk at the present time, as the database tells it."""
    return Desk(now=clock.utc_now())


def planned_ago(seconds: float) -> None:
    """The planner last came to its end so long ago."""
    record_tick(PLAN)
    Tick.objects.filter(name=PLAN).update(ticked_at=Now() - timedelta(seconds=seconds))


def ticks() -> set[str]:
    return set(Tick.objects.values_list("name", flat=True))


# -- A process whose clock is wrong


@pytest.mark.parametrize("seconds", WRONG)
def test_a_loop_with_a_wrong_clock_claims_nothing_until_it_is_right(
    desk: Desk, set_clock: SetClock, seconds: float
) -> None:
    desk.released(1)
    desk.tick()
    set_clock(seconds)
    assert desk.claim() == []
    assert not Lane.objects.filter(worker_id__isnull=False).exists(), "nor does it keep a lane from others"
    set_clock(0)
    assert len(desk.claim()) == 1


@pytest.mark.parametrize("seconds", [9, -9])
def test_what_ntp_leaves_keeps_nobody_from_claiming(desk: Desk, set_clock: SetClock, seconds: float) -> None:
    desk.released(1)
    desk.tick()
    set_clock(seconds)
    assert len(desk.claim()) == 1


@pytest.mark.parametrize("seconds", WRONG)
def test_a_planner_with_a_wrong_clock_plans_nothing_until_it_is_right(
    present: Desk, set_clock: SetClock, seconds: float
) -> None:
    present.released(1)
    set_clock(seconds)
    assert waking.tick() is None
    assert (Message.everywhere.count(), ticks()) == (0, {BEAT, CLOCK})
    set_clock(0)
    result = waking.tick()
    assert result is not None
    assert (result.planned, ticks()) == (1, {BEAT, CLOCK, PLAN})


def test_the_log_tells_once_whose_clock_is_wrong_and_by_how_much(
    desk: Desk, set_clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    set_clock(3 * DAY)
    for _ in range(5):
        tasks.plan()
        assert leases.renew_lease(desk.worker_id), "it keeps its lease: it may be right at any time"
    [told] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "259200 s ahead of the database's" in told.getMessage()
    set_clock(0)
    tasks.plan()
    set_clock(-6 * HOUR)
    tasks.plan()
    assert "21600 s behind the database's" in caplog.records[-1].getMessage()


def test_a_statement_that_was_long_on_its_way_makes_no_clock_wrong(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real_now = clock.machine_now
    late = [15, 15]
    monkeypatch.setattr(clock, "machine_now", lambda: real_now() - timedelta(seconds=late.pop() if late else 0))
    assert waking.tick() is not None
    assert (late, ticks()) == ([], {BEAT, PLAN})
    assert caplog.messages == []


@pytest.mark.parametrize("seconds", WRONG)
def test_a_poll_loop_with_a_wrong_clock_reads_nothing(desk: Desk, set_clock: SetClock, seconds: float) -> None:
    login = {"imap_host": "imap.example.com", "imap_port": 993, "imap_username": "ann", "imap_password": "x"}
    desk.credential(**login)
    set_clock(seconds)
    mailboxes.sync_mailboxes(now=desk.now)
    assert not Mailbox.objects.exists()
    set_clock(0)
    mailboxes.sync_mailboxes(now=desk.now)
    set_clock(seconds)
    assert mailboxes.lease_due(desk.worker_id, now=desk.now, room=5) == []
    set_clock(0)
    assert len(mailboxes.lease_due(desk.worker_id, now=desk.now, room=5)) == 1


@pytest.mark.parametrize("seconds", WRONG)
def test_a_webhook_loop_with_a_wrong_clock_tells_nobody(present: Desk, set_clock: SetClock, seconds: float) -> None:
    endpoint = factories.make_webhook(present.account, created_at=present.now - timedelta(seconds=5))
    tell(present.account)
    loop_id = loops.start_loop("test")
    assert loop_id is not None
    later: dict[str, Any] = {"now": present.now + timedelta(minutes=1), "limit": 5}
    set_clock(seconds)
    assert fan_out(now=later["now"]) == 0
    set_clock(0)
    assert fan_out(now=present.now) == 1
    set_clock(seconds)
    assert webhook_claim.claim_endpoints(loop_id, failing=False, **later) == []
    set_clock(0)
    assert webhook_claim.claim_endpoints(loop_id, failing=False, **later) == [endpoint.pk]
    set_clock(seconds)
    assert webhook_claim.next_turn(loop_id, endpoint.pk, **later).calls == []
    set_clock(0)
    assert len(webhook_claim.next_turn(loop_id, endpoint.pk, **later).calls) == 1


@pytest.mark.parametrize(
    ("task", "tables"),
    [
        (tasks.reconcile, {"dispatch_deliveryworker"}),
        (tasks.judge_notices, {"dispatch_notice"}),
        (tasks.look_up_mx, {"dispatch_mxverdict"}),
        (tasks.clear_deleted, {"campaigns_contact"}),
        (tasks.close_months, {"accounts_monthlyusage"}),
        (tasks.forget_old, {"dispatch_notice", "dispatch_feedback", "dispatch_hit"}),
        (event_tasks.delete_old_deliveries, {"events_webhookdelivery"}),
        (event_tasks.delete_old_events, {"events_event"}),
        (account_tasks.erase_old_answers, {"accounts_idempotencyrecord"}),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_nothing_is_healed_judged_closed_or_forgotten_by_a_wrong_clock(
    set_clock: SetClock, task: Callable[[], None], tables: set[str]
) -> None:
    set_clock(3 * DAY)
    with CaptureQueriesContext(connection) as asked:
        task()
    assert not any(table in query["sql"] for query in asked for table in tables)
    set_clock(0)
    with CaptureQueriesContext(connection) as asked:
        task()
    assert any(table in query["sql"] for query in asked for table in tables)


def test_clocks_cost_the_claim_no_statement(desk: Desk) -> None:
    with CaptureQueriesContext(connection) as asked:
        desk.claim()
    wanted = ["SELECT", "SAVEPOINT", "SELECT", "UPDATE", "WITH", "WITH", "RELEASE"]
    assert [query["sql"].split()[0] for query in asked] == wanted


def test_the_planner_is_woken_by_one_statement(desk: Desk) -> None:
    with CaptureQueriesContext(connection) as asked:
        waking.tick()
    assert len([query for query in asked if "dispatch_tick" in query["sql"]]) == 2, "when it is woken, and at its end"


# -- What is left of a clock that was set back


def test_the_lease_of_a_dead_loop_is_bounded_after_the_clock_was_set_back(desk: Desk) -> None:
    DeliveryWorker.objects.update(lease_until=Now() + timedelta(hours=6))
    tasks.reconcile()
    lease_until = DeliveryWorker.objects.get(ended_at__isnull=True).lease_until
    assert lease_until <= clock.utc_now() + timedelta(seconds=61)
    DeliveryWorker.objects.update(lease_until=lease_until - timedelta(seconds=61))
    tasks.reconcile()
    assert not DeliveryWorker.objects.filter(ended_at__isnull=True).exists()


def test_a_live_loop_keeps_its_lease_when_the_clock_is_set_back(desk: Desk) -> None:
    DeliveryWorker.objects.update(lease_until=Now() + timedelta(hours=6))
    tasks.reconcile()
    assert leases.renew_lease(desk.worker_id)
    reconcile.reconcile()
    assert leases.renew_lease(desk.worker_id)


def test_the_endpoints_of_a_dead_webhook_loop_are_free_a_lease_after_the_clock_was_set_back() -> None:
    loops.start_loop("dead")
    other = loops.start_loop("alive")
    assert other is not None
    WebhookLoop.objects.filter(name="dead").update(lease_until=Now() + timedelta(hours=6))
    assert loops.renew_lease(other)
    assert WebhookLoop.objects.get(name="dead").lease_until <= clock.utc_now() + timedelta(seconds=61)


def test_an_endpoint_that_was_made_by_a_clock_that_was_set_back_is_told_what_happens(present: Desk) -> None:
    factories.make_webhook(present.account, since=Now() + timedelta(hours=6))
    tell(present.account)
    assert fan_out(now=present.now) == 1
    assert WebhookDelivery.everywhere.count() == 1


def test_a_gap_runs_from_now_where_the_last_transaction_ended_in_the_future(present: Desk) -> None:
    credential = present.credential()
    campaign = present.campaign(credentials=[credential], min_wait_seconds=60, max_wait_seconds=60)
    present.enroll(campaign, 1)
    present.release(campaign)
    ahead = Now() + timedelta(hours=6)
    Lane.objects.create(credential=credential, last_finished_at=ahead, back_off_until=ahead)
    tasks.reconcile()
    waking.tick()
    due_at = Message.everywhere.get().due_at
    assert due_at is not None
    assert 50 <= (due_at - present.now).total_seconds() <= 90


def test_a_mailbox_is_read_again_once_its_turn_lies_further_ahead_than_it_may(desk: Desk) -> None:
    mailbox = Mailbox.objects.create(
        credential=desk.credential(),
        worker_id=uuid.uuid4(),
        next_poll_at=Now() + timedelta(days=3),
        lease_until=Now() + timedelta(days=3),
    )
    tasks.reconcile()
    mailbox.refresh_from_db()
    latest = clock.utc_now() + timedelta(seconds=61)
    assert mailbox.next_poll_at <= latest
    assert mailbox.lease_until is not None
    assert mailbox.lease_until <= latest


def test_slots_of_a_clock_that_was_set_back_are_given_anew_with_their_gaps(present: Desk) -> None:
    campaign = present.released(3, min_wait_seconds=60, max_wait_seconds=60)
    present.wait(days=3)
    present.tick()
    planned_ago(-3 * DAY)
    waking.tick()
    waking.tick()
    slots = [slot for slot in Message.everywhere.order_by("due_at").values_list("due_at", flat=True) if slot]
    offsets = [round((slot - clock.utc_now()).total_seconds() / 60) for slot in slots]
    assert offsets == [0, 1, 2]
    assert conservation_of([campaign.pk], now=clock.utc_now())[campaign.pk].balanced


def test_a_message_that_lost_its_slot_says_why(present: Desk) -> None:
    present.released(1)
    present.tick()
    assert clocks.take_slots_back() == 1
    message = Message.everywhere.get()
    assert (message.due_at, message.reason) == (None, "clock_set_back")


# -- Overdue work


def paused_events() -> list[dict[str, Any]]:
    return list(Event.everywhere.filter(type="campaign.paused").values_list("data", flat=True))


def test_what_became_due_while_nothing_was_planned_waits_for_its_owner(present: Desk) -> None:
    campaign = present.released(3)
    planned_ago(25 * HOUR)
    waking.tick()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.pause_reason, Message.everywhere.count()) == ("paused", "manual", 0)
    assert paused_events() == [
        {"campaign_id": str(campaign.pk), "reason": "manual", "credential_ids": [], "overdue": True}
    ]
    lifecycle.resume_campaign(present.account, campaign.pk)
    waking.tick()
    assert Message.everywhere.count() == 3
    assert len(paused_events()) == 1


def test_a_resumed_campaign_keeps_its_gaps(present: Desk) -> None:
    campaign = present.released(3, min_wait_seconds=60, max_wait_seconds=60)
    present.tick()
    Message.everywhere.update(due_at=Now() - timedelta(days=3))
    planned_ago(3 * DAY)
    waking.tick()
    lifecycle.resume_campaign(present.account, campaign.pk)
    waking.tick()
    slots = [slot for slot in Message.everywhere.order_by("due_at").values_list("due_at", flat=True) if slot]
    assert [round((slot - slots[0]).total_seconds()) for slot in slots] == [0, 60, 120]
    assert slots[0] >= present.now


def test_nothing_is_claimed_before_the_planner_has_looked_at_what_is_overdue(present: Desk) -> None:
    present.released(1)
    present.tick()
    planned_ago(25 * HOUR)
    assert present.claim() == []
    waking.tick()
    assert present.claim() == []
    assert set(Campaign.everywhere.values_list("status", flat=True)) == {"paused"}


@pytest.mark.parametrize(("hours", "grace"), [(23, DAY), (25, 2 * DAY), (24 * 365, 0), (-48, DAY)])
def test_a_shorter_time_or_a_clock_that_was_set_back_makes_nothing_overdue(
    present: Desk, settings: Settings, hours: float, grace: int
) -> None:
    settings.OVERDUE_GRACE_SECONDS = grace
    campaign = present.released(1)
    planned_ago(hours * HOUR)
    waking.tick()
    campaign.refresh_from_db()
    assert (campaign.status, len(present.claim()), paused_events()) == ("active", 1, [])


def test_a_first_start_finds_nothing_overdue(present: Desk) -> None:
    campaign = present.released(1)
    waking.tick()
    campaign.refresh_from_db()
    assert campaign.status == "active"


def test_a_campaign_without_anything_due_goes_on(present: Desk) -> None:
    waiting, other = present.released(1), present.released(1)
    Enrollment.everywhere.filter(campaign=waiting).update(next_due_at=Now() + timedelta(hours=1))
    planned_ago(25 * HOUR)
    waking.tick()
    assert set(Campaign.everywhere.filter(status="active").values_list("pk", flat=True)) == {waiting.pk}
    assert [event["campaign_id"] for event in paused_events()] == [str(other.pk)]


@pytest.mark.parametrize("state", ["planned", "deferred"])
def test_messages_that_are_due_make_their_campaign_overdue(present: Desk, state: str) -> None:
    campaign = present.released(1)
    present.tick()
    message = message_of(Enrollment.everywhere.get())
    Message.everywhere.filter(pk=message.pk).update(state=state, due_at=Now() - timedelta(hours=1))
    planned_ago(25 * HOUR)
    waking.tick()
    campaign.refresh_from_db()
    assert campaign.status == "paused"


def test_a_restored_copy_is_left_to_its_adoption(present: Desk) -> None:
    campaign = present.released(1)
    present.tick()
    Installation.objects.update(database="a server that is gone/5")
    planned_ago(25 * HOUR)
    waking.tick()
    campaign.refresh_from_db()
    assert campaign.status == "active"
