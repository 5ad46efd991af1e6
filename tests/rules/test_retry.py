"""Retries: never earlier than promised, never past the give-up time (promise A11; RFC 5321, section 4.5.4.1)."""

from datetime import datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.retry import RetryDecision, RetryPolicy, RetryReason, decide_retry, nominal_wait
from tests.strategies import NOON, Dice, durations, instants, seeds

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
DEFAULT = RetryPolicy()
STEADY = RetryPolicy(jitter=0.0)


@st.composite
def policies(draw: st.DrawFn) -> RetryPolicy:
    """Any policy that an operator could set, scaled down for a sandbox or not."""
    first = draw(durations(timedelta(seconds=1), DAY))
    return RetryPolicy(
        first=first,
        factor=draw(st.floats(1.0, 10.0)),
        ceiling=first + draw(durations(timedelta(0), DAY)),
        give_up_after=draw(durations(timedelta(0), 10 * DAY)),
        jitter=draw(st.floats(0.0, 1.0)),
    )


def schedule(policy: RetryPolicy, rng: Random, start: datetime = NOON) -> list[datetime]:
    """The instants of every attempt for a message whose server never says anything but 4yz."""
    attempts = [start]
    while (due_at := decide_retry(len(attempts), start, attempts[-1], policy, rng).due_at) is not None:
        attempts.append(due_at)
    return attempts


def waits(attempts: list[datetime]) -> list[timedelta]:
    return [later - earlier for earlier, later in pairwise(attempts)]


# Examples


@pytest.mark.parametrize(
    ("attempts", "wait"),
    [(1, 30 * MINUTE), (2, HOUR), (3, 2 * HOUR), (4, 4 * HOUR), (5, 8 * HOUR), (6, 12 * HOUR), (7, 12 * HOUR)],
)
def test_the_default_waits_double_from_half_an_hour_to_half_a_day(attempts: int, wait: timedelta) -> None:
    assert nominal_wait(attempts, DEFAULT) == wait


def test_the_default_policy_keeps_what_the_rfc_asks_for() -> None:
    assert DEFAULT.first >= 30 * MINUTE
    assert timedelta(days=4) <= DEFAULT.give_up_after <= timedelta(days=5)


def test_without_jitter_the_first_retry_comes_exactly_after_the_first_wait() -> None:
    decision = decide_retry(1, NOON, NOON, STEADY, Dice(0.999))
    assert decision == RetryDecision(NOON + 30 * MINUTE, RetryReason.BACK_OFF)


@pytest.mark.parametrize(("throw", "minutes"), [(0.0, 30), (0.5, 33), (0.75, 34.5)])
def test_jitter_makes_a_wait_longer_by_its_share_of_a_fifth(throw: float, minutes: float) -> None:
    decision = decide_retry(1, NOON, NOON, DEFAULT, Dice(throw))
    assert decision == RetryDecision(NOON + timedelta(minutes=minutes), RetryReason.BACK_OFF)


def test_the_wait_runs_from_the_end_of_the_failed_try_not_from_its_plan() -> None:
    late = NOON + 7 * HOUR
    assert decide_retry(2, NOON, late, STEADY, Random(1)).due_at == late + HOUR


def test_a_retry_that_falls_exactly_on_the_give_up_time_is_still_made() -> None:
    policy = RetryPolicy(give_up_after=30 * MINUTE, jitter=0.0)
    assert decide_retry(1, NOON, NOON, policy, Random(1)).due_at == NOON + 30 * MINUTE


def test_a_retry_one_microsecond_past_the_give_up_time_is_not_made() -> None:
    policy = RetryPolicy(give_up_after=30 * MINUTE, jitter=0.0)
    late = NOON + timedelta(microseconds=1)
    assert decide_retry(1, NOON, late, policy, Random(1)) == RetryDecision(None, RetryReason.GAVE_UP)


def test_a_give_up_time_of_zero_means_one_try_only() -> None:
    policy = RetryPolicy(give_up_after=timedelta(0))
    assert schedule(policy, Random(1)) == [NOON]


def test_a_clock_that_was_set_back_still_keeps_the_wait() -> None:
    earlier = NOON - 6 * HOUR
    assert decide_retry(1, NOON, earlier, STEADY, Random(1)).due_at == earlier + 30 * MINUTE


def test_a_clock_that_jumped_past_the_give_up_time_gives_up() -> None:
    assert decide_retry(1, NOON, NOON + 5 * DAY, DEFAULT, Random(1)).reason is RetryReason.GAVE_UP


def test_the_same_dice_give_the_same_schedule() -> None:
    assert schedule(DEFAULT, Random(7)) == schedule(DEFAULT, Random(7))


def test_different_dice_spread_a_burst() -> None:
    firsts = {decide_retry(1, NOON, NOON, DEFAULT, Random(seed)).due_at for seed in range(100)}
    assert len(firsts) == 100


def test_a_factor_of_one_keeps_the_wait_constant() -> None:
    policy = RetryPolicy(first=HOUR, factor=1.0, ceiling=2 * HOUR, jitter=0.0)
    assert {nominal_wait(attempts, policy) for attempts in range(1, 200)} == {HOUR}


def test_a_ceiling_equal_to_the_first_wait_is_reached_at_once() -> None:
    policy = RetryPolicy(first=HOUR, ceiling=HOUR)
    assert nominal_wait(1, policy) == HOUR


def test_a_huge_number_of_attempts_does_not_overflow() -> None:
    assert nominal_wait(10**9, DEFAULT) == DEFAULT.ceiling


# The sandbox scales the times down; the shape stays.


def test_a_policy_scaled_down_to_seconds_keeps_its_shape() -> None:
    policy = RetryPolicy(
        first=timedelta(seconds=2),
        ceiling=timedelta(seconds=20),
        give_up_after=timedelta(seconds=60),
        jitter=0.0,
    )
    assert [wait.total_seconds() for wait in waits(schedule(policy, Random(1)))] == [2, 4, 8, 16, 20]


# Refused policies


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("first", timedelta(0)),
        ("first", timedelta(seconds=-1)),
        ("factor", 0.99),
        ("factor", 0.0),
        ("factor", float("nan")),
        ("factor", float("inf")),
        ("ceiling", timedelta(minutes=29)),
        ("ceiling", timedelta(0)),
        ("give_up_after", timedelta(microseconds=-1)),
        ("jitter", -0.01),
        ("jitter", 1.01),
        ("jitter", float("nan")),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_by_the_name_of_its_field(
    field: str,
    value: timedelta | float,
) -> None:
    with pytest.raises(ValueError, match=f"^{field} must"):
        RetryPolicy(**{field: value})  # type: ignore[arg-type]  # wrong values are the point


@pytest.mark.parametrize("attempts", [0, -1])
def test_a_retry_needs_an_attempt_that_failed(attempts: int) -> None:
    with pytest.raises(ValueError, match="attempts counts from 1"):
        decide_retry(attempts, NOON, NOON, DEFAULT, Random(1))


# Properties


def test_a_thousand_default_schedules_stay_within_their_bounds() -> None:
    for seed in range(1_000):
        attempts = schedule(DEFAULT, Random(seed))
        gaps = waits(attempts)
        assert gaps[0] >= 30 * MINUTE
        assert max(gaps) <= 12 * HOUR * 1.2
        assert attempts[-1] <= NOON + 4 * DAY
        assert attempts[-1] > NOON + 4 * DAY - 12 * HOUR * 1.2, "it gave up before it had to"
        assert gaps[:5] == sorted(gaps[:5]), "waits below the ceiling grow"
        assert 11 <= len(attempts) <= 14


@given(policies(), st.integers(1, 400))
def test_waits_before_jitter_never_shrink_and_stay_between_first_and_ceiling(
    policy: RetryPolicy,
    attempts: int,
) -> None:
    wait, following = nominal_wait(attempts, policy), nominal_wait(attempts + 1, policy)
    assert policy.first <= wait <= following <= policy.ceiling


@given(durations(timedelta(seconds=1), HOUR), st.floats(1.0, 4.0), st.integers(1, 8))
def test_each_wait_is_the_one_before_times_the_factor(first: timedelta, factor: float, attempts: int) -> None:
    policy = RetryPolicy(first=first, factor=factor, ceiling=10_000 * DAY)
    ratio = nominal_wait(attempts + 1, policy) / nominal_wait(attempts, policy)
    assert ratio == pytest.approx(factor, rel=1e-4)


@given(policies(), st.integers(1, 400), instants, durations(timedelta(0), 12 * DAY), seeds)
def test_a_decision_is_a_time_within_the_bounds_or_a_give_up(
    policy: RetryPolicy,
    attempts: int,
    first_attempt_at: datetime,
    elapsed: timedelta,
    seed: int,
) -> None:
    now = first_attempt_at + elapsed
    decision = decide_retry(attempts, first_attempt_at, now, policy, Random(seed))
    wait = nominal_wait(attempts, policy)
    deadline = first_attempt_at + policy.give_up_after
    if decision.due_at is None:
        assert decision.reason is RetryReason.GAVE_UP
        assert now + wait * (1 + policy.jitter) >= deadline - timedelta(microseconds=1)
    else:
        assert decision.reason is RetryReason.BACK_OFF
        assert now + wait <= decision.due_at <= deadline
        assert decision.due_at <= now + wait * (1 + policy.jitter) + timedelta(microseconds=1)


@given(policies(), instants, seeds)
def test_the_first_retry_is_never_earlier_than_the_policy_says(
    policy: RetryPolicy,
    first_attempt_at: datetime,
    seed: int,
) -> None:
    decision = decide_retry(1, first_attempt_at, first_attempt_at, policy, Random(seed))
    assert decision.due_at is None or decision.due_at >= first_attempt_at + policy.first


@given(policies(), st.integers(1, 100), durations(timedelta(0), 12 * DAY), durations(timedelta(0), DAY), seeds)
def test_who_fails_later_is_never_tried_again_earlier(
    policy: RetryPolicy,
    attempts: int,
    elapsed: timedelta,
    later_by: timedelta,
    seed: int,
) -> None:
    earlier = decide_retry(attempts, NOON, NOON + elapsed, policy, Random(seed))
    later = decide_retry(attempts, NOON, NOON + elapsed + later_by, policy, Random(seed))
    if later.due_at is None:
        return
    assert earlier.due_at is not None, "gave up, though a later failure is tried again"
    assert earlier.due_at <= later.due_at


@given(policies(), st.integers(1, 100), durations(timedelta(0), 12 * DAY))
def test_more_attempts_never_revive_a_message_that_is_given_up(
    policy: RetryPolicy,
    attempts: int,
    elapsed: timedelta,
) -> None:
    fewer = decide_retry(attempts, NOON, NOON + elapsed, policy, Dice(0.5))
    more = decide_retry(attempts + 1, NOON, NOON + elapsed, policy, Dice(0.5))
    assert fewer.due_at is not None or more.due_at is None
