"""The states of a credential, and its back-off (design: States; One mailbox, one credential)."""

from datetime import datetime, timedelta
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.rules.credential_state import (
    ALLOWED_MOVES,
    BACK_OFF_JITTER,
    FIRST_BACK_OFF,
    LONGEST_BACK_OFF,
    CredentialStatus,
    DisabledReason,
    StateDecision,
    StateReason,
    decide_back_off,
    decide_disable,
    decide_reenable,
    may_move,
    nominal_back_off,
    status_of,
)
from tests.strategies import NOON, Dice, instants, seeds

S = CredentialStatus
MINUTE = timedelta(minutes=1)
failure_counts = st.integers(1, 10_000)

EXPECTED_MOVES = {
    (S.ENABLED, S.DISABLED),
    (S.ENABLED, S.RETIRED),
    (S.DISABLED, S.ENABLED),
    (S.DISABLED, S.RETIRED),
}


# The table


@pytest.mark.parametrize(("current", "target"), list(product(CredentialStatus, CredentialStatus)))
def test_each_pair_of_statuses_is_a_move_or_not(current: S, target: S) -> None:
    assert may_move(current, target) is ((current, target) in EXPECTED_MOVES)


def test_every_status_has_a_row() -> None:
    assert set(ALLOWED_MOVES) == set(CredentialStatus)


def test_reasons_fit_their_column() -> None:
    assert all(len(reason) <= 200 for reason in DisabledReason)


# Status from timestamps


@pytest.mark.parametrize(
    ("disabled_at", "retired_at", "status"),
    [
        (None, None, S.ENABLED),
        (NOON, None, S.DISABLED),
        (None, NOON, S.RETIRED),
        (NOON, NOON, S.RETIRED),
        (NOON, NOON - MINUTE, S.RETIRED),
    ],
)
def test_the_status_that_the_timestamps_mean(
    disabled_at: datetime | None,
    retired_at: datetime | None,
    status: S,
) -> None:
    assert status_of(disabled_at, retired_at) is status


# Moves


@pytest.mark.parametrize(
    ("status", "decision"),
    [
        (S.ENABLED, StateDecision(S.DISABLED, moves=True, reason=StateReason.DISABLED)),
        (S.DISABLED, StateDecision(S.DISABLED, moves=False, reason=StateReason.ALREADY_DISABLED)),
        (S.RETIRED, StateDecision(S.RETIRED, moves=False, reason=StateReason.RETIRED)),
    ],
)
def test_disabling(status: S, decision: StateDecision) -> None:
    assert decide_disable(status) == decision


@pytest.mark.parametrize(
    ("status", "decision"),
    [
        (S.ENABLED, StateDecision(S.ENABLED, moves=False, reason=StateReason.ALREADY_ENABLED)),
        (S.DISABLED, StateDecision(S.ENABLED, moves=True, reason=StateReason.REENABLED)),
        (S.RETIRED, StateDecision(S.RETIRED, moves=False, reason=StateReason.RETIRED)),
    ],
)
def test_reenabling(status: S, decision: StateDecision) -> None:
    assert decide_reenable(status) == decision


@given(st.sampled_from(CredentialStatus), st.sampled_from([decide_disable, decide_reenable]))
def test_a_decision_moves_exactly_when_the_status_differs_and_the_table_allows_it(status: S, decide: object) -> None:
    decision = decide(status)  # type: ignore[operator]  # one of the two functions above
    assert decision.moves is (decision.status is not status)
    assert not decision.moves or may_move(status, decision.status)


@given(st.sampled_from(CredentialStatus))
def test_doing_it_twice_moves_once(status: S) -> None:
    for decide in (decide_disable, decide_reenable):
        assert not decide(decide(status).status).moves


@given(st.lists(st.booleans(), max_size=20))
def test_a_retired_credential_stays_retired(actions: list[bool]) -> None:
    status = S.RETIRED
    for disable in actions:
        status = (decide_disable(status) if disable else decide_reenable(status)).status
    assert status is S.RETIRED


# Back-off


@pytest.mark.parametrize(
    ("failures", "minutes"),
    [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60), (10_000, 60)],
)
def test_the_back_off_doubles_from_a_minute_to_an_hour(failures: int, minutes: int) -> None:
    assert nominal_back_off(failures) == minutes * MINUTE


@pytest.mark.parametrize(("throw", "seconds"), [(0.0, 60), (0.5, 66), (0.25, 63)])
def test_jitter_adds_up_to_a_fifth(throw: float, seconds: int) -> None:
    assert decide_back_off(1, NOON, Dice(throw)) == NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize("failures", [0, -1])
def test_without_a_failure_there_is_no_back_off(failures: int) -> None:
    with pytest.raises(ValueError, match="failures counts from 1"):
        decide_back_off(failures, NOON, Random(1))


def test_credentials_of_one_server_do_not_all_come_back_in_the_same_second() -> None:
    returns = {decide_back_off(7, NOON, Random(seed)).replace(microsecond=0) for seed in range(100)}
    assert len(returns) > 80


@given(failure_counts, instants, seeds)
def test_a_back_off_stays_between_a_minute_and_an_hour_and_its_jitter(
    failures: int,
    now: datetime,
    seed: int,
) -> None:
    wait = decide_back_off(failures, now, Random(seed)) - now
    assert FIRST_BACK_OFF <= nominal_back_off(failures) <= wait
    assert wait <= nominal_back_off(failures) * (1 + BACK_OFF_JITTER) <= LONGEST_BACK_OFF * (1 + BACK_OFF_JITTER)


@given(failure_counts)
def test_more_failures_never_shorten_the_back_off(failures: int) -> None:
    assert nominal_back_off(failures) <= nominal_back_off(failures + 1)


@given(failure_counts, instants, seeds)
def test_the_same_dice_give_the_same_back_off(failures: int, now: datetime, seed: int) -> None:
    first, second = (decide_back_off(failures, now, Random(seed)) for _ in range(2))
    assert first == second
