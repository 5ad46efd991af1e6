"""The one place that reads the clock, so that everything else can be given a time."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present instant, timezone-aware, in UTC."""
    return datetime.now(UTC)  # noqa: TID251  # the one place
