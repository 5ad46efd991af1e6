"""Gaps, slots, delays and days (design: Gap, Delay, Daily limit; law 3)."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dispatch.rules.timing import (
    LONGEST_GAP_SECONDS,
    day_of,
    draw_gap,
    draw_seed,
    next_slot,
    room_ahead,
    step_due_at,
    unknown_step_due_at,
)
from tests.strategies import NOON, durations, instants, seeds

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
GRACE = timedelta(hours=72)

gap_lengths = st.integers(0, LONGEST_GAP_SECONDS)
gap_ranges = st.tuples(gap_lengths, gap_lengths).map(lambda pair: (min(pair), max(pair)))
maybe_instants = st.none() | instants
delays = st.integers(0, 60 * 24 * 365)


# Gap


@given(gap_ranges, seeds)
@example((0, 0), 0)
@example((86_400, 86_400), -1)
@example((0, 86_400), 2**63 - 1)
def test_a_gap_lies_within_its_range(gap_range: tuple[int, int], seed: int) -> None:
    minimum, maximum = gap_range
    assert minimum <= draw_gap(minimum, maximum, seed) <= maximum


@given(gap_ranges, seeds)
def test_a_seed_draws_the_same_gap_every_time(gap_range: tuple[int, int], seed: int) -> None:
    assert draw_gap(*gap_range, seed) == draw_gap(*gap_range, seed)


@pytest.mark.parametrize(("seed", "gap"), [(0, 164), (1, 135), (2, 171), (-1, 286), (2**63 - 1, 322)])
def test_the_gap_of_a_seed_never_changes_between_versions(seed: int, gap: int) -> None:
    # Stored seeds explain gaps of long ago: these numbers must stand for ever.
    assert draw_gap(120, 420, seed) == gap


@given(gap_lengths, seeds)
def test_a_range_of_one_value_draws_that_value(gap: int, seed: int) -> None:
    assert draw_gap(gap, gap, seed) == gap


def test_gaps_are_uniform_over_the_whole_range() -> None:
    drawn = Counter(draw_gap(10, 19, seed) for seed in range(20_000))
    assert set(drawn) == set(range(10, 20)), "both ends are drawn, and nothing else"
    # 20,000 draws, 10 values: the standard deviation of a count is 42; five of them are 212.
    assert all(abs(count - 2_000) < 212 for count in drawn.values())


def test_neighbouring_seeds_draw_unrelated_gaps() -> None:
    gaps = [draw_gap(0, LONGEST_GAP_SECONDS, seed) for seed in range(2_000)]
    rises = sum(later > earlier for earlier, later in pairwise(gaps))
    assert 900 < rises < 1_100
    assert len(set(gaps)) > 1_900


@pytest.mark.parametrize(
    ("minimum", "maximum"),
    [(-1, 10), (5, 4), (0, LONGEST_GAP_SECONDS + 1), (LONGEST_GAP_SECONDS + 1, LONGEST_GAP_SECONDS + 1), (-2, -1)],
)
def test_a_range_that_makes_no_sense_is_refused(minimum: int, maximum: int) -> None:
    with pytest.raises(ValueError, match="0 ≤ minimum ≤ maximum ≤ 86400"):
        draw_gap(minimum, maximum, 1)


# Slot


def test_a_credential_that_never_sent_starts_now() -> None:
    assert next_slot(NOON, None, None, 420) == NOON


def test_the_gap_runs_from_the_slot_given_out_last() -> None:
    assert next_slot(NOON, NOON + 5 * MINUTE, None, 120) == NOON + 7 * MINUTE


def test_the_gap_runs_from_the_end_of_a_transaction_that_outlasted_its_slot() -> None:
    slot, finished = NOON - MINUTE, NOON + MINUTE
    assert next_slot(NOON, slot, finished, 120) == NOON + 3 * MINUTE


def test_a_later_slot_outweighs_an_earlier_end() -> None:
    assert next_slot(NOON, NOON + 4 * MINUTE, NOON - MINUTE, 60) == NOON + 5 * MINUTE


def test_only_an_end_is_enough() -> None:
    assert next_slot(NOON, None, NOON - 10 * SECOND, 60) == NOON + 50 * SECOND


def test_idle_time_is_not_saved_up() -> None:
    assert next_slot(NOON, NOON - DAY, NOON - DAY, 120) == NOON


def test_a_gap_of_zero_starts_at_the_end_of_the_last_transaction() -> None:
    assert next_slot(NOON, NOON - MINUTE, NOON, 0) == NOON


@given(instants, maybe_instants, maybe_instants, gap_lengths)
def test_a_slot_is_never_in_the_past_and_never_closer_than_the_gap(
    now: datetime,
    last_slot_at: datetime | None,
    last_finished_at: datetime | None,
    gap: int,
) -> None:
    slot = next_slot(now, last_slot_at, last_finished_at, gap)
    assert slot >= now
    for earlier in (last_slot_at, last_finished_at):
        assert earlier is None or slot - earlier >= timedelta(seconds=gap)


@given(instants, maybe_instants, maybe_instants, gap_lengths)
def test_a_slot_is_not_later_than_it_has_to_be(
    now: datetime,
    last_slot_at: datetime | None,
    last_finished_at: datetime | None,
    gap: int,
) -> None:
    bounds = [now]
    bounds += [i + timedelta(seconds=gap) for i in (last_slot_at, last_finished_at) if i is not None]
    assert next_slot(now, last_slot_at, last_finished_at, gap) in bounds


@given(instants, st.lists(gap_lengths, min_size=1, max_size=50))
def test_slots_handed_out_one_after_another_keep_every_gap(now: datetime, gaps: list[int]) -> None:
    slots = [next_slot(now, None, None, 0)]
    for gap in gaps:
        slots.append(next_slot(now, slots[-1], None, gap))
    distances = [later - earlier for earlier, later in pairwise(slots)]
    assert distances == [timedelta(seconds=gap) for gap in gaps]


@given(instants, st.lists(st.tuples(gap_lengths, st.integers(0, 1_200)), min_size=1, max_size=30))
def test_transactions_that_last_never_start_within_the_gap_of_the_one_before(
    now: datetime,
    transactions: list[tuple[int, int]],
) -> None:
    started = finished = now
    for gap, seconds in transactions:
        slot = next_slot(finished, started, finished, gap)
        assert slot - finished == timedelta(seconds=gap)
        started, finished = slot, slot + timedelta(seconds=seconds)


@given(instants, maybe_instants, maybe_instants, gap_lengths, st.integers(0, 3_600))
def test_a_later_look_never_gives_an_earlier_slot(
    now: datetime,
    last_slot_at: datetime | None,
    last_finished_at: datetime | None,
    gap: int,
    seconds: int,
) -> None:
    later = now + timedelta(seconds=seconds)
    first = next_slot(now, last_slot_at, last_finished_at, gap)
    assert first <= next_slot(later, last_slot_at, last_finished_at, gap)


# Horizon


@pytest.mark.parametrize(
    ("last_slot_at", "room"),
    [
        (None, True),
        (NOON - DAY, True),
        (NOON, True),
        (NOON + 5 * MINUTE, True),
        (NOON + 5 * MINUTE + SECOND, False),
        (NOON + DAY, False),
    ],
)
def test_there_is_room_while_the_last_slot_lies_within_the_horizon(last_slot_at: datetime | None, room: bool) -> None:
    assert room_ahead(last_slot_at, NOON, 5 * MINUTE) is room


@given(instants, gap_ranges.filter(lambda pair: pair[0] > 0), durations(timedelta(0), HOUR))
def test_planning_stops_by_itself_at_one_gap_past_the_horizon(
    now: datetime,
    gap_range: tuple[int, int],
    ahead: timedelta,
) -> None:
    last = None
    for seed in range(200):
        if not room_ahead(last, now, ahead):
            break
        last = next_slot(now, last, None, draw_gap(*gap_range, seed))
    assert last is not None
    assert last <= now + ahead + timedelta(seconds=gap_range[1])


# Delay


def test_a_step_is_due_its_delay_after_the_previous_one_was_sent() -> None:
    assert step_due_at(NOON, 3 * 24 * 60) == NOON + 3 * DAY


def test_a_delay_of_zero_is_due_at_once() -> None:
    assert step_due_at(NOON, 0) == NOON


def test_after_an_unknown_the_grace_period_outlasts_a_short_delay() -> None:
    assert unknown_step_due_at(NOON, 60, GRACE) == NOON + GRACE


def test_after_an_unknown_a_long_delay_outlasts_the_grace_period() -> None:
    assert unknown_step_due_at(NOON, 7 * 24 * 60, GRACE) == NOON + 7 * DAY


def test_a_negative_delay_is_refused() -> None:
    with pytest.raises(ValueError, match="delay_minutes must not be negative"):
        step_due_at(NOON, -1)
    with pytest.raises(ValueError, match="delay_minutes must not be negative"):
        unknown_step_due_at(NOON, -1, GRACE)


@given(instants, delays, durations(timedelta(0), 30 * DAY))
def test_an_unknown_never_makes_the_next_step_earlier(wire_at: datetime, delay: int, grace: timedelta) -> None:
    due_at = unknown_step_due_at(wire_at, delay, grace)
    assert due_at >= step_due_at(wire_at, delay)
    assert due_at - wire_at >= grace
    assert due_at in (step_due_at(wire_at, delay), wire_at + grace)


@given(instants, delays, delays)
def test_a_longer_delay_is_never_due_earlier(sent_at: datetime, one: int, other: int) -> None:
    assert step_due_at(sent_at, min(one, other)) <= step_due_at(sent_at, max(one, other))


# Day


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (datetime(2026, 3, 10, 0, 0, tzinfo=UTC), date(2026, 3, 10)),
        (datetime(2026, 3, 10, 23, 59, 59, 999_999, tzinfo=UTC), date(2026, 3, 10)),
        (datetime(2026, 3, 11, 0, 0, tzinfo=UTC), date(2026, 3, 11)),
        (datetime(2026, 3, 10, 23, 0, tzinfo=timezone(-2 * HOUR)), date(2026, 3, 11)),
        (datetime(2026, 3, 10, 1, 0, tzinfo=timezone(2 * HOUR)), date(2026, 3, 9)),
        (datetime(2024, 2, 29, 12, 0, tzinfo=UTC), date(2024, 2, 29)),
        (datetime(2026, 12, 31, 23, 30, tzinfo=timezone(-HOUR)), date(2027, 1, 1)),
    ],
)
def test_the_day_is_the_utc_day_whatever_the_zone_of_the_instant(instant: datetime, day: date) -> None:
    assert day_of(instant) == day


def test_an_hour_that_the_clocks_repeat_belongs_to_one_utc_day() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 30, fold=0, tzinfo=berlin)
    second = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=berlin)
    assert day_of(first) == day_of(second) == date(2026, 10, 25)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="belongs to no UTC day"):
        day_of(NOON.replace(tzinfo=None))


@given(instants, st.integers(-14 * 60, 14 * 60))
def test_the_zone_in_which_an_instant_is_written_changes_no_day(instant: datetime, offset_minutes: int) -> None:
    elsewhere = instant.astimezone(timezone(offset_minutes * MINUTE))
    assert day_of(elsewhere) == day_of(instant)


@given(instants)
def test_a_day_has_twenty_four_hours(instant: datetime) -> None:
    assert day_of(instant + DAY) == day_of(instant) + DAY


# -- Seeds


@given(st.binary(max_size=200), st.uuids(), st.integers(1, 1_000), st.none() | seeds)
def test_a_seed_is_drawn_once_and_fits_its_column(
    key: bytes, enrollment_id: UUID, position: int, previous: int | None
) -> None:
    seed = draw_seed(key, enrollment_id, position, previous)
    assert 0 <= seed < 2**63
    assert seed == draw_seed(key, enrollment_id, position, previous)


def test_the_seed_differs_by_key_contact_step_and_lost_slot() -> None:
    ann, bob = UUID(int=1), UUID(int=2)
    drawn = [
        draw_seed(b"key", ann, 1),
        draw_seed(b"other key", ann, 1),
        draw_seed(b"key", bob, 1),
        draw_seed(b"key", ann, 2),
        draw_seed(b"key", ann, 1, draw_seed(b"key", ann, 1)),
        draw_seed(b"key", ann, 1, 0),
    ]
    assert len(set(drawn)) == len(drawn)
