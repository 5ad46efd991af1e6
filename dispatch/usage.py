"""Reads: how much an account sends, month by month (contract: `GET /usage`).

A send is a message, of whatever stream, whose body left and was accepted or whose fate is unknown. It belongs to the
UTC month of its `wire_at`.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from ampout.accounts.rules.keys import ClientKind
from ampout.accounts.rules.months import month_of, months_after, start_of
from ampout.lib import sql

MONTHS_OF_HISTORY = 12

# A closed month is read as it was closed; those after it are counted, from the index alone. Both in one snapshot.
_BY_MONTH = """
SELECT month, client_kind, sends::bigint FROM accounts_monthlyusage
WHERE account_id = %(account)s AND month >= %(oldest)s
UNION ALL
SELECT (date_trunc('month', wire_at AT TIME ZONE 'UTC'))::date, client_kind, count(*) FROM dispatch_message
WHERE account_id = %(account)s AND state IN ('accepted', 'unknown') AND wire_at >= %(start)s AND wire_at < %(end)s
  AND wire_at >= COALESCE((SELECT (max(month) + interval '1 month') AT TIME ZONE 'UTC' FROM accounts_monthlyusage
                           WHERE account_id = %(account)s), '-infinity')
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
    """An account's usage, by one statement whose cost does not grow with what was sent in closed months."""
    month = month_of(now)
    oldest = months_after(month, -MONTHS_OF_HISTORY)
    facts = {
        "account": account_id,
        "oldest": oldest,
        "start": start_of(oldest),
        "end": start_of(months_after(month, 1)),
    }
    counted: dict[date, dict[str, int]] = {}
    for counted_month, kind, sends in sql.fetch(_BY_MONTH, facts):
        counted.setdefault(counted_month, {})[kind] = sends
    months = [months_after(month, -back) for back in range(MONTHS_OF_HISTORY + 1)]
    current, *history = [_month(one, counted.get(one, {})) for one in months]
    return Usage(current, history)


def _month(month: date, counts: Mapping[str, int]) -> MonthOfUsage:
    return MonthOfUsage(month, {kind.value: counts.get(kind.value, 0) for kind in ClientKind})


def sends_in_month(account_id: uuid.UUID, month: date) -> int:
    """How much an account sent in one month that is not closed yet."""
    facts = {"account": account_id, "start": start_of(month), "end": start_of(months_after(month, 1))}
    return int(sql.fetch(_IN_MONTH, facts)[0][0])
