"""The arithmetic of daily limits (design: Daily limit; promise B1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.caps import release_count, remaining

counts = st.integers(0, 10**6)


@pytest.mark.parametrize(("limit", "used", "left"), [(50, 0, 50), (50, 49, 1), (50, 50, 0), (50, 51, 0), (0, 0, 0)])
def test_what_is_left_of_a_limit(limit: int, used: int, left: int) -> None:
    assert remaining(limit, used) == left


@pytest.mark.parametrize(
    ("new_limit", "used", "released"),
    [(50, 50, 0), (50, 20, 0), (20, 50, 30), (0, 50, 50), (49, 50, 1), (0, 0, 0)],
)
def test_lowering_a_limit_releases_what_exceeds_it(new_limit: int, used: int, released: int) -> None:
    assert release_count(new_limit, used) == released


@given(counts, counts)
def test_there_is_never_room_and_something_to_release(limit: int, used: int) -> None:
    assert remaining(limit, used) == 0 or release_count(limit, used) == 0


@given(counts, counts)
def test_what_is_left_and_what_is_released_make_up_the_difference(limit: int, used: int) -> None:
    assert remaining(limit, used) - release_count(limit, used) == limit - used


@given(counts, counts)
def test_after_the_release_the_day_is_within_the_new_limit(new_limit: int, used: int) -> None:
    assert used - release_count(new_limit, used) <= new_limit


@given(counts, counts)
def test_no_more_is_released_than_was_used(new_limit: int, used: int) -> None:
    assert 0 <= release_count(new_limit, used) <= used


@given(counts, counts)
def test_using_what_is_left_fills_the_day_exactly(limit: int, used: int) -> None:
    assert used + remaining(limit, used) == max(limit, used)


@given(counts, counts, counts)
def test_lowering_in_two_steps_releases_as_many_as_in_one(used: int, middle: int, end: int) -> None:
    low, high = min(middle, end), max(middle, end)
    after_first = used - release_count(high, used)
    assert release_count(high, used) + release_count(low, after_first) == release_count(low, used)
