"""Reads: how much an account sends, month by month (contract: `GET /usage`).

A send is a message, of whatever stream, whose body left and was accepted or whose fate is unknown. It belongs to the
UTC month of its `wire_at`.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from ampout.accounts.models import MonthlyUsage
from ampout.accounts.rules.keys import ClientKind
from ampout.accounts.rules.months import month_of, months_after, start_of
from ampout.lib import sql

MONTHS_OF_HISTORY = 12

# From the index alone.
_BY_MONTH = """
SELECT (date_trunc('month', wire_at AT TIME ZONE 'UTC'))::date, client_kind, count(*) FROM dispatch_message
WHERE account_id = %(account)s AND state IN ('accepted', 'unknown') AND wire_at >= %(start)s AND wire_at < %(end)s
GROUP BY 1, 2
"""
_IN_MONTH = """
SELECT count(*) FROM dispatch_message
WHERE account_id = %(account)s AND state IN ('accepted', 'unknown') AND wire_at >= %(start)s AND wire_at < %(end)s
"""


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
    """An account's usage: closed months as they were closed, those after them counted.

    A month that is closed between the two queries is counted as it is closed, so they need no common snapshot.
    """
    month = month_of(now)
    oldest = months_after(month, -MONTHS_OF_HISTORY)
    counted: dict[date, dict[str, int]] = {}
    closed = MonthlyUsage.objects.of(account_id).filter(month__gte=oldest)
    for closed_month, kind, sends in closed.values_list("month", "client_kind", "sends"):
        counted.setdefault(closed_month, {})[kind] = sends
    still_open = months_after(max(counted), 1) if counted else oldest
    facts = {"account": account_id, "start": start_of(still_open), "end": start_of(months_after(month, 1))}
    for open_month, kind, sends in sql.fetch(_BY_MONTH, facts):
        counted.setdefault(open_month, {})[kind] = sends
    months = [months_after(month, -back) for back in range(MONTHS_OF_HISTORY + 1)]
    current, *history = [_month(one, counted.get(one, {})) for one in months]
    return Usage(current, history)


def _month(month: date, counts: Mapping[str, int]) -> MonthOfUsage:
    return MonthOfUsage(month, {kind.value: counts.get(kind.value, 0) for kind in ClientKind})


def sends_in_month(account_id: uuid.UUID, month: date) -> int:
    """How much an account sent in one month that is not closed yet."""
    facts = {"account": account_id, "start": start_of(month), "end": start_of(months_after(month, 1))}
    return int(sql.fetch(_IN_MONTH, facts)[0][0])
