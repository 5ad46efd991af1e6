"""Dispatch, pause, resume (design: Dispatch, Pause; promise A16)."""

from datetime import timedelta
from itertools import pairwise

import pytest
from pytest_django.fixtures import Settings

from ampout.accounts.models import Account
from ampout.events.models import Event
from ampout.lib.errors import NotFound
from campaigns.models import Batch, Campaign
from campaigns.rules.campaign_state import PauseReason
from campaigns.services.enrolment import enroll_contact
from dispatch.models import Message
from dispatch.services import lifecycle
from dispatch.services.lifecycle import CampaignActionRefused, PostalAddressMissing
from tests import factories
from tests.services.desk import Desk, S, fresh, message_of


def status_of(campaign: Campaign) -> str:
    campaign.refresh_from_db()
    return campaign.status


def refusal(call: object) -> str:
    assert callable(call)
    with pytest.raises(CampaignActionRefused) as refused:
        call()
    return refused.value.code


# -- Dispatch


def test_the_first_dispatch_starts_the_campaign(desk: Desk) -> None:
    campaign = desk.campaign()
    desk.enroll(campaign, 3)
    assert status_of(campaign) == "pending"
    assert desk.release(campaign) == 3
    assert (status_of(campaign), campaign.started_at) == ("active", desk.now)


def test_one_batch_goes_and_the_others_wait(desk: Desk) -> None:
    campaign = desk.campaign()
    for number in (1, 2):
        desk.enroll(campaign, 2, batch_number=number)
    assert desk.release(campaign, 2) == 2
    assert {message_of(one).place[0].batch_number for one in desk.send_due()} == {2}
    desk.tick()
    assert status_of(campaign) == "active"
    assert desk.release(campaign) == 2
    assert len(desk.send_due()) == 2
    assert desk.violations() == []


def test_release_is_a_property_of_the_batch_so_later_enrolments_go_too(desk: Desk) -> None:
    campaign = desk.released(1)
    desk.send_due()
    late = factories.make_contact(desk.account)
    enroll_contact(desk.account, campaign.pk, late.pk, now=desk.now)
    assert len(desk.send_due()) == 1
    unreleased = factories.make_contact(desk.account)
    enroll_contact(desk.account, campaign.pk, unreleased.pk, batch_number=9, now=desk.now)
    assert desk.send_due() == []


def test_a_completed_campaign_with_new_contacts_becomes_active(desk: Desk) -> None:
    campaign = desk.released(1)
    desk.send_due()
    desk.tick()
    assert status_of(campaign) == "completed"
    desk.enroll(campaign, 1, batch_number=5)
    desk.release(campaign)
    assert (status_of(campaign), campaign.completed_at) == ("active", None)
    assert len(desk.send_due()) == 1
    assert desk.violations() == []


def test_contacts_join_a_completed_campaign_whose_batch_was_released(desk: Desk) -> None:
    campaign = desk.released(1)
    desk.send_due()
    desk.tick()
    enroll_contact(desk.account, campaign.pk, factories.make_contact(desk.account).pk, now=desk.now)
    assert status_of(campaign) == "active"
    assert len(desk.send_due()) == 1


@pytest.mark.parametrize("batch_number", [None, 3])
def test_with_nothing_pending_it_says_so(desk: Desk, batch_number: int | None) -> None:
    campaign = desk.campaign()
    if batch_number is not None:
        desk.enroll(campaign, 1, batch_number=1)
    assert refusal(lambda: desk.release(campaign, batch_number)) == "no_pending_enrollments"
    assert status_of(campaign) == "pending"
    assert not Batch.objects.filter(released_at__isnull=False).exists()


def test_a_paused_campaign_is_not_dispatched(desk: Desk) -> None:
    campaign = desk.released(1)
    lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
    desk.enroll(campaign, 1, batch_number=2)
    assert refusal(lambda: desk.release(campaign)) == "campaign_not_active"
    assert Batch.objects.get(number=2).released_at is None


def test_a_missing_postal_address_is_a_warning_and_a_refusal_where_the_operator_wants_it(
    desk: Desk, settings: Settings
) -> None:
    Account.objects.update(postal_address="  ")
    desk.account.refresh_from_db()
    campaign = desk.campaign()
    desk.enroll(campaign)
    settings.REQUIRE_POSTAL_ADDRESS = True
    with pytest.raises(PostalAddressMissing):
        desk.release(campaign)
    assert status_of(campaign) == "pending"
    settings.REQUIRE_POSTAL_ADDRESS = False
    warnings = lifecycle.release(desk.account, campaign.pk, now=desk.now).warnings
    assert [warning["code"] for warning in warnings] == ["postal_address_missing", "reply_detection_off"]


# -- Pause


def test_a_pause_takes_everything_back_that_has_not_started(desk: Desk) -> None:
    campaign = desk.released(3, limit=3, min_wait_seconds=60, max_wait_seconds=60)
    [credential] = campaign.credentials.all()
    desk.tick()
    lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
    assert (status_of(campaign), campaign.pause_reason, campaign.paused_at) == ("paused", "manual", desk.now)
    assert set(Message.everywhere.values_list("state", "due_at", "reason")) == {("planned", None, "paused")}
    desk.tick()
    assert (desk.used(credential), desk.lane(credential).last_slot_at) == (0, None)
    assert desk.claim() == []
    assert desk.violations() == []


def test_it_is_told_once_each_time(desk: Desk) -> None:
    campaign = desk.released(1)
    for _ in range(2):
        lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
        assert refusal(lambda: lifecycle.pause_campaign(desk.account, campaign.pk)) == "campaign_not_active"
        lifecycle.resume_campaign(desk.account, campaign.pk, now=desk.now)
        desk.wait(seconds=1)
    events = Event.everywhere.filter(type="campaign.paused")
    assert [event.data["reason"] for event in events] == ["manual", "manual"]


@pytest.mark.parametrize("status", ["pending", "completed"])
def test_only_an_active_campaign_is_paused(desk: Desk, status: str) -> None:
    campaign = desk.campaign()
    Campaign.everywhere.update(status=status)
    assert refusal(lambda: lifecycle.pause_campaign(desk.account, campaign.pk)) == "campaign_not_active"
    assert refusal(lambda: lifecycle.resume_campaign(desk.account, campaign.pk)) == "campaign_not_paused"
    assert status_of(campaign) == status


def test_a_retry_that_comes_due_during_a_pause_waits_for_its_end(desk: Desk) -> None:
    campaign = desk.released(1)
    desk.send_due(S.DEFERRED)
    lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
    desk.wait(minutes=31)
    [claimed] = desk.claim()
    assert not desk.start(claimed)
    desk.hand_back(claimed)
    assert desk.send_due() == []
    lifecycle.resume_campaign(desk.account, campaign.pk, now=desk.now)
    assert len(desk.send_due()) == 1
    assert desk.violations() == []


def test_a_delay_goes_on_during_a_pause(desk: Desk) -> None:
    campaign = desk.released(1, steps=2)
    campaign.steps.filter(position=2).update(delay_minutes=60)
    desk.send_due()
    lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
    desk.wait(minutes=61)
    assert desk.send_due() == []
    lifecycle.resume_campaign(desk.account, campaign.pk, now=desk.now)
    assert [message_of(claimed).step_position for claimed in desk.send_due()] == [2]


# -- Resume


def test_resuming_plans_afresh_without_a_burst(desk: Desk) -> None:
    campaign = desk.released(5, min_wait_seconds=60, max_wait_seconds=60)
    desk.tick()
    before = set(Message.everywhere.values_list("gap_seed", flat=True))
    lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
    desk.wait(hours=5)
    lifecycle.resume_campaign(desk.account, campaign.pk, now=desk.now)
    assert (status_of(campaign), campaign.pause_reason, campaign.paused_at) == ("active", "", None)
    desk.tick()
    slots = sorted(Message.everywhere.values_list("due_at", flat=True))
    assert slots[0] >= desk.now
    assert {after - earlier for earlier, after in pairwise(slots)} == {timedelta(seconds=60)}
    assert before.isdisjoint(Message.everywhere.values_list("gap_seed", flat=True))


def test_an_operators_pause_is_lifted_by_an_operator_alone(desk: Desk) -> None:
    campaign = desk.released(1)
    lifecycle.pause_campaign(desk.account, campaign.pk, reason=PauseReason.OPERATOR, now=desk.now)
    assert refusal(lambda: lifecycle.resume_campaign(desk.account, campaign.pk)) == "unprocessable"
    assert status_of(campaign) == "paused"
    lifecycle.resume_campaign(desk.account, campaign.pk, by_operator=True, now=desk.now)
    assert status_of(campaign) == "active"


def test_many_pauses_skip_and_repeat_nothing(desk: Desk) -> None:
    campaign = desk.released(4, steps=2, credentials=2)
    for _ in range(20):
        desk.tick()
        claims = desk.claim()
        lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
        assert desk.wire(*claims) == set()
        desk.hand_back(*claims)
        lifecycle.resume_campaign(desk.account, campaign.pk, now=desk.now)
        desk.wait(minutes=1)
    for _ in range(2):
        desk.send_due()
    positions = Message.everywhere.filter(state="accepted").values_list("enrollment_id", "step_position")
    assert len(set(positions)) == len(positions) == 8
    assert desk.violations() == []


# -- Whose campaign it is


@pytest.mark.parametrize("action", [lifecycle.release, lifecycle.pause_campaign, lifecycle.resume_campaign])
def test_nobody_acts_on_the_campaign_of_another_account(desk: Desk, action: object) -> None:
    campaign = desk.released(1)
    assert callable(action)
    with pytest.raises(NotFound) as missing:
        action(factories.make_account(), campaign.pk)
    assert missing.value.code == "campaign_not_found"
    assert status_of(campaign) == "active"
    assert fresh(campaign.enrollments.get()).next_due_at == desk.now
