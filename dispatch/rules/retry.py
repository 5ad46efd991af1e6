"""When a temporary failure is tried again, and when we give up (RFC 5321, section 4.5.4.1).

The RFC asks for a first retry no sooner than 30 minutes and a give-up time of at least 4 days. Jitter only adds, so
that it spreads a burst without ever breaking the lower bound.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random


class RetryReason(StrEnum):
    """Why a retry was planned, or not."""

    BACK_OFF = "back_off"
    """Another attempt fits before the give-up time."""
    GAVE_UP = "gave_up"
    """The next attempt would come after the give-up time."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait between the attempts for one message.

    The waits without jitter are first, first x factor, first x factor² … up to `ceiling`; each grows by a random share
    of at most `jitter` (0.2 = up to 20 % longer), the ceiling too. No attempt is planned later than `give_up_after`,
    counted from the first one. Raises ValueError that names the field.
    """

    first: timedelta = timedelta(minutes=30)
    factor: float = 2.0
    ceiling: timedelta = timedelta(hours=12)
    give_up_after: timedelta = timedelta(days=4)
    jitter: float = 0.2

    def __post_init__(self) -> None:
        if self.first <= timedelta(0):
            raise ValueError(f"first must be positive, got {self.first}.")
        if not (math.isfinite(self.factor) and self.factor >= 1.0):
            raise ValueError(f"factor must be at least 1, got {self.factor}.")
        if self.ceiling < self.first:
            raise ValueError(f"ceiling must not be shorter than first ({self.first}), got {self.ceiling}.")
        if self.give_up_after < timedelta(0):
            raise ValueError(f"give_up_after must not be negative, got {self.give_up_after}.")
        if not 0.0 <= self.jitter <= 1.0:
            raise ValueError(f"jitter must lie between 0 and 1, got {self.jitter}.")


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """When to try again; `due_at` is None exactly when the reason is `gave_up`."""

    due_at: datetime | None
    reason: RetryReason


def nominal_wait(attempts: int, policy: RetryPolicy) -> timedelta:
    """The wait after `attempts` (from 1) tries, before jitter. Raises ValueError when `attempts` is below 1."""
    if attempts < 1:
        raise ValueError(f"attempts counts from 1, got {attempts}.")
    # Compared as logarithms: factor ** 1000 overflows long before anybody stops counting.
    if (attempts - 1) * math.log(policy.factor) >= math.log(policy.ceiling / policy.first):
        return policy.ceiling
    return min(policy.first * policy.factor ** (attempts - 1), policy.ceiling)


def decide_retry(
    attempts: int,
    first_attempt_at: datetime,
    now: datetime,
    policy: RetryPolicy,
    rng: Random,
) -> RetryDecision:
    """When a message that failed for now is due again.

    `attempts` counts the tries made so far, the one that just failed included; `now` is the end of that try. The last
    planned attempt never lies past `first_attempt_at + policy.give_up_after`. Raises ValueError when `attempts` is
    below 1.
    """
    wait = nominal_wait(attempts, policy)
    due_at = now + wait + wait * (policy.jitter * rng.random())
    if due_at > first_attempt_at + policy.give_up_after:
        return RetryDecision(None, RetryReason.GAVE_UP)
    return RetryDecision(due_at, RetryReason.BACK_OFF)
