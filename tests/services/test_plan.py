"""The planner on the database: what is due gets a slot, once, in order, under every cap."""

import logging
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from ampout.accounts.models import Account
from campaigns.models import Enrollment
from campaigns.services.digests import domain_digest
from dispatch.models import CapWarning, Lane, Message
from dispatch.rules.timing import draw_gap
from dispatch.services import capacity, lanes, lifecycle, plan, senders
from dispatch.services.plan import TickResult
from tests import factories
from tests.services.desk import Desk, S, fresh, message_of
from tests.services.rival import Rival

AT_THE_SAME_GAP: dict[str, Any] = {"min_wait_seconds": 60, "max_wait_seconds": 60}


def slots() -> list[datetime]:
    return sorted(message.due_at for message in Message.everywhere.filter(due_at__isnull=False))


# -- Once


def test_a_due_step_becomes_one_message_with_an_id_of_its_own(desk: Desk) -> None:
    campaign = desk.campaign()
    [enrolled] = desk.enroll(campaign)
    desk.release(campaign)
    assert desk.tick() == TickResult(planned=1)
    message = message_of(enrolled)
    assert (message.state, message.due_at, message.attempts, message.first_attempt_at) == (S.PLANNED, desk.now, 0, None)
    assert message.message_id.endswith("@sender.example>")
    assert (fresh(enrolled).next_due_at, fresh(enrolled).wait_reason) == (None, "in_flight")
    assert desk.violations() == []


def test_another_tick_plans_nothing_twice(desk: Desk) -> None:
    desk.released(5)
    assert [desk.tick().planned for _ in range(3)] == [5, 0, 0]


def test_message_ids_are_unique_and_tell_nothing_of_the_contact(desk: Desk) -> None:
    desk.released(30)
    desk.tick()
    ids = list(Message.everywhere.values_list("message_id", "enrollment_id", "contact_id"))
    assert len({text for text, *_ in ids}) == 30
    assert not any(part.hex in text or str(part) in text for text, *parts in ids for part in parts)


def test_nothing_is_planned_before_its_batch_is_dispatched(desk: Desk) -> None:
    desk.enroll(desk.campaign(), 3)
    assert desk.tick().planned == 0


@pytest.mark.django_db(transaction=True)
def test_a_second_planner_idles_while_one_is_at_work() -> None:
    desk = Desk()
    desk.released(3)
    with Rival() as rival:
        rival.run("SELECT pg_advisory_xact_lock(%s)", plan.PLANNER_LOCK)
        assert desk.tick() == TickResult()
        rival.commit()
    assert desk.tick().planned == 3


# -- In order


def test_what_is_due_is_taken_in_the_total_order(desk: Desk) -> None:
    campaign = desk.campaign(steps=2, **AT_THE_SAME_GAP)
    [followed_up] = desk.enroll(campaign)
    desk.release(campaign)
    desk.send_due()
    enrolled_at = desk.now - timedelta(days=1)
    fields: list[dict[str, Any]] = [
        {"batch_number": 1, "enrolled_at": enrolled_at},
        {"batch_number": 0, "enrolled_at": enrolled_at + timedelta(seconds=1)},
        {"batch_number": 0, "enrolled_at": enrolled_at},
        {"batch_number": 1, "enrolled_at": enrolled_at, "priority": 1},
    ]
    in_batch_1, second, first, important = [factories.enroll(campaign, **one) for one in fields]
    desk.release(campaign)
    desk.wait(hours=1)
    desk.tick()
    planned = Message.everywhere.filter(state="planned").order_by("due_at").values_list("enrollment_id", flat=True)
    assert list(planned) == [one.pk for one in (followed_up, important, first, second, in_batch_1)]


def test_slots_are_a_gap_apart_also_for_what_lost_its_slot(desk: Desk) -> None:
    campaign = desk.campaign(**AT_THE_SAME_GAP)
    desk.enroll(campaign, 2)
    desk.release(campaign)
    desk.tick()
    lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
    lifecycle.resume_campaign(desk.account, campaign.pk, now=desk.now)
    desk.enroll(campaign, 2)
    desk.release(campaign)
    desk.tick()
    desk.enroll(campaign, 1)
    desk.release(campaign)
    desk.tick()
    assert len(slots()) == 5
    assert {after - before for before, after in pairwise(slots())} == {timedelta(seconds=60)}


def test_the_gap_of_each_message_is_the_one_that_its_stored_seed_draws(desk: Desk) -> None:
    desk.released(4, min_wait_seconds=10, max_wait_seconds=90)
    desk.tick()
    for message in Message.everywhere.all():
        assert message.gap_seconds == draw_gap(10, 90, message.gap_seed)
    gaps = [message.gap_seconds for message in Message.everywhere.order_by("due_at")]
    assert [(after - before).seconds for before, after in pairwise(slots())] == gaps[1:]


def test_the_next_slot_is_a_gap_after_the_end_of_a_slow_transaction(desk: Desk) -> None:
    campaign = desk.released(1, **AT_THE_SAME_GAP)
    desk.tick()
    [slow] = desk.claim()
    desk.wire(slow)
    desk.wait(seconds=100)
    desk.settle(slow)
    desk.enroll(campaign)
    desk.release(campaign)
    desk.wait(seconds=10)
    desk.tick()
    assert slots() == [desk.now + timedelta(seconds=50)]


def test_two_campaigns_take_turns_on_the_slots_they_share(desk: Desk) -> None:
    shared = desk.credential()
    for _ in range(2):
        desk.released(2, credentials=[shared], **AT_THE_SAME_GAP)
    desk.tick()
    assert [(slot - desk.now).seconds for slot in slots()] == [0, 60, 120, 180]


# -- Slots that were not used


def test_a_pause_gives_back_its_slots(desk: Desk) -> None:
    """Design, Pause: "giving back unit and slot"."""
    campaign = desk.released(3, min_wait_seconds=3_600, max_wait_seconds=3_600)
    desk.send_due()
    desk.tick()
    assert slots() == [desk.now + timedelta(hours=1)]
    for _ in range(3):
        lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
        desk.wait(minutes=1)
        desk.tick()
        lifecycle.resume_campaign(desk.account, campaign.pk, now=desk.now)
        desk.tick()
    finished_at = desk.lane(campaign.credentials.get()).last_finished_at
    assert finished_at is not None
    assert slots() == [finished_at + timedelta(hours=1)]


def test_slots_of_another_campaign_are_not_given_back(desk: Desk) -> None:
    shared = desk.credential()
    paused = desk.released(1, credentials=[shared], **AT_THE_SAME_GAP)
    other = desk.released(2, credentials=[shared], **AT_THE_SAME_GAP)
    desk.tick()
    lifecycle.pause_campaign(desk.account, paused.pk, now=desk.now)
    desk.tick()
    latest = max(message.due_at for message in Message.everywhere.filter(campaign=other))
    assert desk.lane(shared).last_slot_at == latest


def test_a_slot_that_a_loop_is_about_to_use_is_not_given_back(desk: Desk) -> None:
    campaign = desk.released(2, min_wait_seconds=20, max_wait_seconds=20)
    desk.tick()
    assert len(desk.claim()) == 2
    desk.tick()
    assert desk.lane(campaign.credentials.get()).last_slot_at == desk.now + timedelta(seconds=20)


# -- Through whom


def test_first_steps_are_shared_fairly(desk: Desk) -> None:
    desk.released(10, credentials=3)
    desk.tick()
    shares = Counter(Message.everywhere.values_list("credential_id", flat=True))
    assert sorted(shares.values()) == [3, 3, 4]


def test_fairness_holds_over_many_ticks(desk: Desk) -> None:
    campaign = desk.campaign(credentials=3, min_wait_seconds=60, max_wait_seconds=120)
    for _ in range(6):
        desk.enroll(campaign, 3)
        desk.release(campaign)
        desk.send_due()
        desk.wait(minutes=2)
    shares = Counter(Message.everywhere.filter(state="accepted").values_list("credential_id", flat=True))
    assert max(shares.values()) - min(shares.values()) <= 1


def test_every_step_of_a_contact_comes_from_one_mailbox(desk: Desk) -> None:
    desk.released(6, credentials=3, steps=3)
    for _ in range(3):
        assert len(desk.send_due()) == 6
    for enrollment in Enrollment.everywhere.all():
        senders_of = set(Message.everywhere.filter(enrollment=enrollment).values_list("credential_id", flat=True))
        assert senders_of == {enrollment.smtp_credential_id}
    assert desk.violations() == []


def test_a_credential_in_back_off_is_passed_over(desk: Desk) -> None:
    campaign = desk.released(4, credentials=2)
    resting, working = campaign.credentials.order_by("pk")
    lanes.add_missing_lanes()
    Lane.objects.filter(pk=resting.pk).update(back_off_until=desk.now + timedelta(minutes=5))
    assert {claimed.credential_id for claimed in desk.send_due()} == {working.pk}


# -- Under every cap


def test_the_cap_is_not_overrun_and_goes_on_the_next_day(desk: Desk) -> None:
    desk.released(5, limit=2)
    assert [len(desk.send_due()) for _ in range(3)] == [2, 0, 0]
    desk.wait(days=1)
    assert len(desk.send_due()) == 2
    desk.wait(days=1)
    assert len(desk.send_due()) == 1
    assert desk.violations() == []


def test_one_warning_a_campaign_and_day(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    campaign = desk.released(4, credentials=2, limit=1)
    with caplog.at_level(logging.WARNING, logger="dispatch.services.plan"):
        for _ in range(5):
            desk.send_due()
            desk.wait(hours=1)
        assert [record.campaign_id for record in caplog.records] == [str(campaign.pk)]  # type: ignore[attr-defined]
        desk.wait(days=1)
        for _ in range(3):
            desk.send_due()
    assert list(CapWarning.objects.values_list("campaign", flat=True)) == [campaign.pk]
    assert Message.everywhere.count() == 4


def test_each_day_and_each_campaign_is_warned_of(desk: Desk) -> None:
    shared = desk.credential(daily_limit=1)
    campaigns = [desk.released(3, credentials=[shared]) for _ in range(2)]
    for _ in range(2):
        for _ in range(3):
            desk.send_due()
        desk.wait(days=1)
    days = {desk.now.date() - timedelta(days=1), desk.now.date() - timedelta(days=2)}
    assert set(CapWarning.objects.values_list("campaign", "day")) == {
        (campaign.pk, day) for campaign in campaigns for day in days
    }


def test_nobody_is_warned_when_only_a_credential_rests(desk: Desk) -> None:
    campaign = desk.released(2, credentials=2, limit=1)
    resting = campaign.credentials.order_by("pk").first()
    assert resting is not None
    lanes.add_missing_lanes()
    Lane.objects.filter(pk=resting.pk).update(back_off_until=desk.now + timedelta(minutes=5))
    desk.send_due()
    desk.tick()
    assert not CapWarning.objects.exists()


def test_later_steps_go_on_at_the_cap(desk: Desk) -> None:
    desk.released(3, limit=2, steps=2)
    assert [len(desk.send_due()) for _ in range(3)] == [2, 2, 0]


def test_no_first_step_is_planned_for_another_day(desk: Desk) -> None:
    desk.now = datetime(2026, 3, 10, 23, 59, 30, tzinfo=UTC)
    desk.released(3, **AT_THE_SAME_GAP)
    desk.tick()
    assert slots() == [desk.now]


def test_units_are_returned_once_though_two_planners_meet(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that was held when a planner read it, and is given back before it is used, is not used all the same."""
    campaign = desk.released(3, limit=3)
    desk.tick()
    lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
    lifecycle.resume_campaign(desk.account, campaign.pk, now=desk.now)
    carry_out = plan._carry_out

    def with_another_planner_before(*facts: Any) -> int:
        return_units()
        return carry_out(*facts)

    return_units = capacity.return_units
    monkeypatch.setattr(capacity, "return_units", lambda: 0)
    monkeypatch.setattr(plan, "_carry_out", with_another_planner_before)
    desk.tick()
    assert desk.violations() == []
    monkeypatch.undo()
    desk.tick()
    assert desk.used(campaign.credentials.get()) == 3
    assert desk.violations() == []


# -- Who may not be written to


def test_whoever_was_suppressed_meanwhile_is_stopped_and_not_planned(desk: Desk) -> None:
    campaign = desk.campaign()
    by_address, by_domain, free = desk.enroll(campaign, 3)
    factories.make_contact(desk.account)
    desk.release(campaign)
    factories.make_suppression(desk.account, by_address.contact.identity)
    by_domain.contact.domain_digest = domain_digest("elsewhere.example")
    by_domain.contact.save()
    factories.make_suppression(desk.account, "elsewhere.example")
    assert desk.tick().planned == 1
    assert [fresh(one).stop_reason for one in (by_address, by_domain, free)] == ["suppressed", "suppressed", ""]
    assert desk.violations() == []


def test_a_suppression_of_another_account_stops_nobody(desk: Desk) -> None:
    campaign = desk.campaign()
    [enrolled] = desk.enroll(campaign)
    desk.release(campaign)
    factories.make_suppression(factories.make_account(), enrolled.contact.identity)
    assert desk.tick().planned == 1


def test_a_suspended_account_plans_nothing_until_it_is_lifted(desk: Desk) -> None:
    desk.released(2)
    Account.objects.filter(pk=desk.account.pk).update(suspended_at=desk.now)
    assert desk.tick().planned == 0
    Account.objects.filter(pk=desk.account.pk).update(suspended_at=None)
    assert desk.tick().planned == 2


def test_a_campaign_without_an_enabled_credential_waits(desk: Desk) -> None:
    campaign = desk.campaign()
    desk.enroll(campaign)
    credential = campaign.credentials.get()
    senders.disable_credential(credential.pk, "operator", now=desk.now)
    desk.release(campaign)
    assert desk.tick().planned == 0
    senders.reenable_credential(desk.account, credential.pk, now=desk.now)
    assert desk.tick().planned == 1


# -- Bounds


def test_a_tick_takes_no_more_than_its_batch(desk: Desk, settings: Settings) -> None:
    settings.PLAN_BATCH = 3
    desk.released(8)
    assert [desk.tick().planned for _ in range(4)] == [3, 3, 2, 0]


def test_a_tick_asks_as_often_for_many_as_for_few(desk: Desk) -> None:
    counts = []
    for contacts in (2, 60):
        desk.released(contacts, credentials=3)
        desk.tick()
        desk.wait(hours=1)
        desk.released(contacts, credentials=3)
        with CaptureQueriesContext(connection) as queries:
            desk.tick()
        counts.append(len(queries))
    assert counts[1] <= counts[0] + 3
