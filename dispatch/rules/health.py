"""When a sender's returns say that it must stop (design: Bounce rate; contract: rule 6).

Two rules. The fixed one compares a share with a limit from a least number of sends on. The evidence rule asks how
probable it is that the true rate is above the limit, given what was seen: it acts when that is all but certain, however
few or many the sends are, and warns before. docs/explanation/health.md compares them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from credentials.rules.credential_state import DisabledReason

PAUSE_PROBABILITY = 0.95
"""The evidence rule pauses above this probability that the true rate is too high."""
WARN_PROBABILITY = 0.75
"""And warns above this one."""

PRIOR_SENDS = 20
"""How many sends the evidence rule's opinion before the first one weighs: as many as the fixed rule waits for."""
PRIOR_SHARE = 0.5
"""That opinion: half the limit. A list that somebody chose to write to is more likely good than bad."""

FEWEST_COMPLAINTS = 2
"""One complaint proves no rate: among twenty sends it is 5 %, and any list has one."""


class HealthVerdict(StrEnum):
    """What the evidence says so far."""

    HEALTHY = "healthy"
    WARNING = "warning"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class Limit:
    """The threshold of one campaign in percent, and from how many sends on it holds."""

    campaign_id: UUID
    percent: Decimal
    fewest_sends: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """Why a sender has to stop; `rate` and `limit` in percent, where the reason is a rate."""

    reason: DisabledReason
    rate: float | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """How probable it is that the true rate is above the limit, and what follows."""

    verdict: HealthVerdict
    probability: float
    sends: int
    bounces: int


def is_above(part: int, whole: int, limit_percent: Decimal) -> bool:
    """Whether `part` of `whole` is more than the limit, without rounding."""
    return 100 * part > limit_percent * whole


def judge_bounces(sends: int, bounces: int, limits: Iterable[Limit]) -> Judgement | None:
    """The fixed rule: the strictest limit that is overstepped, or None."""
    overstepped = [limit for limit in limits if sends >= limit.fewest_sends and is_above(bounces, sends, limit.percent)]
    if not overstepped:
        return None
    strictest = min(overstepped, key=lambda limit: limit.percent)
    return Judgement(DisabledReason.BOUNCE_RATE, _percent(bounces, sends), float(strictest.percent))


def judge_complaints(sends: int, complaints: int, limit_percent: Decimal, fewest_sends: int) -> Judgement | None:
    """The fixed rule for complaints: at least two, and their share above the limit."""
    if complaints < FEWEST_COMPLAINTS or sends < max(fewest_sends, 1) or not is_above(complaints, sends, limit_percent):
        return None
    return Judgement(DisabledReason.COMPLAINT_RATE, _percent(complaints, sends), float(limit_percent))


def judge_logins(refused_in_a_row: int, most: int) -> Judgement | None:
    """A login that was refused this often in a row will not mend itself."""
    return Judgement(DisabledReason.LOGIN_REFUSED) if refused_in_a_row >= most else None


def weigh(sends: int, bounces: int, limit_percent: Decimal) -> Evidence:
    """The evidence rule: a beta prior around half the limit, worth PRIOR_SENDS sends, updated by what was seen.

    Raises ValueError when there are more bounces than sends, or the limit lies not between 0 and 100.
    """
    if not 0 <= bounces <= sends:
        raise ValueError(f"{bounces} of {sends} cannot have bounced.")
    limit = float(limit_percent) / 100
    if not 0 < limit < 1:
        raise ValueError(f"A limit lies between 0 and 100 percent, not at {limit_percent}.")
    expected = limit * PRIOR_SHARE * PRIOR_SENDS
    probability = 1 - beta_cdf(limit, expected + bounces, PRIOR_SENDS - expected + sends - bounces)
    return Evidence(_verdict(probability), probability, sends, bounces)


def _verdict(probability: float) -> HealthVerdict:
    if probability > PAUSE_PROBABILITY:
        return HealthVerdict.UNHEALTHY
    return HealthVerdict.WARNING if probability > WARN_PROBABILITY else HealthVerdict.HEALTHY


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2)


# -- The regularised incomplete beta function (NIST DLMF 8.17)

_TINY = 1e-300
_PRECISION = 1e-12
_MOST_TERMS = 10_000


def beta_cdf(x: float, a: float, b: float) -> float:
    """P(X ≤ x) for X of the beta distribution with parameters a, b > 0, to about ten digits; 0 ≤ x ≤ 1."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    # The fraction converges fast on this side of the mean only (DLMF 8.17.22); the other side is its mirror (8.17.4).
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_cdf(1 - x, b, a)
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return min(1.0, math.exp(logarithm) / a * _continued_fraction(x, a, b))


def _continued_fraction(x: float, a: float, b: float) -> float:
    """DLMF 8.17.22, evaluated by Lentz's method: numerator and denominator grow term by term."""
    numerator, denominator = 1.0, _safe(1 - (a + b) * x / (a + 1))
    denominator = 1 / denominator
    value = denominator
    for term in range(1, _MOST_TERMS):
        for coefficient in _coefficients(term, x, a, b):
            denominator = 1 / _safe(1 + coefficient * denominator)
            numerator = _safe(1 + coefficient / numerator)
            value *= numerator * denominator
        if abs(numerator * denominator - 1) < _PRECISION:
            break
    return value


def _coefficients(m: int, x: float, a: float, b: float) -> tuple[float, float]:
    """The even and the odd coefficient of one term."""
    even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
    odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    return even, odd


def _safe(value: float) -> float:
    """Never zero, as it is divided by."""
    return value if abs(value) > _TINY else _TINY
