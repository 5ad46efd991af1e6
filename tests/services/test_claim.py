"""Claims: what a loop takes into its hands, one loop a credential, nothing twice (design, States)."""

import uuid
from collections.abc import Iterable
from datetime import timedelta

import pytest

from dispatch.models import Lane, Message
from dispatch.services import claim, lifecycle, stops, test_send
from dispatch.services.claim import CLAIM_AHEAD, Claim
from tests.services.desk import PLENTY, Desk, S, message_of
from tests.services.rival import Held


def claim_as(desk: Desk, *, lanes: int = PLENTY, messages: int = PLENTY, held: Iterable[uuid.UUID] = ()) -> list[Claim]:
    return claim.claim_messages(desk.worker_id, now=desk.now, lanes=lanes, messages=messages, held=list(held))


# -- What is claimed


def test_a_claim_says_what_the_loop_needs(desk: Desk) -> None:
    campaign = desk.released(1, min_wait_seconds=60, max_wait_seconds=60)
    desk.tick()
    [claimed] = desk.claim()
    message = message_of(claimed)
    assert (message.state, message.worker_id, message.fence) == (S.CLAIMED, desk.worker_id, claimed.fence)
    assert claimed == Claim(
        message_id=message.pk,
        fence=1,
        credential_id=campaign.credentials.get().pk,
        due_at=desk.now,
        stream="campaign",
        gap_seconds=60,
        usage_day=desk.now.date(),
        attempts=0,
        first_attempt_at=None,
        lane_finished_at=None,
        smtp_host=campaign.credentials.get().smtp_host,
    )


def test_it_says_when_the_credential_was_last_used(desk: Desk) -> None:
    campaign = desk.released(1)
    desk.send_due()
    finished_at = desk.now
    desk.wait(minutes=1)
    desk.enroll(campaign)
    desk.release(campaign)
    desk.tick()
    assert [claimed.lane_finished_at for claimed in desk.claim()] == [finished_at]


def test_nothing_is_claimed_twice(desk: Desk) -> None:
    desk.released(3, credentials=2)
    desk.tick()
    assert [len(desk.claim()) for _ in range(2)] == [3, 0]


def test_slots_beyond_the_next_half_minute_are_left(desk: Desk) -> None:
    seconds = int(CLAIM_AHEAD.total_seconds())
    desk.released(3, min_wait_seconds=seconds, max_wait_seconds=seconds)
    desk.tick()
    assert len(desk.claim()) == 2


def test_only_so_many_and_the_earliest_first(desk: Desk) -> None:
    desk.released(4, min_wait_seconds=5, max_wait_seconds=5)
    desk.tick()
    assert [claimed.due_at for claimed in claim_as(desk, messages=1)] == [desk.now]
    assert claim_as(desk, messages=0, held=_held(desk)) == []


def _held(desk: Desk) -> list[uuid.UUID]:
    return list(Message.everywhere.filter(worker_id=desk.worker_id).values_list("pk", flat=True))


@pytest.mark.parametrize("state", [state for state in S if state not in {S.PLANNED, S.DEFERRED, S.CLAIMED}])
def test_nothing_that_is_over_or_unknown_is_claimed(desk: Desk, state: S) -> None:
    desk.released(1)
    desk.tick()
    Message.everywhere.update(state=state.value)
    assert desk.claim() == []


def test_a_message_without_a_slot_is_not_claimed(desk: Desk) -> None:
    campaign = desk.released(1)
    desk.tick()
    lifecycle.pause_campaign(desk.account, campaign.pk, now=desk.now)
    assert desk.claim() == []


def test_a_cancelled_one_is_not_claimed(desk: Desk) -> None:
    campaign = desk.campaign()
    [enrolled] = desk.enroll(campaign)
    desk.release(campaign)
    desk.tick()
    stops.unsubscribe_contact(enrolled.contact, now=desk.now)
    assert desk.claim() == []
    assert message_of(enrolled).state == S.CANCELLED


def test_test_sends_are_claimed_at_once_among_many(desk: Desk) -> None:
    campaign = desk.released(20, min_wait_seconds=60, max_wait_seconds=60)
    desk.tick()
    test_send.send_test(desk.account, campaign.pk, ["tester@own.example"], now=desk.now)
    assert {claimed.stream for claimed in desk.claim()} == {"test", "campaign"}


def test_claims_whose_answer_was_lost_are_made_anew(desk: Desk) -> None:
    desk.released(2)
    desk.tick()
    first = claim_as(desk)
    again = claim_as(desk, held=[])
    assert {one.message_id for one in again} == {one.message_id for one in first}
    assert {one.fence for one in again} == {2}
    assert desk.wire(*first) == set()


# -- Lanes


def test_a_lane_is_served_by_one_loop_at_a_time(desk: Desk) -> None:
    desk.released(2, min_wait_seconds=20, max_wait_seconds=20)
    desk.tick()
    other = Desk(account=desk.account, now=desk.now)
    assert len(claim_as(desk, messages=1)) == 1
    assert other.claim() == []
    claim.release_lanes(desk.worker_id, [Lane.objects.get().pk])
    assert len(other.claim()) == 1


def test_nobody_gives_back_the_lane_of_another(desk: Desk) -> None:
    desk.released(1)
    desk.tick()
    desk.claim()
    claim.release_lanes(uuid.uuid4(), [Lane.objects.get().pk])
    assert Lane.objects.get().worker_id == desk.worker_id


def test_only_so_many_lanes_are_taken(desk: Desk) -> None:
    desk.released(6, credentials=3)
    desk.tick()
    assert len({claimed.credential_id for claimed in claim_as(desk, lanes=2)}) == 2
    assert Lane.objects.filter(worker_id=desk.worker_id).count() == 2
    assert claim_as(desk, lanes=0, held=_held(desk)) == []


def test_a_resting_credential_is_left_alone_until_its_time(desk: Desk) -> None:
    desk.released(1)
    desk.tick()
    Lane.objects.update(back_off_until=desk.now + timedelta(minutes=1))
    assert desk.claim() == []
    desk.wait(minutes=1)
    assert len(desk.claim()) == 1


@pytest.mark.django_db(transaction=True)
def test_two_loops_that_claim_at_the_same_moment_share_without_waiting() -> None:
    desk = Desk()
    desk.released(2, credentials=2)
    desk.tick()
    other = Desk(account=desk.account, now=desk.now)
    with Held(lambda: claim_as(desk, lanes=1)) as first:
        theirs = claim_as(other)
        ours = first.commit()
    assert len(ours) == len(theirs) == 1
    assert ours[0].credential_id != theirs[0].credential_id
