"""The planner's decision: order, senders, slots, caps and reasons (design: Rotation, Gap, Daily limit; promise B2)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.rules.planning import (
    QUEUE_PER_LANE,
    Assignment,
    CampaignFacts,
    Candidate,
    LaneFacts,
    MxState,
    Plan,
    decide_plan,
)
from dispatch.rules.timing import draw_gap
from tests.strategies import NOON

few = settings(max_examples=30)
"""Drawing whole worlds takes its time."""

AHEAD = timedelta(minutes=5)
ANN, BOB, CLEO = UUID(int=1), UUID(int=2), UUID(int=3)
CAMPAIGN, OTHER = UUID(int=11), UUID(int=12)
TODAY = NOON.date()
YESTERDAY = TODAY - timedelta(days=1)


def lane(credential_id: UUID = ANN, **facts: object) -> LaneFacts:
    """An idle credential with plenty of room."""
    idle = LaneFacts(credential_id, 100, 0, None, None, None, 0)
    return replace(idle, **facts)  # type: ignore[arg-type]


def campaign(*credential_ids: UUID, campaign_id: UUID = CAMPAIGN, gap: int = 0) -> CampaignFacts:
    return CampaignFacts(campaign_id, gap, gap, credential_ids or (ANN,))


def candidate(number: int = 1, **facts: object) -> Candidate:
    """A first step of the contact of this number, who was enrolled as that one."""
    first = Candidate(UUID(int=100 + number), CAMPAIGN, 1, 0, 0, NOON + timedelta(seconds=number), None, number)
    return replace(first, **facts)  # type: ignore[arg-type]


def plan(
    candidates: Sequence[Candidate],
    lanes: Sequence[LaneFacts] = (lane(),),
    campaigns: Sequence[CampaignFacts] | None = None,
    now: datetime = NOON,
) -> Plan:
    """The plan of one tick; the one campaign sends through all lanes unless told otherwise."""
    campaigns = campaigns or [campaign(*(one.credential_id for one in lanes))]
    return decide_plan(candidates, lanes, campaigns, now=now, ahead=AHEAD)


def numbers(assignments: Sequence[Assignment]) -> list[int]:
    return [assignment.candidate.enrollment_id.int - 100 for assignment in assignments]


# -- The total order

IN_ORDER = [
    candidate(1, position=3, sender_id=ANN),
    candidate(2, position=2, sender_id=ANN, message_id=UUID(int=1)),
    candidate(3, position=2, sender_id=ANN, priority=9, batch_number=9),
    candidate(4, position=2, sender_id=ANN),
    candidate(5, message_id=UUID(int=2)),
    candidate(6, priority=2, batch_number=3),
    candidate(7, priority=1, batch_number=1),
    candidate(8, priority=1, batch_number=2),
    candidate(9, batch_number=0, enrolled_at=NOON - timedelta(days=1)),
    candidate(10, batch_number=0, enrolled_at=NOON),
    candidate(11, batch_number=0, enrolled_at=NOON),
    candidate(12, batch_number=1, enrolled_at=NOON - timedelta(days=9)),
]


@given(st.permutations(IN_ORDER))
def test_the_order_is_total_whatever_order_the_candidates_come_in(shuffled: list[Candidate]) -> None:
    assert numbers(plan(shuffled).assignments) == list(range(1, 13))


# -- Slots


def test_an_idle_lane_sends_at_once_and_then_at_its_gaps() -> None:
    made = plan([candidate(1), candidate(2), candidate(3)], campaigns=[campaign(gap=60)])
    assert [assignment.due_at - NOON for assignment in made.assignments] == [timedelta(minutes=m) for m in range(3)]


def test_the_gap_is_drawn_for_each_message_from_its_own_seed() -> None:
    wide = CampaignFacts(CAMPAIGN, 10, 90, (ANN,))
    made = plan([candidate(number) for number in range(1, 5)], campaigns=[wide])
    assert [one.gap_seconds for one in made.assignments] == [draw_gap(10, 90, seed) for seed in range(1, 5)]
    for before, after in pairwise(made.assignments):
        assert after.due_at - before.due_at == timedelta(seconds=after.gap_seconds)


def test_each_campaign_draws_from_its_own_range_on_a_shared_lane() -> None:
    quick, slow = campaign(gap=10), campaign(campaign_id=OTHER, gap=100)
    made = plan([candidate(1), candidate(2, campaign_id=OTHER), candidate(3)], campaigns=[quick, slow])
    assert [(one.due_at - NOON).seconds for one in made.assignments] == [0, 100, 110]


def test_the_gap_runs_from_the_end_of_the_last_transaction_where_that_came_after_its_slot() -> None:
    slow_server = lane(last_slot_at=NOON - timedelta(seconds=70), last_finished_at=NOON - timedelta(seconds=20))
    [only] = plan([candidate()], [slow_server], [campaign(gap=60)]).assignments
    assert only.due_at == NOON + timedelta(seconds=40)


def test_idle_time_is_not_saved_up() -> None:
    rested = lane(last_slot_at=NOON - timedelta(days=1), last_finished_at=NOON - timedelta(days=1))
    made = plan([candidate(1), candidate(2)], [rested], [campaign(gap=60)])
    assert [(one.due_at - NOON).seconds for one in made.assignments] == [0, 60]


def test_no_lane_is_planned_further_ahead_than_the_horizon() -> None:
    made = plan([candidate(number) for number in range(1, 10)], campaigns=[campaign(gap=100)])
    assert [(one.due_at - NOON).seconds for one in made.assignments] == [0, 100, 200, 300, 400]
    assert set(made.waiting.values()) == {"gap"}


def test_a_lane_gives_out_a_bounded_number_of_slots() -> None:
    made = plan([candidate(number) for number in range(1, 9)], [lane(queued=QUEUE_PER_LANE - 3, limit=10_000)])
    assert len(made.assignments) == 3
    assert made.closed == {CAMPAIGN: "gap"}


def test_a_first_step_is_not_planned_past_midnight_and_a_later_one_may_be() -> None:
    late = datetime(2026, 3, 10, 23, 59, 30, tzinfo=UTC)
    busy = [lane(last_slot_at=late)]
    assert plan([candidate()], busy, [campaign(gap=60)], now=late).waiting == {candidate().enrollment_id: "gap"}
    follow_up = candidate(position=2, sender_id=ANN)
    [only] = plan([follow_up], busy, [campaign(gap=60)], now=late).assignments
    assert (only.due_at, only.takes_unit) == (late + timedelta(seconds=60), False)


# -- Senders


def test_first_steps_are_dealt_out_in_turn() -> None:
    made = plan([candidate(number) for number in range(1, 11)], [lane(ANN), lane(BOB), lane(CLEO)])
    assert Counter(one.credential_id for one in made.assignments) == {ANN: 4, BOB: 3, CLEO: 3}


def test_a_lane_with_three_times_the_limit_takes_three_times_as_many() -> None:
    made = plan([candidate(number) for number in range(1, 13)], [lane(ANN, limit=10), lane(BOB, limit=30)])
    assert Counter(one.credential_id for one in made.assignments) == {ANN: 3, BOB: 9}


def test_what_another_campaign_used_counts() -> None:
    made = plan([candidate(1), candidate(2)], [lane(ANN, used=5), lane(BOB, used=3)])
    assert [one.credential_id for one in made.assignments] == [BOB, BOB]


def test_a_shared_lane_that_grew_heavier_meanwhile_is_put_right() -> None:
    shared = [campaign(ANN, BOB), campaign(ANN, campaign_id=OTHER)]
    asked = [candidate(1), *(candidate(n, campaign_id=OTHER) for n in range(2, 6)), candidate(6), candidate(7)]
    made = plan(asked, [lane(ANN), lane(BOB)], shared)
    assert [one.credential_id for one in made.assignments] == [ANN, ANN, ANN, ANN, ANN, BOB, BOB]


def test_a_later_step_keeps_to_its_sender_though_another_is_idle() -> None:
    [only] = plan([candidate(position=2, sender_id=BOB)], [lane(ANN), lane(BOB, used=90)]).assignments
    assert (only.credential_id, only.takes_unit) == (BOB, False)


@pytest.mark.parametrize(
    ("sender", "reason"),
    [
        (lane(BOB, back_off_until=NOON + timedelta(minutes=1)), "back_off"),
        (lane(BOB, last_slot_at=NOON + timedelta(hours=1)), "gap"),
        (lane(CLEO), "credential_disabled"),
    ],
)
def test_a_later_step_waits_for_its_sender(sender: LaneFacts, reason: str) -> None:
    """The last sender is not the one asked for: it is disabled, and so not among the usable ones."""
    follow_up = candidate(position=2, sender_id=BOB)
    made = plan([follow_up], [lane(ANN), sender])
    assert (made.assignments, made.waiting) == ([], {follow_up.enrollment_id: reason})


def test_a_later_step_goes_on_when_the_cap_is_reached() -> None:
    [only] = plan([candidate(position=2, sender_id=ANN)], [lane(used=100)]).assignments
    assert not only.takes_unit


def test_a_later_step_without_a_sender_goes_where_it_leaves_first_and_uses_no_cap() -> None:
    lanes = [lane(ANN, last_slot_at=NOON + timedelta(seconds=30)), lane(BOB, used=100)]
    [only] = plan([candidate(position=2)], lanes, [campaign(ANN, BOB, gap=60)]).assignments
    assert (only.credential_id, only.due_at, only.takes_unit) == (BOB, NOON, False)


@pytest.mark.parametrize(
    ("lanes", "reason"),
    [
        ([], "no_enabled_credential"),
        ([lane(back_off_until=NOON + timedelta(minutes=1))], "back_off"),
        ([lane(last_slot_at=NOON + timedelta(hours=1))], "gap"),
    ],
)
def test_a_later_step_without_a_sender_says_why_it_waits(lanes: list[LaneFacts], reason: str) -> None:
    follow_up = candidate(position=2)
    assert plan([follow_up], lanes, [campaign(ANN)]).waiting == {follow_up.enrollment_id: reason}


def test_a_first_step_that_was_attempted_keeps_to_its_sender() -> None:
    tried = candidate(sender_id=BOB, message_id=UUID(int=1), held_unit=(BOB, TODAY))
    [only] = plan([tried], [lane(ANN), lane(BOB, used=100)]).assignments
    assert (only.credential_id, only.takes_unit) == (BOB, False)


@pytest.mark.parametrize(("held", "moves"), [(TODAY, False), (YESTERDAY, True)])
def test_a_first_step_leaves_an_unusable_sender_only_once_its_unit_is_of_the_past(held: date, moves: bool) -> None:
    tried = candidate(sender_id=BOB, message_id=UUID(int=1), held_unit=(BOB, held))
    made = plan([tried], [lane(ANN)])
    assert [one.credential_id for one in made.assignments] == ([ANN] if moves else [])
    assert made.waiting == ({} if moves else {tried.enrollment_id: "credential_disabled"})


# -- Caps


def test_every_first_step_takes_a_unit_until_none_is_left() -> None:
    made = plan([candidate(number) for number in range(1, 6)], [lane(limit=10, used=7)])
    assert [one.takes_unit for one in made.assignments] == [True] * 3
    assert made.closed == {CAMPAIGN: "daily_cap"}
    assert set(made.waiting.values()) == {"daily_cap"}


def test_a_unit_that_is_held_already_is_not_taken_again() -> None:
    held = candidate(message_id=UUID(int=1), held_unit=(ANN, TODAY))
    assert [one.takes_unit for one in plan([held]).assignments] == [False]
    yesterdays = candidate(message_id=UUID(int=1), held_unit=(ANN, YESTERDAY))
    assert [one.takes_unit for one in plan([yesterdays]).assignments] == [True]


def test_a_lowered_limit_below_what_is_used_lets_nobody_in() -> None:
    assert plan([candidate()], [lane(limit=3, used=9)]).closed == {CAMPAIGN: "daily_cap"}


def test_a_campaign_with_nobody_enabled_says_so() -> None:
    assert plan([candidate()], [], [campaign(ANN)]).closed == {CAMPAIGN: "no_enabled_credential"}


def test_one_campaign_at_its_cap_closes_no_other() -> None:
    full, free = campaign(ANN), campaign(BOB, campaign_id=OTHER)
    made = plan([candidate(1), candidate(2, campaign_id=OTHER)], [lane(ANN, used=100), lane(BOB)], [full, free])
    assert numbers(made.assignments) == [2]


# -- MX


@pytest.mark.parametrize(
    ("mx", "outcome"), [(MxState.ABSENT, "absent"), (MxState.SILENT, "silent"), (MxState.PENDING, "waiting")]
)
def test_a_domain_that_is_not_known_to_take_mail_gets_no_slot(mx: MxState, outcome: str) -> None:
    asked = candidate(mx=mx)
    made = plan([asked])
    assert made.assignments == []
    assert {"absent": made.absent, "silent": made.silent, "waiting": made.waiting}[outcome]
    assert [bool(made.absent), bool(made.silent), bool(made.waiting)].count(True) == 1


# -- Properties


@st.composite
def lanes(draw: st.DrawFn) -> list[LaneFacts]:
    instants = st.none() | st.integers(-900, 900).map(lambda seconds: NOON + timedelta(seconds=seconds))
    ids = draw(st.lists(st.sampled_from([ANN, BOB, CLEO]), unique=True))
    return [
        LaneFacts(
            credential_id,
            draw(st.integers(0, 6)),
            draw(st.integers(0, 6)),
            draw(instants),
            draw(instants),
            draw(instants),
            draw(st.sampled_from([0, QUEUE_PER_LANE - 2, QUEUE_PER_LANE])),
        )
        for credential_id in ids
    ]


@st.composite
def campaigns(draw: st.DrawFn) -> list[CampaignFacts]:
    made = []
    for campaign_id in (CAMPAIGN, OTHER):
        shortest = draw(st.integers(0, 200))
        attached = draw(st.lists(st.sampled_from([ANN, BOB, CLEO]), unique=True))
        made.append(CampaignFacts(campaign_id, shortest, shortest + draw(st.integers(0, 200)), tuple(attached)))
    return made


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    senders = st.none() | st.sampled_from([ANN, BOB, CLEO])
    return [
        candidate(
            number,
            campaign_id=draw(st.sampled_from([CAMPAIGN, OTHER])),
            position=draw(st.integers(1, 3)),
            priority=draw(st.integers(0, 1)),
            sender_id=draw(senders),
            mx=draw(st.sampled_from([MxState.UNCHECKED, MxState.UNCHECKED, *MxState])),
            message_id=draw(st.none() | st.just(UUID(int=number))),
            held_unit=draw(st.none() | st.tuples(st.sampled_from([ANN, BOB]), st.sampled_from([TODAY, YESTERDAY]))),
        )
        for number in range(1, draw(st.integers(0, 25)) + 1)
    ]


@few
@given(candidates(), lanes(), campaigns())
def test_every_candidate_gets_a_slot_or_one_reason(
    asked: list[Candidate], usable: list[LaneFacts], active: list[CampaignFacts]
) -> None:
    made = plan(asked, usable, active)
    ends = [one.candidate.enrollment_id for one in made.assignments]
    ends += [one.enrollment_id for one in (*made.absent, *made.silent)] + list(made.waiting)
    assert sorted(ends) == sorted(one.enrollment_id for one in asked)
    assert all(made.waiting.values())


@few
@given(candidates(), lanes(), campaigns())
def test_no_cap_is_overrun_and_nobody_sends_who_may_not(
    asked: list[Candidate], usable: list[LaneFacts], active: list[CampaignFacts]
) -> None:
    facts = {one.credential_id: one for one in usable}
    attached = {one.campaign_id: one.credential_ids for one in active}
    taken: Counter[UUID] = Counter()
    for one in plan(asked, usable, active).assignments:
        sender = facts[one.credential_id]
        assert one.credential_id in attached[one.candidate.campaign_id]
        assert sender.back_off_until is None or sender.back_off_until <= NOON
        assert not one.takes_unit or one.candidate.position == 1
        taken[one.credential_id] += one.takes_unit
        assert not one.takes_unit or sender.used + taken[one.credential_id] <= sender.limit


@few
@given(candidates(), lanes(), campaigns())
def test_slots_of_a_lane_keep_their_gaps_and_its_bounds(
    asked: list[Candidate], usable: list[LaneFacts], active: list[CampaignFacts]
) -> None:
    made = plan(asked, usable, active)
    for facts in usable:
        own = [one for one in made.assignments if one.credential_id == facts.credential_id]
        assert facts.queued + len(own) <= max(facts.queued, QUEUE_PER_LANE)
        last = facts.last_slot_at
        for one in own:
            starts = [instant for instant in (last, facts.last_finished_at) if instant is not None]
            assert one.due_at >= max([NOON, *(instant + timedelta(seconds=one.gap_seconds) for instant in starts)])
            assert last is None or last <= NOON + AHEAD
            assert one.candidate.position > 1 or one.day == TODAY
            last = one.due_at


@few
@given(candidates(), lanes(), campaigns())
def test_a_thread_never_changes_its_sender(
    asked: list[Candidate], usable: list[LaneFacts], active: list[CampaignFacts]
) -> None:
    for one in plan(asked, usable, active).assignments:
        if one.candidate.position > 1 and one.candidate.sender_id is not None:
            assert one.credential_id == one.candidate.sender_id


@few
@given(candidates(), lanes(), campaigns(), st.randoms(use_true_random=False))
def test_the_plan_does_not_depend_on_the_order_of_what_is_read(
    asked: list[Candidate], usable: list[LaneFacts], active: list[CampaignFacts], random: Random
) -> None:
    expected = plan(asked, usable, active)
    for rows in (asked, usable, active):
        random.shuffle(rows)
    assert plan(asked, usable, active) == expected


@given(st.integers(1, 40), st.integers(1, 3), st.lists(st.integers(0, 3), min_size=3, max_size=3))
def test_equal_limits_never_differ_by_more_than_one(contacts: int, gap: int, used: list[int]) -> None:
    """Promise B2, from wherever the day stands: nobody gets ahead of one that has less."""
    usable = [lane(key, used=before, limit=50) for key, before in zip([ANN, BOB, CLEO], used, strict=True)]
    made = plan([candidate(number) for number in range(1, contacts + 1)], usable, [campaign(ANN, BOB, CLEO, gap=gap)])
    loads = {one.credential_id: one.used for one in usable}
    for one in made.assignments:
        assert loads[one.credential_id] == min(loads.values())
        loads[one.credential_id] += 1
