"""Calendar months in UTC, by which usage is counted: each is named by its first day."""

from datetime import UTC, date, datetime


def month_of(moment: datetime) -> date:
    """The month that a moment lies in."""
    return moment.astimezone(UTC).date().replace(day=1)


def months_after(month: date, count: int) -> date:
    """The month so many after this one; before it, where `count` is negative."""
    years, index = divmod(month.year * 12 + month.month - 1 + count, 12)
    return date(years, index + 1, 1)


def start_of(month: date) -> datetime:
    """The first moment of a month."""
    return datetime(month.year, month.month, 1, tzinfo=UTC)
