"""What follows from what came back: states, stops, suppressions, events, and that nothing follows twice."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from ampout.events.models import Event
from campaigns.models import Enrollment, Suppression
from dispatch import figures
from dispatch.models import Attempt, Feedback, HealthDue, Message
from dispatch.rules.consequences import Effect
from dispatch.rules.matching import MatchedBy
from dispatch.services import deletion, steps, stops, test_send
from tests import factories
from tests.services.came_back import WORDS, draw, drawn
from tests.services.desk import Desk, S, fresh, message_of

E = Effect


def sent(desk: Desk, **fields: Any) -> Message:
    """The first step to one contact, accepted."""
    desk.released(1, **fields)
    [claimed] = desk.send_due()
    return message_of(claimed)


def enrollment_of(message: Message) -> Enrollment:
    return fresh(message.place[0])


def elsewhere(desk: Desk, message: Message, **fields: Any) -> Enrollment:
    """Another sequence of the same contact, released."""
    other = desk.campaign(**fields)
    enrolled = factories.enroll(other, message.place[0].contact)
    desk.release(other)
    return enrolled


def told(kind: str) -> list[str]:
    """Whom events of this kind tell of."""
    return [event.data["enrollment_id"] for event in Event.everywhere.filter(type=f"enrollment.{kind}")]


def reread(message: Message) -> Message:
    found: Message = Message.everywhere.get(pk=message.pk)
    return found


def suppression_of(message: Message) -> Suppression:
    found: Suppression = Suppression.everywhere.get(digest=bytes(message.recipient_digest))
    return found


# -- Replies


def test_a_reply_stops_the_sequence_and_is_told_once(desk: Desk) -> None:
    message = sent(desk, steps=2)
    received_at = desk.now - timedelta(minutes=3)
    desk.tick()
    [planned] = Message.everywhere.filter(state="planned")
    draw(desk, message, E.REPLY, occurred_at=received_at)
    enrolled = enrollment_of(message)
    assert (enrolled.status, enrolled.stop_reason, enrolled.stopped_at) == ("replied", "replied", desk.now)
    assert enrolled.replied_at == received_at
    assert (reread(planned).state, reread(planned).reason) == (S.CANCELLED, "replied")
    assert told("replied") == [str(enrolled.pk)]
    assert desk.violations() == []


def test_the_event_of_a_reply_has_the_contracts_data(desk: Desk) -> None:
    message = sent(desk)
    draw(desk, message, E.REPLY)
    data = Event.everywhere.get(type="enrollment.replied").data
    assert data == {
        "enrollment_id": str(message.enrollment_id),
        "contact_id": str(message.contact_id),
        "contact_email": message.recipient,
        "campaign_id": str(message.campaign_id),
        "status": "replied",
        "sent_at": message.wire_at.isoformat().replace("+00:00", "Z") if message.wire_at else None,
        "replied_at": desk.now.isoformat().replace("+00:00", "Z"),
        "bounce_reason": None,
    }


def test_a_reply_stops_the_contacts_other_sequences(desk: Desk) -> None:
    message = sent(desk)
    other = elsewhere(desk, message)
    draw(desk, message, E.REPLY)
    assert (fresh(other).status, fresh(other).stop_reason) == ("pending", "replied_elsewhere")
    assert len(told("replied")) == 1
    assert desk.send_due() == []
    assert desk.violations() == []


def test_other_sequences_go_on_where_the_operator_wants_that(desk: Desk, settings: Settings) -> None:
    settings.REPLY_STOPS_OTHER_CAMPAIGNS = False
    message = sent(desk)
    other = elsewhere(desk, message)
    draw(desk, message, E.REPLY)
    assert fresh(other).stopped_at is None


def test_a_reply_leaves_other_contacts_and_ended_sequences_alone(desk: Desk) -> None:
    message = sent(desk)
    over = elsewhere(desk, message)
    desk.send_due()
    stranger = desk.enroll(desk.campaign())[0]
    ended_at = fresh(over).finished_at
    draw(desk, message, E.REPLY)
    assert (fresh(over).stopped_at, fresh(over).finished_at) == (None, ended_at)
    assert fresh(stranger).stopped_at is None


def test_a_reply_to_the_last_step_counts_although_nothing_is_left_to_stop(desk: Desk) -> None:
    message = sent(desk)
    assert enrollment_of(message).finished_at == desk.now
    draw(desk, message, E.REPLY)
    assert enrollment_of(message).status == "replied"
    assert desk.violations() == []


def test_a_reply_after_a_bounce_sets_its_time_and_tells_nothing(desk: Desk) -> None:
    message = sent(desk)
    draw(desk, message, E.SOFT_BOUNCE)
    draw(desk, message, E.REPLY)
    enrolled = enrollment_of(message)
    assert (enrolled.status, enrolled.stop_reason, enrolled.replied_at) == ("bounced", "refused", desk.now)
    assert told("replied") == []
    assert desk.violations() == []


def test_the_first_reply_keeps_its_time(desk: Desk) -> None:
    message = sent(desk)
    draw(desk, message, E.REPLY)
    first = desk.now
    desk.wait(days=1)
    draw(desk, message, E.REPLY)
    assert enrollment_of(message).replied_at == first
    assert len(told("replied")) == 1
    assert Feedback.everywhere.filter(kind="reply").count() == 2


# -- Bounces


def test_a_hard_bounce_stops_every_sequence_to_the_address(desk: Desk) -> None:
    message = sent(desk, steps=2)
    other = elsewhere(desk, message)
    assert draw(desk, message, E.HARD_BOUNCE) == {message.credential_id}
    for enrolled in (enrollment_of(message), fresh(other)):
        assert (enrolled.status, enrolled.stop_reason) == ("bounced", "bounced")
        assert (enrolled.bounce_reason, enrolled.bounced_at) == (WORDS, desk.now)
    assert (reread(message).bounce_kind, reread(message).bounced_at) == ("hard", desk.now)
    assert reread(message).state == S.ACCEPTED
    assert (suppression_of(message).scope, suppression_of(message).reason) == ("all", "hard_bounce")
    assert sorted(told("bounced")) == sorted([str(message.enrollment_id), str(other.pk)])
    assert HealthDue.objects.filter(credential=message.credential_id).count() == 1
    assert desk.violations() == []


def test_a_soft_bounce_stops_its_own_sequence_with_the_reason(desk: Desk) -> None:
    message = sent(desk, steps=2)
    other = elsewhere(desk, message)
    assert draw(desk, message, E.SOFT_BOUNCE, text="552 5.2.2 Mailbox full") == set()
    enrolled = enrollment_of(message)
    assert (enrolled.status, enrolled.stop_reason) == ("bounced", "refused")
    assert enrolled.bounce_reason == "552 5.2.2 Mailbox full"
    assert reread(message).bounce_kind == "soft"
    assert fresh(other).stopped_at is None
    assert not Suppression.everywhere.exists()
    assert not HealthDue.objects.exists()
    assert desk.violations() == []


def test_a_hard_bounce_after_a_soft_one_weighs_more_and_keeps_the_first_time(desk: Desk) -> None:
    message = sent(desk)
    draw(desk, message, E.SOFT_BOUNCE)
    first = desk.now
    desk.wait(hours=1)
    assert draw(desk, message, E.HARD_BOUNCE) == {message.credential_id}
    draw(desk, message, E.SOFT_BOUNCE)
    assert (reread(message).bounce_kind, reread(message).bounced_at) == ("hard", first)


def test_only_hard_bounces_count_in_the_rate_and_each_once(desk: Desk) -> None:
    campaign = desk.released(4)
    claims = desk.send_due()
    hard, soft, both, _ = [message_of(claimed) for claimed in claims]
    draw(desk, hard, E.HARD_BOUNCE)
    draw(desk, hard, E.HARD_BOUNCE)
    draw(desk, soft, E.SOFT_BOUNCE)
    draw(desk, both, E.COMPLAINT, E.HARD_BOUNCE)
    sends = figures.campaign_sends(campaign.pk)
    assert (sends.accepted, sends.bounced, sends.bounce_rate) == (4, 2, 50.0)


def test_a_bounce_without_words_has_its_code_for_a_reason(desk: Desk) -> None:
    message = sent(desk)
    draw(desk, message, E.HARD_BOUNCE, text="", status="5.1.10")
    assert enrollment_of(message).bounce_reason == "5.1.10"


def test_a_returned_test_message_suppresses_too(desk: Desk) -> None:
    campaign = desk.campaign()
    contact = factories.make_contact(desk.account, "tester@own.example")
    enrolled = factories.enroll(desk.campaign(), contact)
    test_send.send_test(desk.account, campaign.pk, ["tester@own.example"], now=desk.now)
    [claimed] = desk.send_due()
    draw(desk, message_of(claimed), E.HARD_BOUNCE)
    assert suppression_of(message_of(claimed)).scope == "all"
    assert fresh(enrolled).status == "bounced"
    assert desk.violations() == []


@pytest.mark.parametrize("effect", [E.REPLY, E.SOFT_BOUNCE, E.WAIT, E.NOTHING])
def test_what_else_comes_back_for_a_test_message_is_recorded_alone(desk: Desk, effect: Effect) -> None:
    test_send.send_test(desk.account, desk.campaign().pk, ["tester@own.example"], now=desk.now)
    [claimed] = desk.send_due()
    draw(desk, message_of(claimed), effect, return_date=desk.now.date())
    assert Feedback.everywhere.get().enrollment_id is None
    assert Event.everywhere.count() == 0
    assert desk.violations() == []


# -- Complaints and wishes to be left alone


def test_a_complaint_stops_every_path_to_the_address(desk: Desk) -> None:
    message = sent(desk, steps=2)
    other = elsewhere(desk, message)
    assert draw(desk, message, E.COMPLAINT) == {message.credential_id}
    for enrolled in (enrollment_of(message), fresh(other)):
        assert (enrolled.status, enrolled.stop_reason) == ("unsubscribed", "complained")
    assert reread(message).complained_at == desk.now
    assert (suppression_of(message).scope, suppression_of(message).reason) == ("all", "complaint")
    assert len(told("unsubscribed")) == 2
    assert desk.violations() == []


def test_a_second_complaint_is_no_news_to_health(desk: Desk) -> None:
    message = sent(desk)
    assert draw(desk, message, E.COMPLAINT) == {message.credential_id}
    assert draw(desk, message, E.COMPLAINT) == set()
    assert HealthDue.objects.count() == 1


def test_a_wish_to_be_left_alone_holds_for_the_whole_account(desk: Desk) -> None:
    message = sent(desk, steps=2)
    other = elsewhere(desk, message)
    draw(desk, message, E.UNSUBSCRIBE)
    for enrolled in (enrollment_of(message), fresh(other)):
        assert (enrolled.status, enrolled.stop_reason) == ("unsubscribed", "unsubscribed")
    assert message.contact is not None
    message.contact.refresh_from_db()
    assert message.contact.unsubscribed_at == desk.now
    assert suppression_of(message).scope == "marketing"
    assert enrollment_of(message).replied_at is None
    assert desk.violations() == []


# -- Somebody is away


def away(desk: Desk, message: Message, days: int = 7, **fields: Any) -> None:
    draw(desk, message, E.WAIT, return_date=desk.now.date() + timedelta(days=days), **fields)


def test_the_next_step_waits_until_the_day_after_the_return(desk: Desk) -> None:
    message = sent(desk, steps=2)
    away(desk, message)
    enrolled = enrollment_of(message)
    assert (enrolled.next_due_at, enrolled.wait_reason) == (desk.now + timedelta(days=8), "out_of_office")
    assert (enrolled.status, enrolled.stopped_at) == ("sent", None)
    assert desk.violations() == []
    desk.wait(days=7, hours=23)
    assert desk.send_due() == []
    desk.wait(hours=1)
    assert len(desk.send_due()) == 1
    assert desk.violations() == []


def test_a_step_that_is_only_planned_is_taken_back(desk: Desk) -> None:
    message = sent(desk, steps=2)
    desk.tick()
    slot = Message.everywhere.get(state="planned").due_at
    away(desk, message)
    assert slot is not None
    assert not Message.everywhere.filter(state="planned").exists()
    assert enrollment_of(message).next_due_at == slot + timedelta(days=8)
    assert desk.violations() == []


def test_a_step_in_a_loops_hands_is_not_taken_back(desk: Desk) -> None:
    message = sent(desk, steps=2)
    desk.tick()
    [claimed] = desk.claim()
    away(desk, message)
    assert message_of(claimed).state == S.CLAIMED
    assert enrollment_of(message).next_due_at is None
    desk.send(claimed)
    assert desk.violations() == []


def test_a_step_that_was_tried_keeps_its_retry(desk: Desk) -> None:
    message = sent(desk, steps=2)
    desk.send_due(S.DEFERRED)
    away(desk, message)
    assert Message.everywhere.filter(state="deferred").count() == 1
    assert desk.violations() == []


def test_a_later_absence_moves_it_on_and_a_shorter_one_does_not_move_it_back(desk: Desk) -> None:
    message = sent(desk, steps=2)
    start = desk.now
    for days in (7, 3, 14, 7):
        away(desk, message, days)
    assert enrollment_of(message).next_due_at == start + timedelta(days=15)


@pytest.mark.parametrize(("minutes", "days"), [(0, 8), (60, 8), (20 * 24 * 60, 20)])
def test_whoever_is_away_stays_away_when_the_delay_of_the_step_changes(desk: Desk, minutes: int, days: int) -> None:
    message = sent(desk, steps=2)
    away(desk, message)
    [_, step] = message.place[0].campaign.steps.order_by("position")
    steps.edit_step(desk.account, step.campaign_id, step.pk, {"delay_minutes": minutes}, now=desk.now)
    enrolled = enrollment_of(message)
    assert (enrolled.next_due_at, enrolled.wait_reason) == (desk.now + timedelta(days=days), "out_of_office")


def test_nothing_waits_where_nothing_is_left_to_come(desk: Desk) -> None:
    message = sent(desk)
    away(desk, message)
    assert enrollment_of(message).wait_reason == ""
    assert desk.violations() == []


def test_an_absence_of_a_stopped_contact_changes_nothing(desk: Desk) -> None:
    message = sent(desk, steps=2)
    draw(desk, message, E.REPLY)
    before = enrollment_of(message)
    away(desk, message)
    assert enrollment_of(message).next_due_at is before.next_due_at is None


def test_nothing_waits_where_the_operator_does_not_want_it(desk: Desk, settings: Settings) -> None:
    settings.WAIT_FOR_RETURN = False
    message = sent(desk, steps=2)
    away(desk, message)
    assert enrollment_of(message).wait_reason == "delay"


def test_an_answer_that_is_quicker_than_the_settlement_is_judged_later(desk: Desk) -> None:
    desk.released(1, steps=2)
    desk.tick()
    [claimed] = desk.claim()
    desk.wire(claimed)
    when = desk.now.date() + timedelta(days=7)
    assert drawn(desk, message_of(claimed), E.WAIT, return_date=when).early
    desk.settle(claimed)
    away(desk, message_of(claimed))
    assert enrollment_of(message_of(claimed)).wait_reason == "out_of_office"


def test_one_without_a_day_stops_and_moves_nothing(desk: Desk) -> None:
    message = sent(desk, steps=2)
    before = enrollment_of(message)
    draw(desk, message, E.WAIT)
    assert (enrollment_of(message).next_due_at, enrollment_of(message).status) == (before.next_due_at, "sent")
    assert Feedback.everywhere.get().kind == "auto_reply"


# -- What it proves


@pytest.mark.parametrize("by", [MatchedBy.TOKEN, MatchedBy.MESSAGE_ID, MatchedBy.DELIVERED_ID])
@pytest.mark.parametrize("effect", E)
def test_what_carries_its_id_proves_that_an_unknown_message_left(desk: Desk, effect: Effect, by: MatchedBy) -> None:
    desk.released(1, steps=2)
    [claimed] = desk.send_due(S.UNKNOWN)
    draw(desk, message_of(claimed), effect, matched_by=by)
    assert message_of(claimed).state == S.ACCEPTED
    assert desk.violations() == []


@pytest.mark.parametrize("effect", [E.REPLY, E.HARD_BOUNCE])
def test_a_sender_or_a_recipient_alone_proves_nothing(desk: Desk, effect: Effect) -> None:
    desk.released(1, steps=2)
    [claimed] = desk.send_due(S.UNKNOWN)
    draw(desk, message_of(claimed), effect, matched_by=MatchedBy.SENDER)
    assert message_of(claimed).state == S.UNKNOWN
    assert enrollment_of(message_of(claimed)).stopped_at == desk.now
    assert desk.violations() == []


def test_a_bounce_that_is_quicker_than_the_settlement_holds(desk: Desk) -> None:
    desk.released(1, steps=2)
    desk.tick()
    [claimed] = desk.claim()
    desk.wire(claimed)
    draw(desk, message_of(claimed), E.HARD_BOUNCE)
    desk.settle(claimed)
    message = message_of(claimed)
    assert (message.state, message.bounce_kind) == (S.ACCEPTED, "hard")
    assert enrollment_of(message).status == "bounced"
    assert desk.violations() == []


# -- The record


def test_the_record_says_what_came(desk: Desk) -> None:
    message = sent(desk)
    draw(desk, message, E.REPLY, text="Yes\x00", sender="max@x.example", subject="Re: " + "x" * 2_000, language="en")
    made = Feedback.everywhere.get()
    assert (made.kind, made.matched_by, made.message_id) == ("reply", "message_id", message.pk)
    assert (made.enrollment_id, made.credential_id) == (message.enrollment_id, message.credential_id)
    assert (made.text, made.sender, len(made.subject)) == ("Yes", "max@x.example", 998)


def test_good_news_leaves_no_record(desk: Desk) -> None:
    desk.released(1)
    [claimed] = desk.send_due(S.UNKNOWN)
    draw(desk, message_of(claimed), E.NOTHING, kind=None)
    assert not Feedback.everywhere.exists()
    assert Attempt.everywhere.filter(reason="evidence_delivery").count() == 1


def test_nothing_personal_is_kept_of_somebody_who_was_erased_meanwhile(desk: Desk) -> None:
    message = sent(desk)
    assert message.contact_id is not None
    deletion.erase_contact(desk.account, message.contact_id, now=desk.now)
    draw(desk, message, E.REPLY, sender="max@x.example", subject="Re: Hello", evidence=("Subject: Hello",))
    made = Feedback.everywhere.get()
    assert (made.text, made.sender, made.subject, made.evidence) == ("", "", "", [])
    assert desk.violations() == []


@pytest.mark.parametrize("effect", [E.HARD_BOUNCE, E.SOFT_BOUNCE])
def test_a_bounce_after_an_erasure_is_told_without_the_servers_words(desk: Desk, effect: Effect) -> None:
    message = sent(desk, steps=2)
    assert message.contact_id is not None
    deletion.erase_contact(desk.account, message.contact_id, now=desk.now)
    draw(desk, message, effect, text="550 <max@x.example> unknown", status="5.1.1")
    assert enrollment_of(message).bounce_reason == "5.1.1"
    [event] = Event.everywhere.filter(type="enrollment.bounced")
    assert event.data["bounce_reason"] == "5.1.1"
    assert not event.data["contact_email"]


# -- In any order, as often as you like

SENDS = st.lists(st.sampled_from([effect for effect in E if effect is not E.WAIT]), min_size=1, max_size=5)


def outcome(message: Message) -> tuple[object, ...]:
    """What must not depend on the order or on repetition."""
    own, now = enrollment_of(message), reread(message)
    facts = (own.replied_at, own.bounced_at, own.unsubscribed_at, own.stopped_at, now.bounced_at, now.complained_at)
    scopes = list(Suppression.everywhere.filter(account=message.account).values_list("scope", flat=True))
    return (own.status, [fact is not None for fact in facts], now.state, now.bounce_kind, scopes)


@given(effects=SENDS, data=st.data())
@hypothesis_settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
def test_the_order_and_repetition_of_what_came_back_do_not_matter(
    desk: Desk, effects: list[Effect], data: st.DataObject
) -> None:
    again = data.draw(st.permutations(effects * data.draw(st.integers(1, 3))))
    ends = []
    for order in (effects, again):
        mine = Desk()
        mine.released(1, steps=2)
        message = message_of(mine.send_due()[0])
        for effect in order:
            draw(mine, message, effect)
        ends.append(outcome(message))
        facts = Event.everywhere.filter(account=mine.account).values_list("fact", flat=True)
        assert len(facts) == len(set(facts))
    assert ends[0] == ends[1]
    assert desk.violations() == []


def test_lifting_a_suppression_is_lawful(desk: Desk) -> None:
    message = sent(desk)
    draw(desk, message, E.HARD_BOUNCE)
    stops.lift_suppression(desk.account, suppression_of(message).pk)
    assert desk.violations() == []
