"""What is done with a domain, given what is known of its MX."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampout.lib.mx import MxStatus
from dispatch.rules.mx import (
    LONGEST_SILENCE,
    MxDecision,
    MxDecisionReason,
    MxKnown,
    MxOutcome,
    decide_mx,
    kept_for,
    silences_after,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

ages = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3))
silences = st.integers(min_value=0, max_value=32_767)
known_domains = st.builds(MxKnown, st.sampled_from(MxStatus), ages.map(lambda age: NOON - age), silences)


def known(status: MxStatus, age: timedelta, in_a_row: int = 0) -> MxKnown:
    return MxKnown(status, NOON - age, in_a_row)


def test_a_domain_never_asked_is_looked_up() -> None:
    assert decide_mx(None, NOON) == MxDecision(MxOutcome.LOOK_UP, MxDecisionReason.NEVER_ASKED)


@pytest.mark.parametrize("age", [timedelta(0), timedelta(hours=24) - MINUTE])
def test_a_present_domain_is_sent_to_for_a_day(age: timedelta) -> None:
    decision = decide_mx(known(MxStatus.PRESENT, age), NOON)
    assert decision == MxDecision(MxOutcome.SEND, MxDecisionReason.PRESENT)


@pytest.mark.parametrize("age", [timedelta(0), timedelta(hours=6) - MINUTE])
def test_an_absent_domain_is_cancelled_for_six_hours(age: timedelta) -> None:
    decision = decide_mx(known(MxStatus.ABSENT, age), NOON)
    assert decision == MxDecision(MxOutcome.CANCEL, MxDecisionReason.ABSENT)


@pytest.mark.parametrize(
    ("in_a_row", "minutes"),
    [(0, 10), (1, 10), (2, 20), (3, 40), (4, 80), (5, 160), (6, 240), (7, 240), (32_767, 240)],
)
def test_each_silence_waits_twice_as_long_as_the_last(in_a_row: int, minutes: int) -> None:
    decision = decide_mx(known(MxStatus.SILENT, MINUTE, in_a_row), NOON)
    retry_at = NOON + (minutes - 1) * MINUTE
    assert decision == MxDecision(MxOutcome.POSTPONE, MxDecisionReason.SILENT, retry_at)


@pytest.mark.parametrize(
    ("status", "age"),
    [
        (MxStatus.PRESENT, timedelta(hours=24)),
        (MxStatus.ABSENT, timedelta(hours=6)),
        (MxStatus.SILENT, timedelta(minutes=10)),
    ],
)
def test_an_answer_that_is_too_old_is_asked_again(status: MxStatus, age: timedelta) -> None:
    decision = decide_mx(known(status, age, in_a_row=1), NOON)
    assert decision == MxDecision(MxOutcome.LOOK_UP, MxDecisionReason.TOO_OLD)


@pytest.mark.parametrize("status", MxStatus)
def test_an_answer_from_the_future_is_asked_again(status: MxStatus) -> None:
    decision = decide_mx(known(status, -MINUTE), NOON)
    assert decision == MxDecision(MxOutcome.LOOK_UP, MxDecisionReason.TOO_OLD)


@given(known_domains)
def test_only_an_absent_domain_is_ever_cancelled(domain: MxKnown) -> None:
    if decide_mx(domain, NOON).outcome is MxOutcome.CANCEL:
        assert domain.status is MxStatus.ABSENT


@given(known_domains)
def test_a_postponed_domain_is_asked_within_the_longest_silence(domain: MxKnown) -> None:
    decision = decide_mx(domain, NOON)
    assert (decision.retry_at is not None) == (decision.outcome is MxOutcome.POSTPONE)
    if decision.retry_at is not None:
        assert NOON < decision.retry_at <= NOON + LONGEST_SILENCE
        assert decide_mx(domain, decision.retry_at).outcome is MxOutcome.LOOK_UP


@given(silences)
def test_waiting_never_gets_shorter_with_more_silences(in_a_row: int) -> None:
    assert kept_for(MxStatus.SILENT, in_a_row) <= kept_for(MxStatus.SILENT, in_a_row + 1) <= LONGEST_SILENCE


@given(silences)
def test_silences_are_counted_until_an_answer_comes(before: int) -> None:
    assert silences_after(MxStatus.SILENT, before) == before + 1
    assert silences_after(MxStatus.PRESENT, before) == silences_after(MxStatus.ABSENT, before) == 0
