"""Settling: what became of a claim, for the message, its enrollment and its credential, in one transaction."""

from datetime import timedelta
from typing import Any

import pytest

from ampout.events.models import Event
from campaigns.models import Suppression
from dispatch.models import Attempt, DeliveryWorker, Message
from dispatch.rules.smtp_reply import Blame
from dispatch.services import reconcile, settle, stops, test_send
from dispatch.services.claim import Claim
from tests import factories
from tests.services.desk import Desk, S, fresh, message_of
from tests.services.rival import Rival, Waiting


def claimed_one(desk: Desk, **fields: Any) -> Claim:
    """The claim of the first message of a dispatched campaign."""
    desk.released(**fields)
    desk.tick()
    [claimed] = desk.claim()
    return claimed


# -- The message


def test_an_outcome_is_written_whole(desk: Desk) -> None:
    claimed = claimed_one(desk)
    desk.wire(claimed)
    started_at = desk.now
    desk.wait(seconds=2)
    facts: dict[str, Any] = {
        "reply_code": 250,
        "reply_text": "250 2.0.0 Ok",
        "subject": "Hello",
        "delivered_message_id": "<x@y>",
    }
    assert desk.settle(claimed, started_at=started_at, **facts)
    message = message_of(claimed)
    assert (message.state, message.attempts, message.settled_at, message.worker_id) == (S.ACCEPTED, 1, desk.now, None)
    assert {name: getattr(message, name) for name in facts} == facts
    attempt = Attempt.everywhere.get()
    assert (attempt.state, attempt.started_at, attempt.ended_at, attempt.is_evidence) == (
        S.ACCEPTED,
        started_at,
        desk.now,
        False,
    )


def test_each_transaction_leaves_a_row_and_the_message_id_stays(desk: Desk) -> None:
    claimed = claimed_one(desk)
    message_id = message_of(claimed).message_id
    for _ in range(3):
        assert desk.settle(claimed, S.DEFERRED)
        desk.wait(minutes=31)
        [claimed] = desk.claim()
    desk.send(claimed)
    message = message_of(claimed)
    assert (message.message_id, message.attempts, message.state) == (message_id, 4, S.ACCEPTED)
    assert list(Attempt.everywhere.order_by("pk").values_list("fence", "state")) == [
        (1, "deferred"),
        (2, "deferred"),
        (3, "deferred"),
        (4, "accepted"),
    ]
    assert desk.violations() == []


def test_settling_twice_changes_nothing_more(desk: Desk) -> None:
    """The answer to the first commit was lost, and it is asked again."""
    claimed = claimed_one(desk, steps=2)
    desk.wire(claimed)
    outcome = desk.outcome(claimed)
    assert settle.settle(desk.worker_id, [outcome]) == {claimed.message_id}
    enrollment = fresh(message_of(claimed).place[0])
    assert settle.settle(desk.worker_id, [outcome]) == set()
    again = fresh(enrollment)
    assert (
        (again.next_position, again.next_due_at) == (enrollment.next_position, enrollment.next_due_at) == (2, desk.now)
    )
    assert (message_of(claimed).attempts, Event.everywhere.count()) == (1, 1)
    assert desk.violations() == []


def test_words_that_no_database_takes_harm_nobody_else(desk: Desk) -> None:
    desk.released(3)
    desk.tick()
    claims = desk.claim()
    desk.wire(*claims)
    words = ["250 Ok", "250 \x00 \ud800", "250 Ok"]
    outcomes = [desk.outcome(claimed, reply_text=text) for claimed, text in zip(claims, words, strict=True)]
    assert len(settle.settle_each(desk.worker_id, outcomes)) == 3
    assert [message_of(claimed).reply_text for claimed in claims] == ["250 Ok", "", "250 Ok"]
    assert desk.violations() == []


def test_a_reply_of_any_length_is_cut(desk: Desk) -> None:
    claimed = claimed_one(desk)
    desk.send(claimed, reply_text="250 " + "y" * 5_000)
    assert len(message_of(claimed).reply_text) == settle.REPLY_TEXT_LIMIT


# -- Fencing


def test_the_outcome_of_a_reaped_loop_is_evidence_and_resolves_the_unknown(desk: Desk) -> None:
    """Promise A4: a worker that slept through its lease got its 250 all the same."""
    claimed = claimed_one(desk)
    desk.wire(claimed)
    reap(desk)
    assert message_of(claimed).state == S.UNKNOWN
    assert not desk.settle(claimed)
    message = message_of(claimed)
    assert message.state == S.ACCEPTED
    assert list(Attempt.everywhere.order_by("pk").values_list("state", "is_evidence")) == [
        ("unknown", False),
        ("accepted", True),
    ]
    assert Event.everywhere.filter(type="enrollment.sent").count() == 1
    assert desk.violations() == []


def test_a_late_refusal_of_a_reaped_loop_bounces(desk: Desk) -> None:
    claimed = claimed_one(desk, steps=2)
    desk.wire(claimed)
    reap(desk)
    assert not desk.bounce(claimed)
    enrollment = fresh(message_of(claimed).place[0])
    assert (message_of(claimed).state, enrollment.status, enrollment.stop_reason) == (S.REFUSED, "bounced", "bounced")
    assert desk.violations() == []


def test_a_late_temporary_answer_leaves_it_unknown(desk: Desk) -> None:
    claimed = claimed_one(desk)
    desk.wire(claimed)
    reap(desk)
    assert not desk.settle(claimed, S.DEFERRED)
    assert message_of(claimed).state == S.UNKNOWN


def test_a_reaped_loop_moves_nothing_that_another_has_taken_over(desk: Desk) -> None:
    claimed = claimed_one(desk)
    reap(desk)
    other = Desk(account=desk.account, now=desk.now)
    [again] = other.claim()
    assert desk.wire(claimed) == set()
    assert not desk.settle(claimed, S.DEFERRED)
    assert message_of(again).state == S.CLAIMED
    other.send(again)
    assert desk.violations() == []


def reap(desk: Desk) -> None:
    """The loop's lease ran out, and somebody else heals what it held."""
    worker = DeliveryWorker.objects.filter(pk=desk.worker_id)
    worker.update(lease_until=worker.get().lease_until - timedelta(hours=1))
    reconcile.reconcile()


# -- The enrollment


@pytest.mark.parametrize(
    ("state", "facts", "stop_reason", "status"),
    [
        (S.REFUSED, {"hard_bounce": True, "suppress": True, "blame": Blame.ADDRESS}, "bounced", "bounced"),
        (S.REFUSED, {"blame": Blame.CONTENT}, "refused", "bounced"),
        (S.GAVE_UP, {"blame": Blame.SERVER}, "gave_up", "bounced"),
        (S.QUARANTINED, {"started_at": None}, "quarantined", "pending"),
    ],
)
def test_a_bad_end_stops_the_sequence(
    desk: Desk, state: S, facts: dict[str, Any], stop_reason: str, status: str
) -> None:
    claimed = claimed_one(desk, steps=3)
    assert desk.settle(claimed, state, reply_text="550 No", **facts)
    enrollment = fresh(message_of(claimed).place[0])
    assert (enrollment.stop_reason, enrollment.status, enrollment.next_position) == (stop_reason, status, 2)
    assert enrollment.bounce_reason == ("550 No" if status == "bounced" else "")
    assert Event.everywhere.filter(type="enrollment.bounced").count() == (status == "bounced")
    assert desk.violations() == []


def test_a_hard_bounce_suppresses_the_address_and_stops_its_other_sequences(desk: Desk) -> None:
    contact = factories.make_contact(desk.account)
    campaigns = [desk.campaign(steps=2) for _ in range(2)]
    here, there = [factories.enroll(campaign, contact) for campaign in campaigns]
    for campaign in campaigns:
        desk.release(campaign)
    desk.tick()
    first, second = sorted(desk.claim(), key=lambda claimed: message_of(claimed).enrollment_id == there.pk)
    desk.bounce(first)
    assert [(fresh(one).status, fresh(one).stop_reason) for one in (here, there)] == [("bounced", "bounced")] * 2
    assert Suppression.objects.of(desk.account).get(digest=contact.address_digest).scope == "all"
    assert desk.wire(second) == set()
    assert Event.everywhere.filter(type="enrollment.bounced").count() == 2


def test_a_refusal_of_content_suppresses_nobody(desk: Desk) -> None:
    contact = factories.make_contact(desk.account)
    campaigns = [desk.campaign() for _ in range(2)]
    here, there = [factories.enroll(campaign, contact) for campaign in campaigns]
    for campaign in campaigns:
        desk.release(campaign)
    desk.tick()
    first, second = sorted(desk.claim(), key=lambda claimed: message_of(claimed).enrollment_id == there.pk)
    desk.settle(first, S.REFUSED, blame=Blame.CONTENT)
    assert (fresh(here).status, fresh(there).stopped_at) == ("bounced", None)
    assert not Suppression.objects.of(desk.account).exclude(scope="").exists()
    desk.send(second)


def test_a_test_message_that_bounces_stops_the_sequences_of_its_address(desk: Desk) -> None:
    """A hard bounce stops every path, whichever message met it."""
    contact = factories.make_contact(desk.account, "gone@chaos.example")
    campaign = desk.campaign(min_wait_seconds=600, max_wait_seconds=600)
    enrolled = factories.enroll(campaign, contact)
    test_send.send_test(desk.account, campaign.pk, [contact.email], now=desk.now)
    desk.tick()
    [claimed] = desk.claim()
    desk.bounce(claimed)
    assert (fresh(enrolled).status, fresh(enrolled).stop_reason) == ("bounced", "bounced")
    assert desk.violations() == []


def test_a_stop_that_came_during_the_transaction_holds(desk: Desk) -> None:
    claimed = claimed_one(desk, steps=2)
    enrollment, _ = message_of(claimed).place
    desk.wire(claimed)
    stops.unsubscribe_contact(enrollment.contact, now=desk.now)
    assert desk.settle(claimed)
    after = fresh(enrollment)
    assert (after.status, after.stop_reason, after.next_position) == ("unsubscribed", "unsubscribed", 2)
    assert (after.next_due_at, after.sent_at) == (None, desk.now)
    assert desk.violations() == []


@pytest.mark.parametrize("wired", [True, False])
def test_there_is_no_retry_for_whoever_was_stopped_meanwhile(desk: Desk, wired: bool) -> None:
    claimed = claimed_one(desk)
    enrollment, _ = message_of(claimed).place
    if wired:
        desk.wire(claimed)
    stops.unsubscribe_contact(enrollment.contact, now=desk.now)
    assert desk.settle(claimed, S.DEFERRED)
    message = message_of(claimed)
    assert (message.state, message.reason, message.due_at) == (S.CANCELLED, "unsubscribed", None)
    assert desk.violations() == []


def test_the_delay_runs_from_the_send_and_not_from_the_plan(desk: Desk) -> None:
    claimed = claimed_one(desk, steps=2)
    enrollment, _ = message_of(claimed).place
    enrollment.campaign.steps.filter(position=2).update(delay_minutes=60)
    desk.wait(minutes=7)
    desk.wire(claimed)
    wired_at = desk.now
    desk.wait(minutes=3)
    desk.settle(claimed)
    assert (fresh(enrollment).next_due_at, fresh(enrollment).wait_reason) == (wired_at + timedelta(hours=1), "delay")


def test_one_event_a_step(desk: Desk) -> None:
    desk.released(2, steps=2)
    desk.send_due()
    desk.send_due()
    facts = list(Event.everywhere.filter(type="enrollment.sent").values_list("fact", flat=True))
    assert len(set(facts)) == len(facts) == 4


# -- The credential


def test_a_refused_login_is_shown_and_leaves_the_message_untouched(desk: Desk) -> None:
    claimed = claimed_one(desk)
    words = "535 5.7.8 Authentication failed"
    desk.settle(claimed, S.DEFERRED, stage="auth", blame=Blame.CREDENTIAL, reply_text=words, reason="login_refused")
    credential = message_of(claimed).credential
    assert credential is not None
    assert (credential.last_problem, credential.last_problem_at) == (f"auth: {words}", desk.now)
    lane = desk.lane(credential)
    assert (lane.failures, lane.last_finished_at) == (1, desk.now)
    assert lane.back_off_until is not None
    assert timedelta(minutes=1) <= lane.back_off_until - desk.now <= timedelta(seconds=72)
    assert fresh(message_of(claimed).place[0]).status == "pending"


def test_failures_in_a_row_grow_the_back_off_and_a_conversation_ends_it(desk: Desk) -> None:
    desk.released(3)
    desk.tick()
    first, second, third = desk.claim()
    facts: dict[str, Any] = {"stage": "connect", "blame": Blame.SERVER, "reason": "timeout"}
    for claimed in (first, second):
        desk.settle(claimed, S.DEFERRED, **facts)
    credential = message_of(first).credential
    assert credential is not None
    assert desk.lane(credential).failures == 2
    desk.send(third)
    assert (desk.lane(credential).failures, desk.lane(credential).back_off_until) == (0, None)


def test_a_greylisting_server_is_not_left_alone(desk: Desk) -> None:
    claimed = claimed_one(desk)
    desk.settle(claimed, S.DEFERRED, stage="rcpt", blame=Blame.SERVER, reason="temporary")
    credential = message_of(claimed).credential
    assert credential is not None
    assert desk.lane(credential).back_off_until is None


def test_every_outcome_starts_the_next_gap(desk: Desk) -> None:
    for state in (S.ACCEPTED, S.REFUSED, S.DEFERRED, S.UNKNOWN):
        claimed = claimed_one(desk)
        desk.wire(claimed)
        desk.wait(seconds=9)
        desk.settle(claimed, state)
        credential = message_of(claimed).credential
        assert credential is not None
        assert desk.lane(credential).last_finished_at == desk.now


@pytest.mark.django_db(transaction=True)
def test_nobody_who_waits_for_a_credential_holds_its_lane() -> None:
    """The order of locks: whoever changes a limit holds the credential and then wants the lane."""
    desk = Desk()
    claimed = claimed_one(desk)
    with Rival() as rival:
        rival.run("SELECT 1 FROM credentials_smtpcredential WHERE id = %s FOR NO KEY UPDATE", claimed.credential_id)
        login_refused: dict[str, Any] = {"stage": "auth", "blame": Blame.CREDENTIAL}
        settling = Waiting(lambda: desk.settle(claimed, S.DEFERRED, **login_refused)).until_it_waits()
        rival.run("SELECT 1 FROM dispatch_lane WHERE credential_id = %s FOR UPDATE NOWAIT", claimed.credential_id)
        rival.commit()
        assert settling.result()
    assert Message.everywhere.get().state == S.DEFERRED
