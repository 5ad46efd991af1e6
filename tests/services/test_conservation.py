"""Law 2 as arithmetic: the steps due to a campaign equal what became of them by name, in any mixture of states."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from campaigns.models import Campaign, Enrollment
from dispatch.models import Message
from dispatch.services import deletion, lifecycle, senders, stops, test_send
from dispatch.services.conservation import Conservation, conservation_of
from dispatch.services.tallied import tallied_conservation_of
from tests import factories
from tests.services.desk import Desk, S


def account_of(desk: Desk, campaign: Campaign) -> Conservation:
    """Counted row by row; the tallies add up to the same."""
    counted = conservation_of([campaign.pk], now=desk.now)[campaign.pk]
    assert tallied_conservation_of([campaign.pk], now=desk.now)[campaign.pk].as_dict() == counted.as_dict()
    return counted


def shown(desk: Desk, campaign: Campaign) -> dict[str, object]:
    """What the API answers, without what is 0 or empty."""
    account = account_of(desk, campaign)
    assert account.balanced, account.as_dict()
    return {name: value for name, value in account.as_dict().items() if value and name != "balanced"}


# -- One state after the other


def test_nothing_enrolled_is_nothing_due(desk: Desk) -> None:
    assert shown(desk, desk.campaign()) == {}


def test_what_was_not_released_waits(desk: Desk) -> None:
    campaign = desk.campaign(steps=3)
    desk.enroll(campaign, 2)
    assert shown(desk, campaign) == {"due": 6, "waiting": {"not_released": 2, "earlier_step": 4}}


def test_what_is_due_and_what_is_under_way_waits(desk: Desk) -> None:
    campaign = desk.released(1, steps=2)
    assert shown(desk, campaign)["waiting"] == {"due": 1, "earlier_step": 1}
    desk.tick()
    assert shown(desk, campaign)["waiting"] == {"in_flight": 1, "earlier_step": 1}
    [claimed] = desk.claim()
    assert shown(desk, campaign)["waiting"] == {"in_flight": 1, "earlier_step": 1}
    desk.wire(claimed)
    assert shown(desk, campaign)["waiting"] == {"in_flight": 1, "earlier_step": 1}


@pytest.mark.parametrize("state", [S.ACCEPTED, S.UNKNOWN])
def test_what_was_sent_is_named_and_the_next_step_waits(desk: Desk, state: S) -> None:
    campaign = desk.released(1, steps=2)
    campaign.steps.filter(position=2).update(delay_minutes=60)
    desk.send_due(state)
    reason = "delay" if state is S.ACCEPTED else "unknown_grace"
    assert shown(desk, campaign) == {"due": 2, state.value: 1, "waiting": {reason: 1}}


@pytest.mark.parametrize("state", [S.REFUSED, S.GAVE_UP, S.QUARANTINED])
def test_what_ended_badly_is_named_and_its_later_steps_are_stopped(desk: Desk, state: S) -> None:
    campaign = desk.released(1, steps=3)
    desk.tick()
    [claimed] = desk.claim()
    desk.settle(claimed, state)
    assert shown(desk, campaign) == {"due": 3, state.value: 1, "stopped": {state.value: 2}}


def test_what_is_deferred_waits_for_its_retry(desk: Desk) -> None:
    campaign = desk.released(1)
    desk.send_due(S.DEFERRED)
    assert shown(desk, campaign) == {"due": 1, "waiting": {"back_off": 1}}


def test_what_was_paused_waits_for_that(desk: Desk) -> None:
    campaign = desk.released(2, steps=2)
    desk.tick()
    lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
    assert shown(desk, campaign) == {"due": 4, "waiting": {"paused": 2, "earlier_step": 2}}


def test_what_lost_its_slot_waits_for_a_reason(desk: Desk) -> None:
    campaign = desk.released(2, credentials=2)
    desk.tick()
    first = campaign.credentials.order_by("pk").first()
    assert first is not None
    senders.disable_credential(first.pk, "operator", now=desk.now)
    assert shown(desk, campaign)["waiting"] == {"credential_disabled": 1, "in_flight": 1}


def test_the_steps_of_whoever_stopped_are_counted_by_their_reason(desk: Desk) -> None:
    campaign = desk.campaign(steps=3)
    fresh, planned, sent, gone = desk.enroll(campaign, 4)
    desk.release(campaign)
    stops.unsubscribe_contact(fresh.contact, now=desk.now)
    desk.tick()
    stops.unsubscribe_contact(planned.contact, now=desk.now)
    desk.send(*desk.claim())
    stops.unsubscribe_contact(sent.contact, now=desk.now)
    deletion.delete_contact(desk.account, gone.contact_id, now=desk.now)
    assert shown(desk, campaign) == {
        "due": 12,
        "accepted": 2,
        "stopped": {"unsubscribed": 3 + 3 + 2, "owner_deleted": 2},
    }


def test_a_step_added_at_the_end_is_due_to_the_unfinished_alone(desk: Desk) -> None:
    campaign = desk.campaign()
    [done] = desk.enroll(campaign)
    desk.release(campaign)
    desk.send_due()
    desk.enroll(campaign, 1)
    factories.make_step(campaign, 2)
    assert Enrollment.everywhere.get(pk=done.pk).finished_at is not None
    assert shown(desk, campaign) == {"due": 3, "accepted": 1, "waiting": {"not_released": 1, "earlier_step": 1}}


def test_test_messages_are_in_nobodys_account(desk: Desk) -> None:
    campaign = desk.released(1)
    test_send.send_test(desk.account, campaign.pk, ["tester@own.example"], now=desk.now)
    desk.send_due()
    assert shown(desk, campaign) == {"due": 1, "accepted": 1}


def test_each_campaign_has_its_own_account(desk: Desk) -> None:
    first, second = desk.released(2), desk.released(3)
    desk.tick()
    accounts = conservation_of([first.pk, second.pk], now=desk.now)
    assert [accounts[campaign.pk].due for campaign in (first, second)] == [2, 3]


# -- Mixed


def test_a_campaign_in_every_state_at_once_is_balanced(desk: Desk) -> None:
    campaign = desk.released(12, steps=3, credentials=2)
    desk.tick()
    claims = desk.claim()
    ends = [S.ACCEPTED, S.UNKNOWN, S.REFUSED, S.DEFERRED, S.GAVE_UP, S.QUARANTINED]
    for claimed, state in zip(claims, ends, strict=False):
        desk.send(claimed, state=state)
    on_the_wire, stopped, handed_back, *_ = claims[len(ends) :]
    desk.wire(on_the_wire)
    stops.unsubscribe_contact(Message.everywhere.get(pk=stopped.message_id).place[0].contact, now=desk.now)
    desk.hand_back(handed_back)
    desk.enroll(campaign, 2, batch_number=7)
    account = account_of(desk, campaign)
    assert (account.balanced, account.due) == (True, 14 * 3)
    assert account.ended == {"accepted": 1, "unknown": 1, "refused": 1, "gave_up": 1, "quarantined": 1}
    desk.wait(days=10)
    for _ in range(12):
        desk.send_due()
        assert account_of(desk, campaign).balanced
    assert desk.violations() == []


# -- What it would catch

Loss = Callable[[Message], object]


def forget_the_message(message: Message) -> object:
    message.attempt_rows.all().delete()
    return Message.everywhere.filter(pk=message.pk).delete()


def cancel_it_silently(message: Message) -> object:
    return Message.everywhere.filter(pk=message.pk).update(state="cancelled")


def skip_a_step(message: Message) -> object:
    return Enrollment.everywhere.filter(pk=message.enrollment_id).update(next_position=3)


def repeat_a_step(message: Message) -> object:
    return Enrollment.everywhere.filter(pk=message.enrollment_id).update(next_position=1)


@pytest.mark.parametrize("loss", [forget_the_message, cancel_it_silently, skip_a_step, repeat_a_step])
def test_a_message_that_got_lost_is_missed(desk: Desk, loss: Loss) -> None:
    campaign = desk.released(2, steps=3)
    desk.send_due()
    message = Message.everywhere.first()
    assert message is not None
    loss(message)
    assert not account_of(desk, campaign).balanced
    desk.now += timedelta(days=1)
    assert any(str(campaign.pk) in row for row in desk.violations())
