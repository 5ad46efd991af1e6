"""Credentials that are disabled, re-enabled, let go, or given another limit (design: One mailbox, Daily limit)."""

import pytest

from ampout.events.models import Event
from ampout.lib.errors import NotFound
from campaigns.models import Campaign
from campaigns.services.campaigns import update_campaign
from credentials.models import SmtpCredential
from dispatch.models import DailyUsage, Message
from dispatch.services import lifecycle, senders
from tests.services.desk import Desk, S, fresh, message_of


def credentials_of(campaign: Campaign) -> list[SmtpCredential]:
    return list(campaign.credentials.order_by("pk"))


def status_of(campaign: Campaign) -> tuple[str, str]:
    campaign.refresh_from_db()
    return campaign.status, campaign.pause_reason


# -- Disabled


def test_disabling_frees_the_slots_and_the_units_come_back(desk: Desk) -> None:
    campaign = desk.released(3, credentials=1)
    [credential] = credentials_of(campaign)
    desk.tick()
    assert desk.used(credential) == 3
    assert senders.disable_credential(credential.pk, "operator", now=desk.now)
    desk.tick()
    assert desk.used(credential) == 0
    assert {(message.due_at, message.reason) for message in Message.everywhere.all()} == {(None, "credential_disabled")}


def test_the_other_credential_takes_over_first_steps_that_were_not_started(desk: Desk) -> None:
    campaign = desk.released(4, credentials=2)
    first, second = credentials_of(campaign)
    desk.tick()
    senders.disable_credential(first.pk, "operator", now=desk.now)
    claims = desk.send_due()
    assert {claimed.credential_id for claimed in claims} == {second.pk}
    assert (desk.used(first), desk.used(second)) == (0, 4)
    assert desk.violations() == []


def test_disabling_twice_is_told_once(desk: Desk) -> None:
    campaign = desk.released(credentials=2)
    first, _ = credentials_of(campaign)
    assert senders.disable_credential(first.pk, "operator", now=desk.now)
    assert not senders.disable_credential(first.pk, "bounce_rate", now=desk.now)
    first.refresh_from_db()
    [event] = Event.everywhere.filter(type="credential.disabled")
    assert event.data["reason"] == first.disabled_reason == "operator"
    assert event.data["campaign_ids"] == [str(campaign.pk)]


def test_the_last_one_takes_all_its_campaigns_along_and_each_is_told_once(desk: Desk) -> None:
    shared = desk.credential()
    campaigns = [desk.released(credentials=[shared]) for _ in range(2)]
    elsewhere = desk.released(credentials=[shared, desk.credential()])
    senders.disable_credential(shared.pk, "operator", now=desk.now)
    assert [status_of(one) for one in campaigns] == [("paused", "all_credentials_disabled")] * 2
    assert status_of(elsewhere) == ("active", "")
    events = Event.everywhere.filter(type="campaign.paused")
    assert {event.data["campaign_id"] for event in events} == {str(one.pk) for one in campaigns}
    assert {(event.data["reason"], *event.data["credential_ids"]) for event in events} == {
        ("all_credentials_disabled", str(shared.pk))
    }


def test_later_steps_wait_for_their_own_sender_while_it_is_disabled(desk: Desk) -> None:
    campaign = desk.released(2, credentials=2, steps=2)
    first, second = credentials_of(campaign)
    desk.send_due()
    senders.disable_credential(first.pk, "operator", now=desk.now)
    [only] = desk.send_due()
    assert only.credential_id == second.pk
    senders.reenable_credential(desk.account, first.pk, now=desk.now)
    [late] = desk.send_due()
    assert late.credential_id == first.pk
    desk.tick()
    assert status_of(campaign) == ("completed", "")
    assert desk.violations() == []


def test_a_first_step_that_was_tried_keeps_its_unit_where_it_was_tried(desk: Desk) -> None:
    """Law 4: the other credential may not take it on the same day, as the first one's unit is used."""
    campaign = desk.released(1, credentials=2, limit=1)
    desk.tick()
    [claimed] = desk.claim()
    tried = SmtpCredential.everywhere.get(pk=claimed.credential_id)
    assert desk.settle(claimed, S.DEFERRED)
    senders.disable_credential(tried.pk, "operator", now=desk.now)
    desk.wait(minutes=31)
    [again] = desk.claim()
    desk.hand_back(again)
    desk.tick()
    assert desk.used(tried) == 1
    senders.reenable_credential(desk.account, tried.pk, now=desk.now)
    desk.enroll(campaign, 3)
    desk.release(campaign)
    desk.send_due()
    assert desk.violations() == []
    tried_today = Message.everywhere.filter(attempt_rows__credential=tried).distinct().count()
    assert tried_today == 1


# -- Re-enabled


def test_reenabling_resumes_what_its_loss_had_paused_and_nothing_else(desk: Desk) -> None:
    shared = desk.credential()
    by_loss, by_hand = (desk.released(credentials=[shared]) for _ in range(2))
    lifecycle.pause_campaign(desk.account, by_hand.pk, now=desk.now)
    senders.disable_credential(shared.pk, "operator", now=desk.now)
    senders.reenable_credential(desk.account, shared.pk, now=desk.now)
    assert status_of(by_loss) == ("active", "")
    assert status_of(by_hand) == ("paused", "manual")


def test_reenabling_begins_a_new_period(desk: Desk) -> None:
    credential = desk.credential()
    senders.disable_credential(credential.pk, "bounce_rate", now=desk.now)
    desk.wait(hours=1)
    senders.reenable_credential(desk.account, credential.pk, now=desk.now)
    credential.refresh_from_db()
    assert (credential.disabled_at, credential.disabled_reason, credential.enabled_since) == (None, "", desk.now)


def test_reenabling_one_that_was_not_disabled_keeps_its_period(desk: Desk) -> None:
    credential = desk.credential()
    since = credential.enabled_since
    senders.reenable_credential(desk.account, credential.pk, now=desk.now)
    credential.refresh_from_db()
    assert credential.enabled_since == since


def test_nobody_reenables_the_credential_of_another_account(desk: Desk) -> None:
    credential = desk.credential()
    senders.disable_credential(credential.pk, "operator", now=desk.now)
    with pytest.raises(NotFound):
        senders.reenable_credential(Desk().account, credential.pk)
    credential.refresh_from_db()
    assert credential.disabled_at == desk.now


# -- Let go


def test_the_last_campaign_to_let_go_retires_it(desk: Desk) -> None:
    shared = desk.credential()
    first, second = (desk.released(credentials=[shared, desk.credential()]) for _ in range(2))
    senders.detach_credential(desk.account, first.pk, shared.pk, now=desk.now)
    shared.refresh_from_db()
    assert shared.retired_at is None
    senders.detach_credential(desk.account, second.pk, shared.pk, now=desk.now)
    shared.refresh_from_db()
    assert shared.retired_at == desk.now


def test_letting_go_of_the_last_enabled_credential_pauses_the_campaign(desk: Desk) -> None:
    campaign = desk.released(credentials=2)
    disabled, enabled = credentials_of(campaign)
    senders.disable_credential(disabled.pk, "operator", now=desk.now)
    senders.detach_credential(desk.account, campaign.pk, enabled.pk, now=desk.now)
    assert status_of(campaign) == ("paused", "all_credentials_disabled")


@pytest.mark.parametrize("may_change", [True, False])
def test_units_of_a_credential_that_is_let_go_come_back(desk: Desk, may_change: bool) -> None:
    shared = desk.credential()
    other = desk.credential()
    campaign = desk.released(4, credentials=[shared, other], sender_may_change=may_change)
    desk.released(2, credentials=[shared])
    desk.tick()
    senders.detach_credential(desk.account, campaign.pk, shared.pk, now=desk.now)
    desk.send_due()
    assert (desk.used(shared), desk.used(other)) == (2, 4)
    assert desk.violations() == []


def test_later_steps_move_where_the_campaign_allows_it(desk: Desk) -> None:
    campaign = desk.released(2, credentials=2, steps=2, sender_may_change=True)
    retired, kept = credentials_of(campaign)
    desk.send_due()
    senders.detach_credential(desk.account, campaign.pk, retired.pk, now=desk.now)
    assert {claimed.credential_id for claimed in desk.send_due()} == {kept.pk}
    assert Message.everywhere.filter(step_position=2, state="accepted").count() == 2
    assert desk.violations() == []


def test_later_steps_wait_for_ever_where_it_does_not(desk: Desk) -> None:
    campaign = desk.released(2, credentials=2, steps=2)
    retired, _ = credentials_of(campaign)
    desk.send_due()
    senders.detach_credential(desk.account, campaign.pk, retired.pk, now=desk.now)
    desk.send_due()
    assert Message.everywhere.filter(step_position=2).count() == 1
    assert status_of(campaign) == ("active", "")


def test_later_steps_move_once_the_campaign_allows_it(desk: Desk) -> None:
    campaign = desk.released(2, credentials=2, steps=2)
    retired, kept = credentials_of(campaign)
    desk.send_due()
    senders.detach_credential(desk.account, campaign.pk, retired.pk, now=desk.now)
    assert [claimed.credential_id for claimed in desk.send_due()] == [kept.pk]
    update_campaign(desk.account, campaign.pk, {"sender_may_change": True}, now=desk.now)
    assert [claimed.credential_id for claimed in desk.send_due()] == [kept.pk]
    desk.tick()
    assert status_of(campaign) == ("completed", "")
    assert desk.violations() == []


def test_a_sequence_that_is_through_keeps_its_sender(desk: Desk) -> None:
    campaign = desk.released(2, credentials=2, sender_may_change=True)
    first, second = credentials_of(campaign)
    desk.send_due()
    for credential in (first, second):
        senders.detach_credential(desk.account, campaign.pk, credential.pk, now=desk.now)
    assert set(campaign.enrollments.values_list("smtp_credential", flat=True)) == {first.pk, second.pk}


def test_later_steps_that_move_need_no_unit_of_the_cap(desk: Desk) -> None:
    """Rule 1: later steps go on when the cap is reached."""
    campaign = desk.released(2, credentials=2, limit=1, steps=2, sender_may_change=True)
    retired, kept = credentials_of(campaign)
    desk.send_due()
    senders.detach_credential(desk.account, campaign.pk, retired.pk, now=desk.now)
    assert {claimed.credential_id for claimed in desk.send_due()} == {kept.pk}
    assert Message.everywhere.filter(step_position=2, state="accepted").count() == 2


@pytest.mark.parametrize("step", [1, 2])
def test_a_message_that_waits_for_its_retry_moves_too(desk: Desk, step: int) -> None:
    campaign = desk.released(1, credentials=2, steps=step, sender_may_change=True)
    if step == 2:
        desk.send_due()
    desk.tick()
    [claimed] = desk.claim()
    assert desk.settle(claimed, S.DEFERRED)
    senders.detach_credential(desk.account, campaign.pk, claimed.credential_id, now=desk.now)
    desk.wait(days=1)
    [retried] = desk.claim()
    assert not desk.may_start(retried)
    desk.hand_back(retried)
    assert message_of(retried).reason == "credential_retired"
    [again] = desk.send_due()
    assert again.credential_id != claimed.credential_id
    assert desk.violations() == []


def test_nothing_leaves_through_a_credential_that_another_campaign_still_uses(desk: Desk) -> None:
    shared = desk.credential()
    campaign = desk.released(1, credentials=[shared])
    other = desk.released(1, credentials=[shared])
    desk.tick()
    first, second = sorted(desk.claim(), key=lambda one: message_of(one).campaign_id == other.pk)
    desk.settle(first, S.DEFERRED)
    desk.send(second)
    senders.detach_credential(desk.account, campaign.pk, shared.pk, now=desk.now)
    desk.wait(minutes=31)
    assert [claimed for claimed in desk.claim() if desk.may_start(claimed)] == []


def test_a_credential_that_is_not_attached_cannot_be_let_go(desk: Desk) -> None:
    campaign, stranger = desk.released(), desk.credential()
    with pytest.raises(NotFound):
        senders.detach_credential(desk.account, campaign.pk, stranger.pk)


# -- Another limit


def test_lowering_the_limit_releases_the_latest_that_were_not_started(desk: Desk) -> None:
    campaign = desk.campaign(limit=10, min_wait_seconds=20, max_wait_seconds=20)
    enrolled = desk.enroll(campaign, 6)
    desk.release(campaign)
    [credential] = credentials_of(campaign)
    desk.tick()
    kept = sorted(Message.everywhere.all(), key=lambda message: message.due_at)[:2]
    assert senders.set_daily_limit(credential, 2, now=desk.now) == 4
    desk.tick()
    assert desk.used(credential) == 2
    assert {message.pk for message in Message.everywhere.filter(due_at__isnull=False)} == {one.pk for one in kept}
    reasons = {message_of(one).reason for one in enrolled}
    assert reasons == {"", "daily_limit_lowered"}


def test_a_lowered_limit_also_holds_for_what_a_loop_has_in_its_hands(desk: Desk) -> None:
    """Law 4: claimed messages have not started, so they do not go beyond the limit in force."""
    campaign = desk.released(8, limit=8)
    [credential] = credentials_of(campaign)
    desk.tick()
    claims = desk.claim()
    desk.send(*claims[:2])
    senders.set_daily_limit(credential, 3, now=desk.now)
    assert len(desk.wire(*claims[2:])) == 1
    desk.tick()
    assert desk.used(credential) == 3
    assert desk.violations() == []


def test_what_has_started_stays_above_a_lowered_limit(desk: Desk) -> None:
    campaign = desk.released(3, limit=3)
    [credential] = credentials_of(campaign)
    desk.send_due()
    assert senders.set_daily_limit(credential, 1, now=desk.now) == 0
    desk.enroll(campaign, 1)
    desk.release(campaign)
    assert desk.send_due() == []
    assert desk.used(credential) == 3
    assert desk.violations() == []


def test_a_raised_limit_is_used_at_once(desk: Desk) -> None:
    campaign = desk.released(5, limit=2)
    [credential] = credentials_of(campaign)
    assert len(desk.send_due()) == 2
    senders.set_daily_limit(credential, 4, now=desk.now)
    assert len(desk.send_due()) == 2
    assert DailyUsage.objects.get(credential=credential).highest_limit == 4
    assert desk.violations() == []


def test_a_limit_of_zero_lets_nobody_new_in_and_later_steps_go_on(desk: Desk) -> None:
    campaign = desk.released(1, steps=2)
    [credential] = credentials_of(campaign)
    desk.send_due()
    senders.set_daily_limit(credential, 0, now=desk.now)
    [new] = desk.enroll(campaign)
    desk.release(campaign)
    [later] = desk.send_due()
    assert message_of(later).step_position == 2
    assert fresh(new).status == "pending"
