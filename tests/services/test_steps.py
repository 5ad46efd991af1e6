"""Editing a sequence: only what was not started is touched, and everybody's next time follows the edit."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from ampout.accounts.models import Account
from ampout.lib import clock
from ampout.lib.errors import NotFound, Unprocessable, ValidationFailed
from campaigns.models import Campaign, Enrollment, SequenceStep
from campaigns.services.steps import StepValues
from dispatch.models import Message
from dispatch.rules.message_state import MessageState
from dispatch.services.conservation import conservation_of
from dispatch.services.steps import MOST_STEPS, add_step, delete_step, edit_step, move_step
from tests import factories
from tests.api.unchanged import nothing_changes
from tests.services.rival import Held, Waiting

HOUR = timedelta(hours=1)
NEW: StepValues = {"subject": "New", "body_text": "new"}


@pytest.fixture
def now() -> datetime:
    """The instant of the edit."""
    return clock.utc_now()


@pytest.fixture
def campaign(account: Account) -> Campaign:
    """An active campaign with three steps, all with subjects, an hour apart."""
    campaign = factories.make_campaign(account, status="active", steps=3)
    SequenceStep.objects.filter(campaign=campaign).update(subject="Hello", delay_minutes=60)
    return campaign


def step_at(campaign: Campaign, position: int) -> SequenceStep:
    return SequenceStep.objects.get(campaign=campaign, position=position)


def texts(campaign: Campaign) -> list[tuple[int, str]]:
    steps = SequenceStep.objects.filter(campaign=campaign).order_by("position")
    return [(step.position, step.body_text.removesuffix(" for {{first_name}}")) for step in steps]


def waiting(campaign: Campaign, position: int, sent_at: datetime, *, state: str = "accepted") -> Enrollment:
    """An enrollment whose steps before `position` were sent, the last of them at `sent_at`, and that waits."""
    reason = "unknown_grace" if state == "unknown" else "delay"
    enrollment = factories.enroll(campaign, status="sent", sent_at=sent_at)
    for earlier in range(1, position):
        last = state if earlier == position - 1 else "accepted"
        factories.make_message(enrollment, step_position=earlier, state=last, wire_at=sent_at, settled_at=sent_at)
    enrollment.next_position, enrollment.next_due_at, enrollment.wait_reason = position, sent_at + HOUR, reason
    enrollment.save()
    return enrollment


def planned(campaign: Campaign, position: int, sent_at: datetime, **fields: Any) -> Enrollment:
    """As `waiting`, with the message of its next step planned."""
    enrollment = waiting(campaign, position, sent_at)
    factories.make_message(enrollment, **({"due_at": sent_at + HOUR} | fields))
    Enrollment.everywhere.filter(pk=enrollment.pk).update(next_due_at=None, wait_reason="in_flight")
    return enrollment


def again(enrollment: Enrollment) -> Enrollment:
    fresh: Enrollment = Enrollment.everywhere.get(pk=enrollment.pk)
    return fresh


def balanced(campaign: Campaign, now: datetime) -> bool:
    return conservation_of([campaign.pk], now=now)[campaign.pk].balanced


# -- Content


@pytest.mark.django_db
def test_the_content_of_a_step_that_was_sent_may_change(campaign: Campaign, now: datetime) -> None:
    waiting(campaign, 2, now - HOUR)
    step = edit_step(campaign.account, campaign.pk, step_at(campaign, 1).pk, {"subject": "Better", "body_html": "<p>x"})
    assert (step.subject, step.body_html) == ("Better", "<p>x")


@pytest.mark.django_db
def test_editing_content_moves_nobodys_time(campaign: Campaign, now: datetime) -> None:
    enrollments = [waiting(campaign, 2, now - HOUR), planned(campaign, 2, now - HOUR)]
    before = [(again(one).next_due_at, one.pk) for one in enrollments]
    edit_step(campaign.account, campaign.pk, step_at(campaign, 2).pk, {"subject": "Better", "delay_minutes": 60})
    assert [(again(one).next_due_at, one.pk) for one in enrollments] == before
    assert Message.everywhere.filter(state="planned").count() == 1


# -- Delays


@pytest.mark.django_db
@pytest.mark.parametrize("minutes", [0, 30, 2_880])
def test_a_new_delay_runs_from_the_send_of_the_step_before(campaign: Campaign, now: datetime, minutes: int) -> None:
    sent_at = now - HOUR
    enrollments = [waiting(campaign, 2, sent_at), planned(campaign, 2, sent_at)]
    edit_step(campaign.account, campaign.pk, step_at(campaign, 2).pk, {"delay_minutes": minutes}, now=now)
    assert [again(one).next_due_at for one in enrollments] == [sent_at + timedelta(minutes=minutes)] * 2
    assert [again(one).wait_reason for one in enrollments] == ["delay"] * 2
    assert not Message.everywhere.filter(state="planned").exists()
    assert balanced(campaign, now)


@pytest.mark.django_db
@pytest.mark.parametrize(("minutes", "hours"), [(0, 72), (60 * 100, 100)])
def test_after_an_unknown_the_grace_period_is_kept(
    campaign: Campaign, now: datetime, settings: Settings, minutes: int, hours: int
) -> None:
    settings.UNKNOWN_GRACE_SECONDS = 72 * 3_600
    enrollment = waiting(campaign, 2, now, state="unknown")
    edit_step(campaign.account, campaign.pk, step_at(campaign, 2).pk, {"delay_minutes": minutes}, now=now)
    assert again(enrollment).next_due_at == now + hours * HOUR
    assert again(enrollment).wait_reason == "unknown_grace"


@pytest.mark.django_db
@pytest.mark.parametrize("state", [state for state in MessageState if state not in ("planned", "cancelled")])
def test_a_message_that_has_started_keeps_its_time(campaign: Campaign, now: datetime, state: MessageState) -> None:
    enrollment = planned(campaign, 2, now - HOUR, state=state.value)
    with_message = Message.everywhere.get(enrollment=enrollment, step_position=2)
    edit_step(campaign.account, campaign.pk, step_at(campaign, 2).pk, {"delay_minutes": 5}, now=now)
    assert Message.everywhere.get(pk=with_message.pk).due_at == with_message.due_at
    assert again(enrollment).next_due_at is None


@pytest.mark.django_db
def test_a_planned_message_that_was_tried_before_keeps_its_time(campaign: Campaign, now: datetime) -> None:
    enrollment = planned(campaign, 2, now - HOUR, first_attempt_at=now, attempts=1)
    edit_step(campaign.account, campaign.pk, step_at(campaign, 2).pk, {"delay_minutes": 5}, now=now)
    assert Message.everywhere.filter(enrollment=enrollment, state="planned").exists()


@pytest.mark.django_db
def test_stopped_and_finished_sequences_and_other_campaigns_stay_as_they_are(campaign: Campaign, now: datetime) -> None:
    stopped, finished = waiting(campaign, 2, now), waiting(campaign, 2, now)
    Enrollment.everywhere.filter(pk=stopped.pk).update(stopped_at=now, stop_reason="replied", next_due_at=None)
    Enrollment.everywhere.filter(pk=finished.pk).update(finished_at=now, steps_due=1, next_due_at=None)
    other = waiting(factories.make_campaign(campaign.account, steps=2), 2, now)
    edit_step(campaign.account, campaign.pk, step_at(campaign, 2).pk, {"delay_minutes": 5}, now=now)
    assert [again(one).next_due_at for one in (stopped, finished, other)] == [None, None, now + HOUR]


@pytest.mark.django_db
def test_the_delay_of_the_first_step_has_nothing_to_run_from(campaign: Campaign, now: datetime) -> None:
    enrollment = factories.enroll(campaign, next_due_at=now)
    edit_step(campaign.account, campaign.pk, step_at(campaign, 1).pk, {"delay_minutes": 5})
    assert again(enrollment).next_due_at == now


# -- Adding


@pytest.mark.django_db
def test_a_step_at_the_end_reaches_who_is_not_finished(campaign: Campaign, now: datetime) -> None:
    open_one = waiting(campaign, 3, now)
    finished = factories.enroll(campaign, next_position=4, finished_at=now, steps_due=3, status="sent")
    for position in (1, 2, 3):
        factories.make_message(finished, step_position=position, state="accepted", wire_at=now)
    step = add_step(campaign.account, campaign.pk, NEW)
    assert step.position == 4
    assert (again(open_one).finished_at, again(finished).steps_due) == (None, 3)
    assert balanced(campaign, now)


@pytest.mark.django_db
def test_a_step_at_the_end_is_due_after_its_delay_to_who_waited_for_evidence(
    campaign: Campaign, now: datetime, settings: Settings
) -> None:
    settings.UNKNOWN_GRACE_SECONDS = 3_600
    enrollment = waiting(campaign, 4, now, state="unknown")
    add_step(campaign.account, campaign.pk, {"body_text": "new", "delay_minutes": 600}, now=now)
    assert again(enrollment).next_due_at == now + 10 * HOUR


@pytest.mark.django_db
def test_a_step_in_between_moves_the_later_ones(campaign: Campaign, now: datetime) -> None:
    enrollment = planned(campaign, 2, now)
    add_step(campaign.account, campaign.pk, NEW | {"position": 2, "delay_minutes": 5}, now=now)
    assert texts(campaign) == [(1, "Step 1"), (2, "new"), (3, "Step 2"), (4, "Step 3")]
    assert again(enrollment).next_due_at == now + timedelta(minutes=5)
    assert balanced(campaign, now)


@pytest.mark.django_db
def test_a_sequence_has_an_end(campaign: Campaign) -> None:
    SequenceStep.objects.bulk_create(
        SequenceStep(campaign=campaign, position=position, body_text="x") for position in range(4, MOST_STEPS + 1)
    )
    with pytest.raises(Unprocessable, match="at most 100 steps"):
        add_step(campaign.account, campaign.pk, NEW)


# -- Moving


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("start", "end", "order"),
    [(1, 3, "231"), (3, 1, "312"), (2, 3, "132"), (2, 1, "213"), (2, 2, "123")],
)
def test_a_step_moves_and_the_others_make_room(campaign: Campaign, start: int, end: int, order: str) -> None:
    assert move_step(campaign.account, campaign.pk, step_at(campaign, start).pk, end).position == end
    assert texts(campaign) == [(place, f"Step {name}") for place, name in enumerate(order, start=1)]


@pytest.mark.django_db
@pytest.mark.parametrize("position", [0, 4, -1])
def test_a_place_that_is_none_is_refused(campaign: Campaign, position: int) -> None:
    with nothing_changes(), pytest.raises(ValidationFailed):
        move_step(campaign.account, campaign.pk, step_at(campaign, 1).pk, position)


@pytest.mark.django_db
def test_after_a_move_the_wait_is_that_of_the_step_which_comes_next_now(campaign: Campaign, now: datetime) -> None:
    SequenceStep.objects.filter(campaign=campaign, position=3).update(delay_minutes=5)
    enrollment = planned(campaign, 2, now)
    move_step(campaign.account, campaign.pk, step_at(campaign, 3).pk, 2)
    assert again(enrollment).next_due_at == now + timedelta(minutes=5)


@pytest.mark.django_db
def test_planned_first_messages_stay_planned(campaign: Campaign, now: datetime) -> None:
    enrollment = factories.enroll(campaign)
    message = factories.make_message(enrollment, due_at=now, usage_day=now.date())
    move_step(campaign.account, campaign.pk, step_at(campaign, 2).pk, 1)
    message.refresh_from_db()
    assert (message.state, message.due_at, message.usage_day) == ("planned", now, now.date())


STARTED: list[tuple[str, dict[str, Any]]] = [
    *((state.value, {}) for state in MessageState if state not in ("planned", "cancelled")),
    ("planned", {"first_attempt_at": clock.utc_now()}),
    ("cancelled", {"first_attempt_at": clock.utc_now()}),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("state", "fields"), STARTED)
@pytest.mark.parametrize("position", [1, 2])
def test_a_position_with_a_message_past_planned_stays(
    campaign: Campaign, state: str, fields: dict[str, Any], position: int
) -> None:
    factories.make_message(factories.enroll(campaign), step_position=2, state=state, **fields)
    account, step = campaign.account, step_at(campaign, position)
    for act in (
        lambda: delete_step(account, campaign.pk, step.pk),
        lambda: move_step(account, campaign.pk, step.pk, 3),
        lambda: add_step(account, campaign.pk, NEW | {"position": position}),
    ):
        with nothing_changes(), pytest.raises(Unprocessable, match="have started"):
            act()


@pytest.mark.django_db
@pytest.mark.parametrize("state", ["planned", "cancelled"])
def test_a_position_where_nothing_has_started_may_go(campaign: Campaign, now: datetime, state: str) -> None:
    enrollment = waiting(campaign, 3, now)
    factories.make_message(enrollment, state=state)
    Enrollment.everywhere.filter(pk=enrollment.pk).update(stopped_at=now, stop_reason="replied", next_due_at=None)
    delete_step(campaign.account, campaign.pk, step_at(campaign, 3).pk)
    assert texts(campaign) == [(1, "Step 1"), (2, "Step 2")]
    assert balanced(campaign, now)


@pytest.mark.django_db
def test_what_follows_a_step_that_has_started_may_be_moved(campaign: Campaign, now: datetime) -> None:
    waiting(campaign, 2, now)
    move_step(campaign.account, campaign.pk, step_at(campaign, 3).pk, 2)
    assert texts(campaign) == [(1, "Step 1"), (2, "Step 3"), (3, "Step 2")]


@pytest.mark.django_db
def test_a_test_message_holds_no_step(campaign: Campaign) -> None:
    message = factories.make_message(factories.enroll(campaign), step_position=3, state="accepted", stream="test")
    Message.everywhere.filter(pk=message.pk).update(enrollment=None)
    delete_step(campaign.account, campaign.pk, step_at(campaign, 3).pk)
    assert len(texts(campaign)) == 2


# -- Deleting


@pytest.mark.django_db
def test_the_step_after_a_deleted_one_comes_in_its_place(campaign: Campaign, now: datetime) -> None:
    SequenceStep.objects.filter(campaign=campaign, position=3).update(delay_minutes=5)
    enrollments = [waiting(campaign, 2, now), planned(campaign, 2, now)]
    delete_step(campaign.account, campaign.pk, step_at(campaign, 2).pk)
    assert texts(campaign) == [(1, "Step 1"), (2, "Step 3")]
    assert [again(one).next_due_at for one in enrollments] == [now + timedelta(minutes=5)] * 2


@pytest.mark.django_db
def test_who_waited_for_the_last_step_is_finished_without_it(campaign: Campaign, now: datetime) -> None:
    enrollments = [waiting(campaign, 3, now - HOUR), planned(campaign, 3, now - HOUR)]
    delete_step(campaign.account, campaign.pk, step_at(campaign, 3).pk, now=now)
    for one in enrollments:
        assert (again(one).finished_at, again(one).steps_due, again(one).next_due_at) == (now, 2, None)
    assert balanced(campaign, now)


@pytest.mark.django_db
def test_who_waits_for_evidence_stays_open_when_the_last_step_goes(campaign: Campaign, now: datetime) -> None:
    enrollment = waiting(campaign, 3, now, state="unknown")
    delete_step(campaign.account, campaign.pk, step_at(campaign, 3).pk, now=now)
    assert (again(enrollment).finished_at, again(enrollment).wait_reason) == (None, "unknown_grace")
    assert balanced(campaign, now)


@pytest.mark.django_db
def test_another_accounts_or_campaigns_step_is_not_found(campaign: Campaign, other_account: Account) -> None:
    other = factories.make_campaign(campaign.account, steps=2)
    for account, owner, step in (
        (other_account, campaign, step_at(campaign, 2)),
        (campaign.account, campaign, step_at(other, 2)),
    ):
        with nothing_changes(), pytest.raises(NotFound):
            delete_step(account, owner.pk, step.pk)
        with nothing_changes(), pytest.raises(NotFound):
            edit_step(account, owner.pk, step.pk, {"subject": "mine"})


# -- Rivals


@pytest.mark.django_db(transaction=True)
def test_a_message_claimed_while_we_wait_keeps_its_step() -> None:
    campaign = factories.make_campaign(factories.make_account(), status="active", steps=2)
    message = factories.make_message(factories.enroll(campaign), step_position=2, state="planned")

    def claim() -> None:
        Message.everywhere.filter(pk=message.pk, state="planned").update(state="claimed")

    with Held(claim) as rival:
        late = Waiting(lambda: delete_step(campaign.account, campaign.pk, step_at(campaign, 2).pk))
        rival.commit_once_waited_for()
        assert isinstance(late.outcome(), Unprocessable)
    assert len(texts(campaign)) == 2


@pytest.mark.django_db(transaction=True)
def test_two_edits_of_one_sequence_come_one_after_the_other() -> None:
    campaign = factories.make_campaign(factories.make_account(), steps=1)
    with Held(lambda: add_step(campaign.account, campaign.pk, NEW)) as rival:
        late = Waiting(lambda: add_step(campaign.account, campaign.pk, NEW))
        rival.commit_once_waited_for()
        assert late.outcome().position == 3
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
