"""Reads: how much an account sends, month by month (contract: `GET /usage`).

A send is a message, of whatever stream, whose body left and was accepted or whose fate is unknown. It belongs to the
UTC month of its `wire_at`. A trigger counts them (docs/decisions/0007): no message is looked at here.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Sum

from ampout.accounts.models import MonthlyUsage
from ampout.accounts.rules.keys import ClientKind
from ampout.accounts.rules.months import month_of, months_after, start_of
from dispatch.models import UsageTally

MONTHS_OF_HISTORY = 12


@dataclass(frozen=True, slots=True)
class MonthOfUsage:
    """What was sent in one month, by the kind of the keys that let it go; every kind is there."""

    month: date
    by_client_kind: Mapping[str, int]

    @property
    def sends(self) -> int:
        """All of it."""
        return sum(self.by_client_kind.values())

    @property
    def start(self) -> datetime:
        """Its first moment."""
        return start_of(self.month)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        return start_of(months_after(self.month, 1))


@dataclass(frozen=True, slots=True)
class Usage:
    """The running month, and the twelve before it, newest first."""

    current: MonthOfUsage
    history: list[MonthOfUsage]


def usage_of(account_id: uuid.UUID, *, now: datetime) -> Usage:
    """An account's usage: closed months as they were closed, those after them as they stand.

    A month that is closed between the two queries is read as it is closed, so they need no common snapshot.
    """
    month = month_of(now)
    oldest = months_after(month, -MONTHS_OF_HISTORY)
    counted: dict[date, dict[str, int]] = {}
    closed = MonthlyUsage.objects.of(account_id).filter(month__gte=oldest)
    for closed_month, kind, sends in closed.values_list("month", "client_kind", "sends"):
        counted.setdefault(closed_month, {})[kind] = sends
    still_open = months_after(max(counted), 1) if counted else oldest
    open_months = UsageTally.objects.of(account_id).filter(month__range=(still_open, month)).order_by()
    for open_month, kind, sends in open_months.values_list("month", "client_kind").annotate(sends=Sum("count")):
        counted.setdefault(open_month, {})[kind] = sends
    months = [months_after(month, -back) for back in range(MONTHS_OF_HISTORY + 1)]
    current, *history = [_month(one, counted.get(one, {})) for one in months]
    return Usage(current, history)


def _month(month: date, counts: Mapping[str, int]) -> MonthOfUsage:
    return MonthOfUsage(month, {kind.value: counts.get(kind.value, 0) for kind in ClientKind})


def sends_in_month(account_id: uuid.UUID, month: date) -> int:
    """How much an account sent in one month that is not closed yet."""
    found = UsageTally.objects.of(account_id).filter(month=month).aggregate(sends=Sum("count"))
    return int(found["sends"] or 0)
