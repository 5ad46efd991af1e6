"""What time alone brings: batches open, sequences end, campaigns complete (design: law 2, Dispatch)."""

from datetime import timedelta

import pytest
from django.db import transaction

from campaigns.models import Batch, Campaign, Enrollment
from campaigns.services.enrolment import enroll_contact
from dispatch.models import Message
from dispatch.services import completion, lifecycle, stops, test_send
from tests import factories
from tests.services.desk import Desk, S, fresh
from tests.services.rival import Held, Waiting


def status_of(campaign: Campaign) -> str:
    campaign.refresh_from_db()
    return campaign.status


# -- Batches


def test_a_large_batch_opens_bit_by_bit(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "OPEN_AT_ONCE", 2)
    campaign = desk.campaign()
    desk.enroll(campaign, 5)
    desk.release(campaign)
    assert Enrollment.everywhere.filter(next_due_at__isnull=False).count() == 2
    assert Batch.objects.get().opened_at is None
    assert desk.violations() == []
    assert [completion.open_batches(desk.now) for _ in range(3)] == [0, 1, 0]
    assert Enrollment.everywhere.filter(next_due_at__isnull=False).count() == 5
    assert desk.violations() == []


def test_opening_again_makes_nothing_due_twice(desk: Desk) -> None:
    campaign = desk.released(2)
    desk.send_due()
    Batch.objects.update(opened_at=None)
    completion.open_batches(desk.now)
    assert desk.send_due() == []
    assert status_of(campaign) == "completed"


@pytest.mark.django_db(transaction=True)
def test_whoever_is_enrolled_during_a_release_goes_too() -> None:
    desk = Desk()
    campaign = desk.campaign()
    desk.enroll(campaign)
    late = factories.make_contact(desk.account)
    with Held(lambda: enroll_contact(desk.account, campaign.pk, late.pk, now=desk.now)) as enrolling:
        releasing = Waiting(lambda: desk.release(campaign)).until_it_waits()
        enrolling.commit()
        releasing.result()
    assert len(desk.send_due()) == 2
    assert desk.violations() == []


@pytest.mark.django_db(transaction=True)
def test_whoever_is_enrolled_after_a_release_began_goes_too() -> None:
    desk = Desk()
    campaign = desk.campaign()
    desk.enroll(campaign)
    late = factories.make_contact(desk.account)
    with Held(lambda: desk.release(campaign)) as releasing:
        enrolling = Waiting(lambda: enroll_contact(desk.account, campaign.pk, late.pk, now=desk.now)).until_it_waits()
        releasing.commit()
        enrolling.result()
    assert len(desk.send_due()) == 2
    assert desk.violations() == []


# -- Completion


def test_a_campaign_completes_with_its_last_sequence(desk: Desk) -> None:
    campaign = desk.released(2, steps=2)
    desk.send_due()
    desk.tick()
    assert status_of(campaign) == "active"
    desk.send_due()
    desk.tick()
    assert (status_of(campaign), campaign.completed_at) == ("completed", desk.now)
    assert set(Enrollment.everywhere.values_list("finished_at", "steps_due")) == {(desk.now, 2)}


@pytest.mark.parametrize("state", [S.REFUSED, S.GAVE_UP, S.QUARANTINED])
def test_a_bad_end_is_an_end(desk: Desk, state: S) -> None:
    campaign = desk.released(1, steps=3)
    desk.send_due(state)
    desk.tick()
    assert status_of(campaign) == "completed"


def test_a_campaign_all_of_whose_contacts_left_completes(desk: Desk) -> None:
    campaign = desk.campaign()
    [enrolled] = desk.enroll(campaign)
    desk.release(campaign)
    stops.unsubscribe_contact(enrolled.contact, now=desk.now)
    desk.tick()
    assert status_of(campaign) == "completed"


@pytest.mark.parametrize("state", [S.DEFERRED, S.UNKNOWN])
def test_it_does_not_complete_while_something_waits(desk: Desk, state: S) -> None:
    campaign = desk.released(1)
    desk.send_due(state)
    desk.tick()
    assert status_of(campaign) == "active"


def test_it_does_not_complete_while_a_batch_was_not_released(desk: Desk) -> None:
    campaign = desk.released(1)
    desk.enroll(campaign, 1, batch_number=2)
    desk.send_due()
    desk.tick()
    assert status_of(campaign) == "active"


def test_it_does_not_complete_while_a_body_is_on_the_wire(desk: Desk) -> None:
    """The contact was stopped meanwhile; whether it got this message is not known yet."""
    campaign = desk.campaign()
    [enrolled] = desk.enroll(campaign)
    desk.release(campaign)
    desk.tick()
    [claimed] = desk.claim()
    desk.wire(claimed)
    stops.unsubscribe_contact(enrolled.contact, now=desk.now)
    desk.tick()
    assert status_of(campaign) == "active"
    desk.settle(claimed)
    desk.tick()
    assert status_of(campaign) == "completed"


def test_a_paused_campaign_does_not_complete(desk: Desk) -> None:
    campaign = desk.released(1)
    desk.tick()
    [claimed] = desk.claim()
    desk.wire(claimed)
    lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
    desk.settle(claimed)
    desk.tick()
    assert status_of(campaign) == "paused"
    lifecycle.resume_campaign(desk.account, campaign.pk, now=desk.now)
    desk.tick()
    assert status_of(campaign) == "completed"


def test_test_messages_hold_up_no_completion(desk: Desk) -> None:
    campaign = desk.released(1)
    desk.send_due()
    test_send.send_test(desk.account, campaign.pk, ["tester@own.example"], now=desk.now)
    desk.tick()
    assert status_of(campaign) == "completed"


@pytest.mark.django_db(transaction=True)
def test_an_enrolment_in_progress_is_waited_for() -> None:
    desk = Desk()
    campaign = desk.released(1)
    desk.send_due()
    late = factories.make_contact(desk.account)
    with Held(lambda: enroll_contact(desk.account, campaign.pk, late.pk, now=desk.now)) as enrolling:
        completing = Waiting(lambda: completion.complete_campaigns(desk.now)).until_it_waits()
        enrolling.commit()
        assert completing.result() == 0
    assert status_of(campaign) == "active"
    assert desk.violations() == []


# -- The grace period of an unknown last step


def test_the_sequence_ends_with_the_grace_period(desk: Desk) -> None:
    campaign = desk.campaign()
    [enrolled] = desk.enroll(campaign)
    desk.release(campaign)
    desk.send_due(S.UNKNOWN)
    assert fresh(enrolled).next_due_at == desk.now + timedelta(hours=72)
    assert completion.finish_after_grace(desk.now + timedelta(hours=71)) == 0
    assert completion.finish_after_grace(desk.now + timedelta(hours=72)) == 1
    assert fresh(enrolled).steps_due == 1
    assert desk.violations() == []


def test_a_step_that_was_added_meanwhile_goes_after_it(desk: Desk) -> None:
    campaign = desk.campaign()
    desk.enroll(campaign)
    desk.release(campaign)
    desk.send_due(S.UNKNOWN)
    with transaction.atomic():
        factories.make_step(campaign, 2)
    desk.wait(hours=72)
    assert len(desk.send_due()) == 1
    assert Message.everywhere.filter(step_position=2, state="accepted").count() == 1
    assert desk.violations() == []
