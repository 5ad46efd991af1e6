"""What an operator does to an account's monthly limit."""

import uuid
from datetime import datetime

from django.db import transaction

from ampout.accounts.models import Account
from ampout.lib import clock, sql
from dispatch.models import Message, MonthlyReservation
from dispatch.rules.message_state import MessageState
from dispatch.services import monthly_limit, test_send
from dispatch.services.plan import PLANNER_LOCK


@transaction.atomic
def set_monthly_limit(account_id: uuid.UUID, limit: int | None, *, now: datetime | None = None) -> None:
    """Let an account send so much in a calendar month, or as much as it likes.

    Nobody gives slots out meanwhile, so that the account's messages are counted whole. Those beyond the limit that have
    a slot lose it, the latest first; what is in hand, waits for a retry, or is a test, still goes.
    """
    now = now or clock.utc_now()
    sql.fetch("SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": PLANNER_LOCK})
    test_send.take_turn(account_id)
    Account.objects.filter(pk=account_id).update(monthly_limit=limit)
    MonthlyReservation.objects.of(account_id).delete()
    if limit is None:
        return
    monthly_limit.rooms_of([account_id], now=now)
    reserved = MonthlyReservation.objects.of(account_id).values_list("reserved", flat=True).get()
    if reserved > limit and _take_slots_back(account_id, reserved - limit):
        MonthlyReservation.objects.of(account_id).update(counted_at=None)


def _take_slots_back(account_id: uuid.UUID, count: int) -> int:
    planned = Message.objects.of(account_id).filter(
        stream="campaign", state=MessageState.PLANNED.value, due_at__isnull=False
    )
    latest = list(planned.order_by("-due_at", "pk").values_list("pk", flat=True)[:count])
    # Locked in the order of their ids, as whoever cancels messages does; some may be claimed by now.
    ids = list(planned.filter(pk__in=latest).select_for_update().order_by("pk").values_list("pk", flat=True))
    return int(Message.objects.of(account_id).filter(pk__in=ids).update(due_at=None, reason="monthly_limit"))
