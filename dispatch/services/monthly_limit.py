"""The monthly limit of an account: reserved before, never counted afterwards (design, law 4).

`MonthlyReservation.reserved` of an account with a limit is never less than what it sent this month and what has a slot,
waits for a retry, or is in hand:

1. Whoever gives slots out (the planner, a test send) locks the reservation, sees how much room there is, and reserves
   what it gives out by one conditional UPDATE, in the transaction that inserts the messages.
2. Nothing is given back message by message. Once the limit seems reached, and at the start of a month, the account's
   messages are counted, and the reservation is that number again.

What finds no room waits for `monthly_limit`: for the next month, or a higher limit.
"""

import uuid
from collections.abc import Collection, Mapping
from datetime import date, datetime

from ampout.accounts.models import Account
from ampout.accounts.rules.months import month_of, months_after
from ampout.lib import sql
from ampout.lib.errors import AmpoutError
from dispatch.rules.monthly_limit import COUNT_AGAIN_AFTER, Reservation, is_to_be_counted
from dispatch.usage import sends_in_month

_FULL = """
SELECT account.id FROM accounts_account account
JOIN dispatch_monthlyreservation reservation ON reservation.account_id = account.id
WHERE account.id = ANY(%(accounts)s) AND reservation.reserved >= account.monthly_limit
  AND reservation.month >= %(month)s AND reservation.counted_at > %(since)s
"""
_LIMITED = "SELECT id FROM accounts_account WHERE id = ANY(%(accounts)s) AND monthly_limit IS NOT NULL ORDER BY id"
_ADD_MISSING = """
INSERT INTO dispatch_monthlyreservation (account_id, month, reserved)
SELECT account, %(month)s, 0 FROM unnest(%(accounts)s::uuid[]) account ON CONFLICT DO NOTHING
"""
_LOCK = """
SELECT account.id, account.monthly_limit, reservation.month, reservation.reserved, reservation.counted_at
FROM dispatch_monthlyreservation reservation JOIN accounts_account account ON account.id = reservation.account_id
WHERE account.id = ANY(%(accounts)s) AND account.monthly_limit IS NOT NULL
ORDER BY account.id FOR UPDATE OF reservation
"""
# By the account's campaigns: no index on what is under way starts with the account.
_UNDER_WAY = """
SELECT count(*) FROM campaigns_campaign campaign JOIN dispatch_message message ON message.campaign_id = campaign.id
WHERE campaign.account_id = %(account)s AND message.state IN ('planned', 'claimed', 'wire', 'deferred')
  AND (message.state <> 'planned' OR message.due_at IS NOT NULL)
"""
_SET = """
UPDATE dispatch_monthlyreservation SET month = %(month)s, reserved = %(reserved)s, counted_at = %(now)s
WHERE account_id = %(account)s
"""
_RESERVE = """
UPDATE dispatch_monthlyreservation reservation SET reserved = reservation.reserved + asked.sends
FROM unnest(%(accounts)s::uuid[], %(sends)s::int[]) AS asked(account_id, sends)
JOIN accounts_account account ON account.id = asked.account_id
WHERE reservation.account_id = asked.account_id AND reservation.reserved + asked.sends <= account.monthly_limit
"""


class MonthOverrun(RuntimeError):
    """More is reserved than there was room for when the reservation was locked."""


class PlanLimitReached(AmpoutError):
    """The account has used up what the operator lets it send in a month; `details` say how much of how much."""

    code = "plan_limit_reached"
    http_status = 402

    def __init__(self, sends: int, limit: int, month: date) -> None:
        sentence = (
            f"This month's limit of {limit:,} sends is reached ({sends:,} were sent; what is on its way counts, too). "
            f"It starts anew on {months_after(month, 1)} (UTC); the operator of this server can raise it."
        )
        super().__init__(sentence, details={"current_period_sends": sends, "monthly_limit": limit})


def full_accounts(account_ids: Collection[uuid.UUID], *, now: datetime) -> set[uuid.UUID]:
    """Those of these accounts that need not be looked at: at their limit, when it was last counted, a moment ago."""
    facts = {"accounts": list(account_ids), "month": month_of(now), "since": now - COUNT_AGAIN_AFTER}
    return {row[0] for row in sql.fetch(_FULL, facts)}


def rooms_of(account_ids: Collection[uuid.UUID], *, wanted: int = 1, now: datetime) -> dict[uuid.UUID, int]:
    """How many more messages may be given out to those of these accounts that have a limit.

    Their reservations stay locked until the transaction ends; call it before any lane, enrollment or message is. There
    is never less room than it says, and where that is less than `wanted`, not much more.
    """
    limited = [row[0] for row in sql.fetch(_LIMITED, {"accounts": list(account_ids)})]
    if not limited:
        return {}
    month = month_of(now)
    sql.execute(_ADD_MISSING, {"accounts": limited, "month": month})
    rooms = {}
    for account_id, *columns in sql.fetch(_LOCK, {"accounts": limited}):
        reservation = Reservation(*columns)
        if is_to_be_counted(reservation, wanted=wanted, month=month, now=now):
            reservation = count(account_id, reservation, now=now)
        rooms[account_id] = reservation.room
    return rooms


def count(account_id: uuid.UUID, reservation: Reservation, *, now: datetime) -> Reservation:
    """Count what a locked reservation stands for. A statement of its own, so that it sees what others committed."""
    month = max(month_of(now), reservation.month) if reservation.counted_at else month_of(now)
    under_way = int(sql.fetch(_UNDER_WAY, {"account": account_id})[0][0])
    reserved = sends_in_month(account_id, month) + under_way
    sql.execute(_SET, {"account": account_id, "month": month, "reserved": reserved, "now": now})
    return Reservation(reservation.limit, month, reserved, now)


def reserve(sends: Mapping[uuid.UUID, int]) -> None:
    """Take so much of these accounts' limits. Raises MonthOverrun, which rolls everything back."""
    accounts = sorted(sends)
    facts = {"accounts": accounts, "sends": [sends[account_id] for account_id in accounts]}
    if accounts and sql.execute(_RESERVE, facts) != len(accounts):
        raise MonthOverrun("room in a month that was counted on is gone; nothing was given out")


def reached(account: Account, *, now: datetime) -> PlanLimitReached:
    """The refusal of an account that has a limit, and no room."""
    month = month_of(now)
    return PlanLimitReached(sends_in_month(account.pk, month), account.monthly_limit or 0, month)


def check_release(account: Account, released: int, *, now: datetime) -> list[dict[str, str]]:
    """Warn of a release of so many contacts that is more than the month has left. Raises PlanLimitReached.

    The planner holds to the limit whatever is released, so that releases at the same moment need not wait for each
    other.
    """
    limit, month = account.monthly_limit, month_of(now)
    if limit is None:
        return []
    sends = sends_in_month(account.pk, month)
    if sends >= limit:
        raise PlanLimitReached(sends, limit, month)
    if released <= limit - sends:
        return []
    sentence = (
        f"{released:,} contacts are released, and {limit - sends:,} of this month's {limit:,} sends are left. What is "
        f"beyond that waits until {months_after(month, 1)} (UTC), or for a higher limit."
    )
    return [{"code": "monthly_limit_exceeded", "message": sentence}]
