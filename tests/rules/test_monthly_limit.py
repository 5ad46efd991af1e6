"""What room a monthly limit leaves, when it is counted again, and whom the room goes to."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.monthly_limit import COUNT_AGAIN_AFTER, Reservation, is_to_be_counted, keep_within
from dispatch.rules.planning import Assignment, CampaignFacts, Candidate, LaneFacts, decide_plan
from tests.strategies import NOON

MONTH, NEXT = date(2026, 11, 1), date(2026, 12, 1)
ANN, BOB = UUID(int=1), UUID(int=2)
CAMPAIGNS = {UUID(int=11): ANN, UUID(int=12): ANN, UUID(int=13): BOB}

FULL = Reservation(limit=100, month=MONTH, reserved=100, counted_at=NOON)


def assignment(number: int, campaign_id: UUID) -> Assignment:
    """A slot of the contact of this number."""
    of = Candidate(UUID(int=100 + number), campaign_id, 1, 0, 0, NOON, None, number)
    return Assignment(of, UUID(int=7), NOON, 0, NOON.date(), takes_unit=False)


@pytest.mark.parametrize(("reserved", "room"), [(0, 100), (99, 1), (100, 0), (140, 0)])
def test_room_is_what_is_not_reserved_and_never_less_than_none(reserved: int, room: int) -> None:
    assert replace(FULL, reserved=reserved).room == room


@pytest.mark.parametrize(
    ("reservation", "seconds", "wanted", "month", "counted"),
    [
        (replace(FULL, counted_at=None), 0, 1, MONTH, True),
        (replace(FULL, reserved=0), 0, 1, NEXT, True),
        (replace(FULL, month=NEXT, reserved=0), 9_999, 1, MONTH, False),
        (FULL, COUNT_AGAIN_AFTER.total_seconds() - 1, 1, MONTH, False),
        (FULL, COUNT_AGAIN_AFTER.total_seconds(), 1, MONTH, True),
        (replace(FULL, reserved=99), 9_999, 1, MONTH, False),
        (replace(FULL, reserved=99), 9_999, 2, MONTH, True),
    ],
    ids=[
        "at first",
        "in a new month",
        "a clock that stepped back",
        "a moment ago",
        "a minute ago",
        "room",
        "too little",
    ],
)
def test_messages_are_counted_at_first_in_a_new_month_and_each_minute_without_room(
    reservation: Reservation, seconds: float, wanted: int, month: date, counted: bool
) -> None:
    now = NOON + timedelta(seconds=seconds)
    assert is_to_be_counted(reservation, wanted=wanted, month=month, now=now) is counted


campaign_lists = st.lists(st.sampled_from(sorted(CAMPAIGNS)), max_size=20)
rooms_left = st.dictionaries(st.sampled_from([ANN, BOB]), st.integers(0, 8))


@given(campaign_lists, rooms_left)
def test_each_account_gets_the_first_of_its_own_and_as_many_as_fit(
    campaigns: list[UUID], rooms: dict[UUID, int]
) -> None:
    planned = [assignment(number, campaign_id) for number, campaign_id in enumerate(campaigns)]
    kept, waiting = keep_within(planned, CAMPAIGNS, rooms)
    for account_id in (ANN, BOB):
        own = [one for one in planned if CAMPAIGNS[one.candidate.campaign_id] == account_id]
        room = rooms.get(account_id, len(own))
        assert [one for one in kept if one in own] == own[:room]
        assert [one for one in waiting if one in own] == own[room:]


@given(campaign_lists)
def test_without_limits_nothing_waits(campaigns: list[UUID]) -> None:
    planned = [assignment(number, campaign_id) for number, campaign_id in enumerate(campaigns)]
    assert keep_within(planned, CAMPAIGNS, {}) == (planned, [])


@given(st.integers(0, 12), st.integers(1, 12))
def test_who_is_kept_has_the_slot_that_fewer_candidates_would_have_got(room: int, count: int) -> None:
    lanes = [LaneFacts(UUID(int=number), 50, 0, None, None, None, 0) for number in (7, 8)]
    campaign = CampaignFacts(UUID(int=11), 60, 60, (UUID(int=7), UUID(int=8)))
    candidates = [assignment(number, UUID(int=11)).candidate for number in range(count)]

    def plan(of: list[Candidate]) -> list[Assignment]:
        return decide_plan(of, lanes, [campaign], now=NOON, ahead=timedelta(hours=1)).assignments

    kept, waiting = keep_within(plan(candidates), CAMPAIGNS, {ANN: room})
    assert kept == plan(candidates[:room])
    assert len(kept) + len(waiting) == count
