"""The one place that reads the clock, so that everything else can be given a time."""

import time
from datetime import UTC, datetime, timedelta


def utc_now() -> datetime:
    """The present instant, timezone-aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251  # the one place


def machine_now() -> datetime:
    """The same, to be compared with another machine's clock and for nothing else: nobody hands it in."""
    return datetime.now(UTC)  # noqa: TID251  # the one place


class SteadyClock:
    """The time as it was read once, and what has passed since: a step of the machine's clock is not in it.

    What has passed is measured by the monotonic clock, which nobody sets, and which stands still while the machine
    sleeps.
    """

    def __init__(self) -> None:
        self._read_at, self._passed_then = utc_now(), time.monotonic()

    def now(self) -> datetime:
        """The present instant by this clock."""
        return self._read_at + timedelta(seconds=time.monotonic() - self._passed_then)

    def step(self) -> timedelta:
        """How far the machine's clock was set ahead (back: negative) since it was read, or the machine slept."""
        return utc_now() - self.now()

    def read_again(self) -> timedelta:
        """Follow the machine's clock; returns the step that this was."""
        before = self.now()
        self._read_at, self._passed_then = utc_now(), time.monotonic()
        return self._read_at - before
