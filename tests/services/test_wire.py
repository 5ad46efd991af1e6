"""The `wire` mark: who may leave, who may not, and that nobody passes a stop fact (design, laws 1 and 5)."""

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest

from ampout.accounts.models import Account
from campaigns.models import Suppression
from campaigns.rules.suppression import SuppressionReason
from dispatch.models import Message
from dispatch.services import deletion, lifecycle, senders, stops, test_send, wire
from dispatch.services.claim import Claim
from tests import factories
from tests.services import suppressing
from tests.services.desk import Desk, S, message_of


def claimed_one(desk: Desk) -> Claim:
    """The claim of the one message of a dispatched campaign."""
    desk.released()
    desk.tick()
    [claimed] = desk.claim()
    return claimed


def claimed_test(desk: Desk) -> Claim:
    """The claim of a test message."""
    campaign = desk.campaign()
    test_send.send_test(desk.account, campaign.pk, ["tester@own.example"], now=desk.now)
    desk.tick()
    [claimed] = desk.claim()
    return claimed


# -- What is granted


def test_a_claimed_message_is_marked_before_its_body_goes(desk: Desk) -> None:
    claimed = claimed_one(desk)
    desk.wait(seconds=3)
    assert desk.wire(claimed) == {claimed.message_id}
    message = message_of(claimed)
    assert (message.state, message.wire_at, message.first_attempt_at) == (S.WIRE, desk.now, desk.now)


def test_a_retry_keeps_its_message_id_and_its_first_attempt(desk: Desk) -> None:
    claimed = claimed_one(desk)
    before, first_at = message_of(claimed), desk.now
    desk.send(claimed, state=S.DEFERRED)
    desk.wait(minutes=31)
    [again] = desk.claim()
    desk.wire(again)
    message = message_of(again)
    assert (message.message_id, message.first_attempt_at, message.wire_at) == (before.message_id, first_at, desk.now)
    assert (again.fence, again.attempts) == (claimed.fence + 1, 1)


def test_one_that_may_not_go_holds_up_no_other(desk: Desk) -> None:
    desk.released(3)
    desk.tick()
    stopped, *others = desk.claim()
    enrollment = message_of(stopped).enrollment
    assert enrollment is not None
    stops.unsubscribe_contact(enrollment.contact, now=desk.now)
    assert desk.wire(stopped, *others) == {claimed.message_id for claimed in others}


def test_asking_again_for_a_wire_that_was_committed_grants_it_again(desk: Desk) -> None:
    claimed = claimed_one(desk)
    assert desk.wire(claimed) == desk.wire(claimed) == {claimed.message_id}


def test_a_wire_that_was_committed_before_a_pause_is_granted_again_after_it(desk: Desk) -> None:
    """The answer was lost with the connection; the body has its permission, and a no would leave it in `wire`."""
    claimed = claimed_one(desk)
    desk.wire(claimed)
    campaign_id = message_of(claimed).campaign_id
    assert campaign_id is not None
    lifecycle.pause_campaign(desk.account, campaign_id, now=desk.now)
    wired_at = desk.now
    desk.wait(seconds=5)
    assert desk.wire(claimed) == {claimed.message_id}
    assert message_of(claimed).wire_at == wired_at


# -- Whose claim it is


def test_nobody_else_may_ask(desk: Desk) -> None:
    claimed = claimed_one(desk)
    other = Desk(account=desk.account, now=desk.now)
    assert other.wire(claimed) == set()
    assert message_of(claimed).state == S.CLAIMED


def test_an_older_claim_may_not_ask(desk: Desk) -> None:
    claimed = claimed_one(desk)
    desk.settle(claimed, S.DEFERRED)
    desk.wait(minutes=31)
    [again] = desk.claim()
    assert desk.wire(claimed) == set()
    assert desk.wire(again) == {again.message_id}


@pytest.mark.parametrize("state", [state for state in S if state not in {S.CLAIMED, S.WIRE}])
def test_only_a_claimed_message_may_go(desk: Desk, state: S) -> None:
    claimed = claimed_one(desk)
    Message.everywhere.filter(pk=claimed.message_id).update(state=state.value)
    assert desk.wire(claimed) == set()
    assert message_of(claimed).state == state


# -- Stop facts

Stop = Callable[[Desk, Message], object]


def unsubscribe(desk: Desk, message: Message) -> object:
    return suppressing.suppress_digest(
        desk.account.pk, bytes(message.recipient_digest), SuppressionReason.UNSUBSCRIBED, now=desk.now
    )


def complain(desk: Desk, message: Message) -> object:
    return suppressing.suppress_digest(
        desk.account.pk, bytes(message.recipient_digest), SuppressionReason.COMPLAINT, now=desk.now
    )


def suppress_domain(desk: Desk, message: Message) -> object:
    domain = message.recipient.rpartition("@")[2]
    return suppressing.suppress_domain(desk.account, domain, SuppressionReason.MANUAL, now=desk.now)


def pause(desk: Desk, message: Message) -> object:
    assert message.campaign_id is not None
    return lifecycle.pause_campaign(desk.account, message.campaign_id, now=desk.now)


def disable(desk: Desk, message: Message) -> object:
    assert message.credential_id is not None
    return senders.disable_credential(message.credential_id, "operator", now=desk.now)


def detach(desk: Desk, message: Message) -> object:
    assert message.campaign_id is not None
    assert message.credential_id is not None
    return senders.detach_credential(desk.account, message.campaign_id, message.credential_id, now=desk.now)


def suspend(desk: Desk, message: Message) -> object:
    return Account.objects.filter(pk=desk.account.pk).update(suspended_at=desk.now)


def delete_campaign(desk: Desk, message: Message) -> object:
    assert message.campaign_id is not None
    return deletion.delete_campaign(desk.account, message.campaign_id, now=desk.now)


def delete_contact(desk: Desk, message: Message) -> object:
    assert message.contact_id is not None
    return deletion.delete_contact(desk.account, message.contact_id, now=desk.now)


STOPS: list[Stop] = [
    *(unsubscribe, complain, suppress_domain),
    *(pause, disable, detach, suspend),
    *(delete_campaign, delete_contact),
]
"""Each stops the message of a campaign."""

TEST_STOPS: list[Stop] = [unsubscribe, complain, suppress_domain, disable, detach, suspend, delete_campaign]
"""Each stops a test message."""


@pytest.mark.parametrize("stop", STOPS)
def test_after_this_nothing_of_it_leaves(desk: Desk, stop: Stop) -> None:
    claimed = claimed_one(desk)
    stop(desk, message_of(claimed))
    assert not desk.may_start(claimed)
    assert desk.wire(claimed) == set()
    assert message_of(claimed).state == S.CLAIMED
    desk.hand_back(claimed)
    assert desk.claim() == []
    assert desk.violations() == []


@pytest.mark.parametrize("stop", TEST_STOPS)
def test_after_this_no_test_leaves(desk: Desk, stop: Stop) -> None:
    claimed = claimed_test(desk)
    stop(desk, message_of(claimed))
    assert desk.wire(claimed) == set()
    desk.hand_back(claimed)
    assert message_of(claimed).state == S.CANCELLED
    assert desk.violations() == []


def test_a_test_of_a_paused_campaign_leaves(desk: Desk) -> None:
    """Whoever pauses to edit wants to see what it looks like."""
    campaign = desk.released()
    lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
    test_send.send_test(desk.account, campaign.pk, ["tester@own.example"], now=desk.now)
    desk.tick()
    [claimed] = desk.claim()
    assert (claimed.stream, desk.wire(claimed)) == ("test", {claimed.message_id})


@pytest.mark.parametrize("value", ["person@elsewhere.example", "elsewhere.example"])
def test_a_suppression_without_a_stop_is_heeded_all_the_same(desk: Desk, value: str) -> None:
    campaign = desk.campaign()
    factories.enroll(campaign, factories.make_contact(desk.account, "person@elsewhere.example"))
    desk.release(campaign)
    desk.tick()
    [claimed] = desk.claim()
    factories.make_suppression(desk.account, value)
    assert desk.wire(claimed) == set()


def test_a_suppression_that_was_lifted_stops_nothing(desk: Desk) -> None:
    campaign = desk.campaign()
    contact = factories.make_contact(desk.account)
    listed = factories.make_suppression(desk.account, contact.identity)
    stops.lift_suppression(desk.account, listed.pk)
    factories.enroll(campaign, contact)
    desk.release(campaign)
    desk.tick()
    assert len(desk.wire(*desk.claim())) == 1


def test_what_another_account_suppresses_stops_nothing_here(desk: Desk) -> None:
    claimed = claimed_one(desk)
    other = factories.make_account()
    for digest in (message_of(claimed).recipient_digest, message_of(claimed).domain_digest):
        Suppression.objects.create(account=other, kind="address", digest=bytes(digest), scope="all", reason="manual")
    assert desk.wire(claimed) == {claimed.message_id}


def test_an_unknown_id_is_not_granted(desk: Desk) -> None:
    assert wire.commit_wire(desk.worker_id, [(uuid.uuid4(), 1)], now=desk.now) == set()
    assert wire.commit_wire(desk.worker_id, [], now=desk.now + timedelta(days=1)) == set()
