"""Months are UTC's, whatever zone a time is written in."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampout.accounts.rules.months import month_of, months_after, start_of
from tests.strategies import instants


@pytest.mark.parametrize(
    ("moment", "month"),
    [
        (datetime(2026, 11, 1, tzinfo=UTC), date(2026, 11, 1)),
        (datetime(2026, 10, 31, 23, 59, 59, 999_999, tzinfo=UTC), date(2026, 10, 1)),
        (datetime(2026, 11, 1, 0, 30, tzinfo=timezone(timedelta(hours=1))), date(2026, 10, 1)),
        (datetime(2026, 10, 31, 23, 30, tzinfo=timezone(timedelta(hours=-1))), date(2026, 11, 1)),
        (datetime(2024, 2, 29, 12, tzinfo=UTC), date(2024, 2, 1)),
    ],
)
def test_a_moment_lies_in_the_month_that_it_has_in_utc(moment: datetime, month: date) -> None:
    assert month_of(moment) == month


@pytest.mark.parametrize(
    ("count", "month"),
    [
        (0, date(2026, 11, 1)),
        (1, date(2026, 12, 1)),
        (2, date(2027, 1, 1)),
        (-10, date(2026, 1, 1)),
        (-11, date(2025, 12, 1)),
        (-12, date(2025, 11, 1)),
        (14, date(2028, 1, 1)),
    ],
)
def test_months_are_counted_over_years(count: int, month: date) -> None:
    assert months_after(date(2026, 11, 1), count) == month


@given(instants)
def test_every_moment_lies_between_the_start_of_its_month_and_that_of_the_next(moment: datetime) -> None:
    month = month_of(moment)
    assert start_of(month) <= moment < start_of(months_after(month, 1))


@given(instants, st.integers(-500, 500))
def test_as_many_months_back_as_forth_are_none(moment: datetime, count: int) -> None:
    month = month_of(moment)
    assert months_after(months_after(month, count), -count) == month
