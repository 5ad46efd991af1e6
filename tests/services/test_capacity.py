"""Units of the daily cap: reserved, moved and returned, never counted afterwards (design, law 4)."""

from datetime import UTC, datetime, timedelta

import pytest

from credentials.models import SmtpCredential
from dispatch.models import DailyUsage
from dispatch.services import capacity, lanes, lifecycle, stops
from dispatch.services.claim import Claim
from tests import factories
from tests.services.desk import Desk, S, message_of
from tests.services.rival import Held, Waiting
from tests.strategies import NOON

TODAY = NOON.date()
TOMORROW = TODAY + timedelta(days=1)
pytestmark = pytest.mark.django_db


def credential_with(limit: int) -> SmtpCredential:
    credential = factories.make_credential(factories.make_account(), daily_limit=limit)
    lanes.add_missing_lanes()
    return credential


def used(credential: SmtpCredential) -> int:
    usage = DailyUsage.objects.filter(credential=credential, day=TODAY).first()
    return usage.used if usage else 0


# -- Reserving


def test_units_are_reserved_up_to_the_limit_and_not_one_more() -> None:
    credential = credential_with(3)
    assert [capacity.reserve(TODAY, {credential.pk: units}) for units in (2, 2, 1, 1)] == [True, False, True, False]
    assert used(credential) == 3


def test_each_day_has_its_own() -> None:
    credential = credential_with(1)
    assert capacity.reserve(TODAY, {credential.pk: 1})
    assert capacity.reserve(TOMORROW, {credential.pk: 1})


def test_one_that_is_full_says_so_for_all_that_were_asked_with_it() -> None:
    free, full = credential_with(1), credential_with(0)
    assert not capacity.reserve(TODAY, {free.pk: 1, full.pk: 1})


def test_the_limit_in_force_decides_and_the_highest_is_remembered() -> None:
    credential = credential_with(5)
    capacity.reserve(TODAY, {credential.pk: 4})
    SmtpCredential.everywhere.update(daily_limit=2)
    assert not capacity.reserve(TODAY, {credential.pk: 1})
    SmtpCredential.everywhere.update(daily_limit=9)
    assert capacity.reserve(TODAY, {credential.pk: 1})
    assert DailyUsage.objects.get().highest_limit == 9


@pytest.mark.django_db(transaction=True)
def test_of_two_that_want_the_last_unit_one_gets_it() -> None:
    credential = credential_with(1)
    capacity.reserve(TODAY, {credential.pk: 0})
    with Held(lambda: capacity.reserve(TODAY, {credential.pk: 1})) as first:
        second = Waiting(lambda: capacity.reserve(TODAY, {credential.pk: 1})).until_it_waits()
        assert first.commit()
        assert not second.result()
    assert used(credential) == 1


# -- Returning


def test_a_unit_comes_back_once(desk: Desk) -> None:
    campaign = desk.released(2)
    desk.tick()
    lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
    assert [capacity.return_units() for _ in range(2)] == [2, 0]
    assert desk.violations() == []


@pytest.mark.parametrize("state", [S.ACCEPTED, S.REFUSED, S.UNKNOWN, S.DEFERRED, S.GAVE_UP])
def test_a_unit_that_a_transaction_used_stays_used(desk: Desk, state: S) -> None:
    campaign = desk.campaign()
    [enrolled] = desk.enroll(campaign)
    desk.release(campaign)
    [claimed] = desk.send_due(state)
    stops.unsubscribe_contact(enrolled.contact, now=desk.now)
    desk.tick()
    credential = message_of(claimed).credential
    assert credential is not None
    assert desk.used(credential) == 1
    assert desk.violations() == []


def test_whoever_is_stopped_before_any_transaction_makes_room_for_another(desk: Desk) -> None:
    campaign = desk.campaign(limit=1)
    first, _ = desk.enroll(campaign, 2)
    desk.release(campaign)
    desk.tick()
    stops.unsubscribe_contact(first.contact, now=desk.now)
    [claimed] = desk.send_due()
    assert message_of(claimed).enrollment_id != first.pk
    assert desk.violations() == []


def test_later_steps_hold_no_unit(desk: Desk) -> None:
    campaign = desk.released(2, steps=2)
    desk.send_due()
    [credential] = campaign.credentials.all()
    before = desk.used(credential)
    later = desk.send_due()
    assert {message_of(claimed).usage_day for claimed in later} == {None}
    assert desk.used(credential) == before == 2


# -- Moving to another day


def claimed_before_midnight(desk: Desk, **fields: int) -> Claim:
    desk.now = datetime(2026, 3, 10, 23, 59, 50, tzinfo=UTC)
    desk.released(1, **fields)
    desk.tick()
    [claimed] = desk.claim()
    return claimed


def days(claimed: Claim) -> dict[object, int]:
    return dict(DailyUsage.objects.filter(credential=claimed.credential_id).values_list("day", "used"))


def test_what_was_planned_before_midnight_and_leaves_after_it_counts_for_the_new_day(desk: Desk) -> None:
    claimed = claimed_before_midnight(desk)
    desk.wait(seconds=20)
    assert desk.start(claimed)
    assert days(claimed) == {TODAY: 0, TOMORROW: 1}
    assert message_of(claimed).usage_day == TOMORROW
    desk.send(claimed)
    assert desk.violations() == []


def test_a_full_new_day_moves_nothing(desk: Desk) -> None:
    claimed = claimed_before_midnight(desk, limit=1)
    desk.wait(seconds=20)
    desk.tick()
    assert capacity.reserve(TOMORROW, {claimed.credential_id: 1})
    assert not desk.start(claimed)
    assert days(claimed) == {TODAY: 1, TOMORROW: 1}
    capacity.give_back(claimed.credential_id, TOMORROW, 1)
    assert desk.violations() == []


def test_a_claim_that_was_lost_moves_nothing(desk: Desk) -> None:
    claimed = claimed_before_midnight(desk)
    other = Desk(account=desk.account, now=desk.now + timedelta(seconds=20))
    moved = capacity.move_unit(
        other.worker_id, claimed.message_id, claimed.fence, claimed.credential_id, (TODAY, TOMORROW)
    )
    assert not moved
    assert days(claimed) == {TODAY: 1, TOMORROW: 0}
    assert desk.violations() == []


def test_a_retry_of_the_same_day_is_free_and_one_of_the_next_day_is_not(desk: Desk) -> None:
    desk.released(1, limit=1)
    desk.tick()
    [claimed] = desk.claim()
    desk.settle(claimed, S.DEFERRED)
    desk.wait(minutes=31)
    [again] = desk.claim()
    assert desk.start(again)
    assert days(again) == {TODAY: 1}
    desk.settle(again, S.DEFERRED)
    desk.wait(days=1)
    [again] = desk.claim()
    assert desk.start(again)
    assert days(again) == {TODAY: 0, TOMORROW: 1}
    desk.send(again)
    assert desk.violations() == []
