"""Law 3: an unknown message moves on evidence, or by a named operator's choice, and the next step waits."""

from datetime import timedelta

import pytest
from pytest_django.fixtures import Settings

from ampout.events.models import Event
from ampout.lib import clock
from ampout.lib.errors import NotFound, Unprocessable
from campaigns.models import Campaign, Enrollment
from dispatch.models import Attempt, Message
from dispatch.services import completion, deletion, evidence, stops
from dispatch.services.claim import Claim
from dispatch.services.evidence import Resolution
from tests import factories
from tests.services.desk import Desk, S, fresh, message_of

GRACE = timedelta(hours=72)


@pytest.fixture(autouse=True)
def time_of_the_desk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator's choice reads the clock itself: it is the desk's."""
    monkeypatch.setattr(clock, "utc_now", lambda: desk.now)


def unknown_one(desk: Desk, *, delay_minutes: int = 0, **fields: int) -> tuple[Claim, Enrollment]:
    """A message whose final reply never came."""
    campaign = desk.campaign(**fields)
    campaign.steps.filter(position=2).update(delay_minutes=delay_minutes)
    [enrolled] = desk.enroll(campaign)
    desk.release(campaign)
    [claimed] = desk.send_due(S.UNKNOWN)
    return claimed, enrolled


def resolve(claimed: Claim, choice: Resolution) -> Message:
    return evidence.resolve_unknown(claimed.message_id, choice, actor="olga")


def status_of(enrolled: Enrollment) -> str:
    return str(Campaign.everywhere.get(pk=enrolled.campaign_id).status)


# -- While nobody knows


def test_it_is_never_sent_again_by_itself(desk: Desk) -> None:
    unknown_one(desk)
    for _ in range(20):
        desk.wait(days=1)
        desk.tick()
        assert desk.claim() == []
    assert desk.violations() == []


def test_it_counts_as_sent_and_uses_up_the_cap(desk: Desk) -> None:
    claimed, enrolled = unknown_one(desk, limit=1)
    assert fresh(enrolled).status == "sent"
    assert Event.everywhere.filter(type="enrollment.sent").count() == 1
    credential = message_of(claimed).credential
    assert credential is not None
    assert desk.used(credential) == 1


@pytest.mark.parametrize(("delay_minutes", "wait"), [(60, GRACE), (7 * 24 * 60, timedelta(days=7))])
def test_the_next_step_waits_for_the_later_of_delay_and_grace_from_the_wire(
    desk: Desk, delay_minutes: int, wait: timedelta
) -> None:
    campaign = desk.released(1, steps=2)
    campaign.steps.filter(position=2).update(delay_minutes=delay_minutes)
    desk.tick()
    [claimed] = desk.claim()
    desk.wire(claimed)
    wired_at = desk.now
    desk.wait(minutes=10)
    desk.settle(claimed, S.UNKNOWN)
    desk.now = wired_at + wait - timedelta(seconds=1)
    assert desk.send_due() == []
    desk.now = wired_at + wait
    assert len(desk.send_due()) == 1
    assert desk.violations() == []


def test_a_campaign_does_not_complete_inside_the_grace_period(desk: Desk) -> None:
    _, enrolled = unknown_one(desk)
    desk.wait(hours=71)
    desk.tick()
    assert (status_of(enrolled), fresh(enrolled).finished_at) == ("active", None)
    desk.wait(hours=1)
    desk.tick()
    assert (status_of(enrolled), fresh(enrolled).finished_at) == ("completed", desk.now)
    assert desk.violations() == []


def test_it_does_not_complete_either_when_the_contact_was_stopped_meanwhile(desk: Desk) -> None:
    """Law 2: `completed` requires no `unknown` inside its grace period, whoever else stopped the sequence."""
    _, enrolled = unknown_one(desk, steps=2)
    stops.unsubscribe_contact(enrolled.contact, now=desk.now)
    desk.wait(hours=71)
    desk.tick()
    assert status_of(enrolled) == "active"
    desk.wait(hours=1)
    desk.tick()
    assert status_of(enrolled) == "completed"


# -- The late final reply of the attempt itself


def test_a_late_250_settles_it_and_the_next_step_keeps_its_own_delay(desk: Desk) -> None:
    claimed, enrolled = unknown_one(desk, steps=2, delay_minutes=30)
    wired_at = desk.now
    desk.wait(minutes=4)
    outcome = desk.outcome(claimed, reply_code=250, reply_text="250 Ok", delivered_message_id="<1@provider.example>")
    assert evidence.resolve_by_late_outcome(outcome)
    message = message_of(claimed)
    assert (message.state, message.reply_code, message.delivered_message_id) == (
        S.ACCEPTED,
        250,
        "<1@provider.example>",
    )
    assert (fresh(enrolled).next_due_at, fresh(enrolled).wait_reason) == (wired_at + timedelta(minutes=30), "delay")
    assert Event.everywhere.filter(type="enrollment.sent").count() == 1
    assert desk.violations() == []


def test_a_late_refusal_stops_the_sequence(desk: Desk) -> None:
    claimed, enrolled = unknown_one(desk, steps=2)
    assert evidence.resolve_by_late_outcome(desk.outcome(claimed, S.REFUSED, reply_text="554 Spam"))
    assert (fresh(enrolled).status, fresh(enrolled).stop_reason) == ("bounced", "refused")
    assert desk.violations() == []


@pytest.mark.parametrize("state", [S.DEFERRED, S.UNKNOWN, S.GAVE_UP])
def test_other_late_answers_prove_nothing(desk: Desk, state: S) -> None:
    claimed, _ = unknown_one(desk)
    assert not evidence.resolve_by_late_outcome(desk.outcome(claimed, state))
    assert message_of(claimed).state == S.UNKNOWN


def test_the_reply_to_another_attempt_proves_nothing(desk: Desk) -> None:
    claimed, _ = unknown_one(desk)
    resolve(claimed, Resolution.RESEND)
    [again] = desk.send_due(S.UNKNOWN)
    assert not evidence.resolve_by_late_outcome(desk.outcome(claimed))
    assert evidence.resolve_by_late_outcome(desk.outcome(again))


def test_a_late_reply_after_the_next_step_went_moves_the_message_alone(desk: Desk) -> None:
    claimed, enrolled = unknown_one(desk, steps=3)
    desk.wait(hours=72)
    desk.send_due()
    before = fresh(enrolled)
    assert evidence.resolve_by_late_outcome(desk.outcome(claimed))
    after = fresh(enrolled)
    assert (after.next_position, after.next_due_at) == (before.next_position, before.next_due_at)
    assert desk.violations() == []


# -- An operator's choice


def test_counting_as_sent_goes_on_and_is_recorded_with_the_name(desk: Desk) -> None:
    claimed, enrolled = unknown_one(desk, steps=2, delay_minutes=30)
    wired_at = desk.now
    desk.wait(hours=5)
    assert resolve(claimed, Resolution.SENT).state == S.ACCEPTED
    choice = Attempt.everywhere.get(is_evidence=True)
    assert (choice.reason, choice.reply_text) == ("operator_sent", "chosen by olga")
    assert fresh(enrolled).next_due_at == wired_at + timedelta(minutes=30)
    assert len(desk.send_due()) == 1
    assert desk.violations() == []


def test_resending_goes_out_once_more_under_the_same_message_id(desk: Desk) -> None:
    claimed, enrolled = unknown_one(desk, steps=2)
    message_id = message_of(claimed).message_id
    desk.wait(hours=5)
    resolve(claimed, Resolution.RESEND)
    assert (fresh(enrolled).next_position, message_of(claimed).reason) == (1, "operator_resend")
    [again] = desk.send_due()
    assert (again.message_id, message_of(again).message_id) == (claimed.message_id, message_id)
    assert len(desk.send_due()) == 1
    assert desk.send_due() == []
    assert desk.violations() == []


def test_resending_waits_behind_the_cap_like_everybody(desk: Desk) -> None:
    claimed, _ = unknown_one(desk, limit=1)
    desk.wait(days=1)
    other = desk.released(1, credentials=[message_of(claimed).credential])
    assert len(desk.send_due()) == 1
    resolve(claimed, Resolution.RESEND)
    assert desk.send_due() == []
    desk.wait(days=1)
    [again] = desk.send_due()
    assert again.message_id == claimed.message_id
    assert other.pk != message_of(again).campaign_id
    assert desk.violations() == []


@pytest.mark.parametrize("choice", list(Resolution))
def test_a_completed_campaign_takes_the_choice_too(desk: Desk, choice: Resolution) -> None:
    claimed, enrolled = unknown_one(desk)
    desk.wait(hours=73)
    desk.tick()
    assert status_of(enrolled) == "completed"
    resolve(claimed, choice)
    assert desk.violations() == []
    assert len(desk.send_due()) == (choice is Resolution.RESEND)
    desk.tick()
    assert (status_of(enrolled), message_of(claimed).state) == ("completed", S.ACCEPTED)
    assert desk.violations() == []


@pytest.mark.parametrize("resolved_by", ["operator", "late reply"])
def test_a_sequence_that_is_through_gets_no_step_that_was_added_since(desk: Desk, resolved_by: str) -> None:
    """Design: a step added at the end reaches unfinished enrollments."""
    claimed, enrolled = unknown_one(desk)
    desk.wait(hours=73)
    completion.finish_after_grace(desk.now)
    factories.make_step(enrolled.campaign, 2)
    if resolved_by == "operator":
        resolve(claimed, Resolution.SENT)
    else:
        assert evidence.resolve_by_late_outcome(desk.outcome(claimed))
    assert desk.send_due() == []
    assert fresh(enrolled).finished_at is not None
    assert desk.violations() == []


def test_resending_takes_the_sequence_up_again(desk: Desk) -> None:
    claimed, enrolled = unknown_one(desk)
    desk.wait(hours=73)
    desk.tick()
    factories.make_step(enrolled.campaign, 2)
    resolve(claimed, Resolution.RESEND)
    assert [message_of(one).step_position for one in (*desk.send_due(), *desk.send_due())] == [1, 2]
    assert desk.violations() == []


def test_resending_is_refused_once_the_next_step_is_planned(desk: Desk) -> None:
    claimed, _ = unknown_one(desk, steps=2)
    desk.wait(hours=73)
    desk.tick()
    with pytest.raises(Unprocessable, match="later step"):
        resolve(claimed, Resolution.RESEND)
    assert message_of(claimed).state == S.UNKNOWN


@pytest.mark.parametrize("stopped_by", ["unsubscribed", "owner_deleted"])
def test_resending_is_refused_to_whoever_was_stopped(desk: Desk, stopped_by: str) -> None:
    claimed, enrolled = unknown_one(desk, steps=2)
    if stopped_by == "unsubscribed":
        stops.unsubscribe_contact(enrolled.contact, now=desk.now)
    else:
        deletion.delete_campaign(desk.account, enrolled.campaign_id, now=desk.now)
    with pytest.raises(Unprocessable, match=stopped_by):
        resolve(claimed, Resolution.RESEND)
    assert message_of(claimed).state == S.UNKNOWN
    assert not Attempt.everywhere.filter(is_evidence=True).exists()


@pytest.mark.parametrize("choice", list(Resolution))
@pytest.mark.parametrize("state", [S.ACCEPTED, S.REFUSED, S.DEFERRED])
def test_only_the_unknown_can_be_resolved(desk: Desk, choice: Resolution, state: S) -> None:
    desk.released()
    [claimed] = desk.send_due(state)
    with pytest.raises(Unprocessable, match="Only an unknown message"):
        resolve(claimed, choice)
    assert message_of(claimed).state == state


def test_a_message_nobody_has_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound):
        evidence.resolve_unknown(desk.worker_id, Resolution.SENT, actor="olga")


def test_choosing_twice_is_refused_the_second_time(desk: Desk) -> None:
    claimed, _ = unknown_one(desk)
    resolve(claimed, Resolution.SENT)
    with pytest.raises(Unprocessable):
        resolve(claimed, Resolution.RESEND)
    assert desk.claim() == []


def test_without_grace_the_delay_alone_decides(desk: Desk, settings: Settings) -> None:
    settings.UNKNOWN_GRACE_SECONDS = 0
    unknown_one(desk, steps=2)
    assert len(desk.send_due()) == 1


# -- What only the sent message can have brought about


def test_a_proof_settles_it_and_the_next_step_keeps_its_own_delay(desk: Desk) -> None:
    claimed, enrolled = unknown_one(desk, steps=2, delay_minutes=30)
    wired_at = desk.now
    desk.wait(minutes=4)
    assert evidence.resolve_by_evidence([claimed.message_id], "sent_folder", now=desk.now) == 1
    message = message_of(claimed)
    assert (message.state, message.reason, message.settled_at) == (S.ACCEPTED, "evidence_sent_folder", desk.now)
    assert (fresh(enrolled).next_due_at, fresh(enrolled).wait_reason) == (wired_at + timedelta(minutes=30), "delay")
    [_, proof] = Attempt.everywhere.order_by("pk")
    assert (proof.reason, proof.is_evidence, proof.reply_text) == (
        "evidence_sent_folder",
        True,
        "proved by sent_folder",
    )
    assert Event.everywhere.filter(type="enrollment.sent").count() == 1
    assert desk.violations() == []


def test_a_second_proof_changes_nothing(desk: Desk) -> None:
    claimed, _ = unknown_one(desk)
    assert evidence.resolve_by_evidence([claimed.message_id], "reply", now=desk.now) == 1
    assert evidence.resolve_by_evidence([claimed.message_id] * 2, "open", now=desk.now) == 0
    assert message_of(claimed).reason == "evidence_reply"
    assert Attempt.everywhere.filter(is_evidence=True).count() == 1


@pytest.mark.parametrize("state", [state for state in S if state is not S.UNKNOWN])
def test_only_an_unknown_message_moves(desk: Desk, state: S) -> None:
    claimed, _ = unknown_one(desk)
    Message.everywhere.update(state=state.value)
    assert evidence.resolve_by_evidence([claimed.message_id], "reply", now=desk.now) == 0
    assert message_of(claimed).state == state


def test_a_proof_within_the_grace_period_ends_the_sequence(desk: Desk) -> None:
    claimed, enrolled = unknown_one(desk)
    evidence.resolve_by_evidence([claimed.message_id], "bounce", now=desk.now)
    desk.tick()
    assert (fresh(enrolled).finished_at, status_of(enrolled)) == (desk.now, "completed")
    assert desk.violations() == []


def test_a_proof_that_comes_after_the_next_step_moves_the_message_alone(desk: Desk) -> None:
    claimed, enrolled = unknown_one(desk, steps=3)
    desk.wait(hours=73)
    desk.send_due()
    before = fresh(enrolled)
    assert evidence.resolve_by_evidence([claimed.message_id], "reply", now=desk.now) == 1
    assert message_of(claimed).state == S.ACCEPTED
    assert fresh(enrolled).next_due_at == before.next_due_at
    assert fresh(enrolled).next_position == before.next_position == 3
    assert desk.violations() == []


def test_two_unknown_steps_of_one_contact_are_proved_together(desk: Desk) -> None:
    first, enrolled = unknown_one(desk, steps=3)
    desk.wait(hours=73)
    [second] = desk.send_due(S.UNKNOWN)
    assert evidence.resolve_by_evidence([second.message_id, first.message_id], "reply", now=desk.now) == 2
    assert (fresh(enrolled).next_position, fresh(enrolled).wait_reason) == (3, "delay")
    assert desk.violations() == []


def test_a_proof_of_a_stopped_sequence_stops_nothing_anew(desk: Desk) -> None:
    claimed, enrolled = unknown_one(desk, steps=2)
    stops.unsubscribe_contact(enrolled.contact, now=desk.now)
    evidence.resolve_by_evidence([claimed.message_id], "reply", now=desk.now)
    assert (fresh(enrolled).next_due_at, fresh(enrolled).stop_reason) == (None, "unsubscribed")
    assert desk.violations() == []


def test_an_operator_can_no_longer_choose(desk: Desk) -> None:
    claimed, _ = unknown_one(desk)
    evidence.resolve_by_evidence([claimed.message_id], "open", now=desk.now)
    with pytest.raises(Unprocessable, match="this one is accepted"):
        resolve(claimed, Resolution.RESEND)


def test_a_test_message_moves_without_a_sequence(desk: Desk) -> None:
    claimed, _ = unknown_one(desk)
    Message.everywhere.update(enrollment=None, stream="test")
    assert evidence.resolve_by_evidence([claimed.message_id], "open", now=desk.now) == 1
    assert message_of(claimed).state == S.ACCEPTED
