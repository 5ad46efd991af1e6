"""What hypothesis draws for the properties of the rules."""

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import strategies as st

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
"""An ordinary instant for examples."""

instants = st.integers(0, 20 * 366 * 86_400 * 10**6).map(
    lambda microseconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds),
)
"""Aware instants in UTC, from 2020 to 2040."""

seeds = st.integers(min_value=-(2**63), max_value=2**63 - 1)
"""Whatever fits a signed 64-bit column."""


def durations(shortest: timedelta, longest: timedelta) -> st.SearchStrategy[timedelta]:
    """Whole seconds from `shortest` to `longest`, both included."""
    whole_seconds = st.integers(int(shortest.total_seconds()), int(longest.total_seconds()))
    return whole_seconds.map(lambda seconds: timedelta(seconds=seconds))


class Dice(Random):
    """Always throws the same: for examples that name an exact outcome."""

    def __init__(self, throw: float) -> None:
        super().__init__(0)
        self._throw = throw

    def random(self) -> float:
        """The throw given at the start, in [0, 1)."""
        return self._throw
