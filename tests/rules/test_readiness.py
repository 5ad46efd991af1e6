"""Whether an installation does its work, figure by figure."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.readiness import Figures, Limits, judge_readiness

FINE = Figures(beat_age=1.0, plan_age=1.0)
LIMITS = Limits(period_seconds=2, due_seconds=600, undecided=100)


def failing(figures: Figures | None, queue: int | None = 0) -> list[str]:
    return [name for name, check in judge_readiness(figures, queue, LIMITS).items() if not check.ok]


def test_all_is_well() -> None:
    assert failing(FINE) == []


@pytest.mark.parametrize(
    ("figures", "name"),
    [
        ({"beat_age": None}, "beat"),
        ({"beat_age": 6.1}, "beat"),
        ({"plan_age": None}, "planner"),
        ({"plan_age": 60.1}, "planner"),
        ({"queue_age": 600.1}, "queue"),
        ({"undecided": 101}, "unknown"),
        ({"stuck": 1}, "claims"),
        ({"sending_off": True}, "sending"),
        ({"beat_age": -11.0}, "beat"),
        ({"plan_age": -11.0}, "planner"),
        ({"wrong_clock_age": 0.0}, "clocks"),
        ({"wrong_clock_age": 60.0}, "clocks"),
    ],
)
def test_each_figure_past_its_limit_is_one_failed_check(figures: dict[str, Any], name: str) -> None:
    assert failing(replace(FINE, **figures)) == [name]


@pytest.mark.parametrize(
    "figures",
    [
        {"beat_age": 6.0},
        {"plan_age": 60.0},
        {"queue_age": 600.0},
        {"undecided": 100},
        {"due": 10**6},
        {"beat_age": -9.0},
    ],
)
def test_a_figure_at_its_limit_is_fine(figures: dict[str, Any]) -> None:
    assert failing(replace(FINE, **figures)) == []


def test_a_wrong_clock_is_forgotten_a_minute_after_it_was_last_found() -> None:
    assert failing(replace(FINE, wrong_clock_age=60.1)) == []


def test_a_tick_in_the_future_is_told_in_words() -> None:
    check = judge_readiness(replace(FINE, beat_age=-21_600.0), 0, LIMITS)["beat"]
    assert check.message == ("The last tick of beat lies 21600 s in the future: the clock was set back since.")


def test_three_missed_periods_of_beat_are_told_in_words() -> None:
    check = judge_readiness(replace(FINE, beat_age=7.2), 0, LIMITS)["beat"]
    assert (check.value, check.limit) == (7.2, 6)
    assert check.message == ("The last tick of beat arrived 7 s ago: beat, the broker or every worker stands still.")


def test_a_broker_that_is_away_fails_alone() -> None:
    assert failing(FINE, None) == ["broker"]


def test_without_a_database_nothing_is_known_but_the_broker() -> None:
    assert failing(None) == ["database", "beat", "planner", "clocks", "sending", "queue", "unknown", "claims"]


@given(st.builds(Figures, beat_age=st.none() | st.floats(0, 1e9), queue_age=st.floats(0, 1e9), stuck=st.integers(0)))
def test_every_check_says_something(figures: Figures) -> None:
    checks = judge_readiness(figures, 0, LIMITS)
    assert len(checks) == 9
    assert all(check.message.endswith(".") for check in checks.values())
