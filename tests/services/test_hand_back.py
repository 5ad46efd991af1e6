"""Claims that end without a transaction: what may not go, what keeps its slot, what is over."""

import pytest

from ampout.accounts.models import Account
from dispatch.models import DeliveryWorker, Message
from dispatch.services import hand_back, lifecycle, reconcile, senders, stops
from dispatch.services.claim import Claim
from tests.services.desk import Desk, S, message_of
from tests.services.test_settle import reap


def claimed_one(desk: Desk) -> Claim:
    desk.released(1, credentials=2)
    desk.tick()
    [claimed] = desk.claim()
    return claimed


def state_and_reason(claimed: Claim) -> tuple[str, str]:
    message = message_of(claimed)
    return message.state, message.reason


# -- Handed back, as it may not go


def test_a_paused_one_waits_for_a_new_slot_and_gives_its_unit_back(desk: Desk) -> None:
    claimed = claimed_one(desk)
    message = message_of(claimed)
    assert message.campaign_id is not None
    assert message.credential is not None
    lifecycle.pause_campaign(desk.account, message.campaign_id, now=desk.now)
    desk.hand_back(claimed)
    assert (message_of(claimed).due_at, message_of(claimed).worker_id) == (None, None)
    assert state_and_reason(claimed) == (S.PLANNED, "paused")
    desk.tick()
    assert desk.used(message.credential) == 0


def test_the_reason_names_what_stopped_it(desk: Desk) -> None:
    disabled, suspended, stopped, nothing = (claimed_one(desk) for _ in range(4))
    credential_id = message_of(disabled).credential_id
    assert credential_id is not None
    senders.disable_credential(credential_id, "operator", now=desk.now)
    desk.hand_back(disabled)
    desk.hand_back(nothing)
    stops.unsubscribe_contact(message_of(stopped).place[0].contact, now=desk.now)
    desk.hand_back(stopped)
    Account.objects.filter(pk=desk.account.pk).update(suspended_at=desk.now)
    desk.hand_back(suspended)
    assert [state_and_reason(claimed) for claimed in (disabled, suspended, stopped, nothing)] == [
        (S.PLANNED, "credential_disabled"),
        (S.PLANNED, "account_suspended"),
        (S.CANCELLED, "unsubscribed"),
        (S.PLANNED, "wire_refused"),
    ]


def test_a_transaction_that_was_begun_uses_the_unit(desk: Desk) -> None:
    """Law 4: a unit comes back only before any transaction."""
    claimed = claimed_one(desk)
    message = message_of(claimed)
    assert message.campaign_id is not None
    assert message.credential is not None
    lifecycle.pause_campaign(desk.account, message.campaign_id, now=desk.now)
    desk.hand_back(claimed, attempted=True)
    desk.tick()
    assert (desk.used(message.credential), message_of(claimed).first_attempt_at) == (1, desk.now)
    assert desk.violations() == []


def test_nobody_hands_back_what_another_holds(desk: Desk) -> None:
    claimed = claimed_one(desk)
    other = Desk(account=desk.account, now=desk.now)
    assert other.hand_back(claimed) == 0
    assert message_of(claimed).state == S.CLAIMED


# -- Released, with its slot


def test_a_released_one_keeps_its_slot(desk: Desk) -> None:
    claimed = claimed_one(desk)
    assert hand_back.release(desk.worker_id, [claimed.message_id], reason="back_off") == 1
    message = message_of(claimed)
    assert (message.state, message.reason, message.due_at, message.worker_id) == (
        S.PLANNED,
        "back_off",
        claimed.due_at,
        None,
    )


def test_one_that_was_stopped_meanwhile_is_cancelled_instead(desk: Desk) -> None:
    """A loop that shuts down leaves nothing planned for whoever was stopped: nobody might come to clean up."""
    claimed = claimed_one(desk)
    stops.unsubscribe_contact(message_of(claimed).place[0].contact, now=desk.now)
    hand_back.release(desk.worker_id, [claimed.message_id])
    assert state_and_reason(claimed) == (S.CANCELLED, "unsubscribed")
    assert desk.violations() == []


def test_one_of_a_dead_loop_is_cancelled_too_when_it_was_stopped(desk: Desk) -> None:
    claimed = claimed_one(desk)
    stops.unsubscribe_contact(message_of(claimed).place[0].contact, now=desk.now)
    reap(desk)
    assert state_and_reason(claimed) == (S.CANCELLED, "unsubscribed")
    assert desk.violations() == []


# -- A dead loop's


def test_what_a_dead_loop_held_is_planned_again_or_unknown(desk: Desk) -> None:
    desk.released(3)
    desk.tick()
    held, wired, sent = desk.claim()
    desk.wire(wired)
    desk.send(sent)
    reap(desk)
    assert [message_of(claimed).state for claimed in (held, wired, sent)] == [S.PLANNED, S.UNKNOWN, S.ACCEPTED]
    assert state_and_reason(held) == (S.PLANNED, "lease_ran_out")
    assert message_of(held).due_at == held.due_at
    assert desk.violations() == []
    other = Desk(account=desk.account, now=desk.now)
    [again] = other.claim()
    assert (again.message_id, again.fence) == (held.message_id, held.fence + 1)


def test_healing_twice_heals_nothing_more(desk: Desk) -> None:
    claimed = claimed_one(desk)
    desk.wire(claimed)
    reap(desk)
    assert reconcile.reconcile() == {"planned": 0, "unknown": 0}


def test_a_live_loop_is_left_alone(desk: Desk) -> None:
    claimed = claimed_one(desk)
    assert reconcile.reconcile() == {"planned": 0, "unknown": 0}
    assert message_of(claimed).state == S.CLAIMED


@pytest.mark.parametrize("field", ["ended_at", "lease_until"])
def test_a_reaped_loop_claims_nothing(desk: Desk, field: str) -> None:
    desk.released(1)
    desk.tick()
    DeliveryWorker.objects.filter(pk=desk.worker_id).update(**{field: "2020-01-01T00:00:00Z"})
    reconcile.reconcile()
    assert desk.claim() == []
    assert Message.everywhere.get().state == S.PLANNED


# -- A full day


def test_a_message_that_lost_its_day_goes_before_new_contacts(desk: Desk) -> None:
    campaign = desk.released(1, limit=1)
    desk.tick()
    [late] = desk.claim()
    desk.wait(days=1)
    desk.enroll(campaign, 2)
    desk.release(campaign)
    desk.tick()
    assert not desk.start(late)
    assert hand_back.lose_day(desk.worker_id, late.message_id) == 1
    assert state_and_reason(late) == (S.PLANNED, "day_rolled_over")
    desk.send(*[claimed for claimed in desk.claim() if claimed.message_id != late.message_id])
    desk.wait(days=1)
    assert [claimed.message_id for claimed in desk.send_due()] == [late.message_id]
    assert desk.violations() == []


def test_one_that_was_stopped_meanwhile_is_cancelled_when_it_loses_its_day(desk: Desk) -> None:
    claimed = claimed_one(desk)
    stops.unsubscribe_contact(message_of(claimed).place[0].contact, now=desk.now)
    hand_back.lose_day(desk.worker_id, claimed.message_id)
    assert state_and_reason(claimed) == (S.CANCELLED, "unsubscribed")
    assert desk.violations() == []


def test_a_lowered_limit_leaves_whoever_was_stopped_to_the_loop(desk: Desk) -> None:
    claimed = claimed_one(desk)
    message = message_of(claimed)
    assert message.credential is not None
    stops.unsubscribe_contact(message.place[0].contact, now=desk.now)
    senders.set_daily_limit(message.credential, 0, now=desk.now)
    desk.hand_back(claimed)
    assert state_and_reason(claimed) == (S.CANCELLED, "unsubscribed")
    desk.tick()
    assert desk.used(message.credential) == 0
    assert desk.violations() == []
