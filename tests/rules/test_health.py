"""When returns say that a sender must stop: the fixed rule, and the evidence rule."""

import uuid
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.rules.credential_state import DisabledReason
from dispatch.rules.health import (
    FEWEST_COMPLAINTS,
    Evidence,
    HealthVerdict,
    Judgement,
    Limit,
    beta_cdf,
    judge_bounces,
    judge_complaints,
    judge_logins,
    weigh,
)

EIGHT = Decimal(8)
counts = st.integers(0, 400).flatmap(lambda sends: st.tuples(st.just(sends), st.integers(0, sends)))


def limit(percent: str = "8", fewest: int = 20) -> Limit:
    return Limit(uuid.uuid4(), Decimal(percent), fewest)


# -- The fixed rule


@pytest.mark.parametrize(
    ("sends", "bounces", "stops"),
    [(0, 0, False), (19, 19, False), (20, 1, False), (20, 2, True), (25, 2, False), (24, 2, True), (100, 8, False)],
)
def test_a_share_above_the_limit_stops_from_the_fewest_sends_on(sends: int, bounces: int, stops: bool) -> None:
    assert (judge_bounces(sends, bounces, [limit()]) is not None) is stops


def test_a_share_is_never_rounded() -> None:
    """8.004 % is shown as 8.0 and is above 8."""
    assert judge_bounces(24_987, 2_000, [limit()]) == Judgement(DisabledReason.BOUNCE_RATE, 8.0, 8.0)
    assert judge_bounces(25_000, 2_000, [limit()]) is None


def test_the_strictest_limit_that_is_overstepped_is_the_reason() -> None:
    judged = judge_bounces(50, 10, [limit("15"), limit("5"), limit("25"), limit("1", fewest=51)])
    assert judged == Judgement(DisabledReason.BOUNCE_RATE, 20.0, 5.0)


def test_without_a_limit_nothing_stops() -> None:
    assert judge_bounces(100, 100, []) is None


@given(counts, st.integers(1, 25), st.integers(1, 50))
def test_one_more_good_send_never_stops_above_the_fewest(seen: tuple[int, int], percent: int, fewest: int) -> None:
    sends, bounces = seen
    limits = [limit(str(percent), fewest)]
    if sends >= fewest and judge_bounces(sends, bounces, limits) is None:
        assert judge_bounces(sends + 1, bounces, limits) is None


def test_one_complaint_proves_nothing() -> None:
    assert judge_complaints(20, FEWEST_COMPLAINTS - 1, Decimal("0.3"), 20) is None
    assert judge_complaints(20, 2, Decimal("0.3"), 20) == Judgement(DisabledReason.COMPLAINT_RATE, 10.0, 0.3)
    assert judge_complaints(19, 2, Decimal("0.3"), 20) is None
    assert judge_complaints(667, 2, Decimal("0.3"), 20) is None
    assert judge_complaints(0, 2, Decimal("0.3"), 0) is None


def test_refusals_of_a_login_count_in_a_row() -> None:
    assert judge_logins(9, 10) is None
    assert judge_logins(10, 10) == Judgement(DisabledReason.LOGIN_REFUSED)


# -- The evidence rule


# Of tables of the distribution: closed forms for whole parameters, and its mirror.
@pytest.mark.parametrize(
    ("x", "a", "b", "expected"),
    [
        (0.0, 2, 5, 0.0),
        (1.0, 2, 5, 1.0),
        (0.3, 1, 1, 0.3),
        (0.3, 2, 5, 0.579825),
        (0.5, 0.5, 0.5, 0.5),
        (0.2, 1, 10, 1 - 0.8**10),
        (0.9, 10, 1, 0.9**10),
        (0.08, 2, 19, 1 - 0.92**20 - 20 * 0.08 * 0.92**19),
    ],
)
def test_the_beta_distribution_is_that_of_the_tables(x: float, a: float, b: float, expected: float) -> None:
    assert beta_cdf(x, a, b) == pytest.approx(expected, abs=1e-9)


@given(st.floats(0.001, 0.999), st.floats(0.1, 500), st.floats(0.1, 500))
def test_the_distribution_and_its_mirror_add_up_to_one(x: float, a: float, b: float) -> None:
    assert beta_cdf(x, a, b) + beta_cdf(1 - x, b, a) == pytest.approx(1, abs=1e-6)
    assert 0 <= beta_cdf(x, a, b) <= 1


@pytest.mark.parametrize(
    ("sends", "bounces", "verdict"),
    [
        (0, 0, HealthVerdict.HEALTHY),
        (1, 1, HealthVerdict.HEALTHY),
        (3, 3, HealthVerdict.WARNING),
        (5, 5, HealthVerdict.UNHEALTHY),
        (20, 2, HealthVerdict.HEALTHY),
        (20, 5, HealthVerdict.WARNING),
        (20, 6, HealthVerdict.UNHEALTHY),
        (100, 8, HealthVerdict.HEALTHY),
        (1_000, 80, HealthVerdict.HEALTHY),
        (1_000, 110, HealthVerdict.UNHEALTHY),
    ],
)
def test_the_verdict_follows_the_evidence(sends: int, bounces: int, verdict: HealthVerdict) -> None:
    assert weigh(sends, bounces, EIGHT).verdict is verdict


@given(counts, st.decimals(Decimal("0.5"), 25, places=1))
def test_a_bounce_never_speaks_for_a_sender_and_a_good_send_never_against_it(
    seen: tuple[int, int], percent: Decimal
) -> None:
    sends, bounces = seen
    now = weigh(sends, bounces, percent).probability
    assert weigh(sends + 1, bounces + 1, percent).probability >= now - 1e-9
    assert weigh(sends + 1, bounces, percent).probability <= now + 1e-9


@pytest.mark.parametrize(("sends", "bounces", "percent"), [(1, 2, "8"), (1, -1, "8"), (1, 1, "0"), (1, 1, "100")])
def test_what_cannot_be_is_refused(sends: int, bounces: int, percent: str) -> None:
    with pytest.raises(ValueError, match=r"cannot have bounced|lies between"):
        weigh(sends, bounces, Decimal(percent))


def test_certainty_comes_with_numbers() -> None:
    """At the limit itself the evidence stays undecided for long; well above it, it is certain soon."""
    rng = Random(1)
    verdicts = [weigh(200, sum(rng.random() < 0.2 for _ in range(200)), EIGHT) for _ in range(50)]
    assert all(isinstance(one, Evidence) and one.verdict is HealthVerdict.UNHEALTHY for one in verdicts)
