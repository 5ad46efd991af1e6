"""How much the account sends, and how much it may: what clients and operators plan by."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from ampout.api.resources import Resource
from ampout.lib import clock
from dispatch.usage import MonthOfUsage, Usage, usage_of


def show_usage(usage: Usage, monthly_limit: int | None) -> dict[str, Any]:
    """The running month by its moments, those before it by their names, and what is left of the limit."""
    current = usage.current
    return {
        "current_period": {"start": current.start, "end": current.end, **_show_counts(current)},
        "current_period_sends": current.sends,
        "monthly_limit": monthly_limit,
        "remaining": None if monthly_limit is None else max(0, monthly_limit - current.sends),
        "history": [{"month": f"{month.month:%Y-%m}", **_show_counts(month)} for month in usage.history],
    }


def _show_counts(month: MonthOfUsage) -> dict[str, Any]:
    return {"sends": month.sends, "by_client_kind": month.by_client_kind}


class UsageDetail(Resource):
    """`GET /usage`."""

    def get(self, _request: Request) -> Response:
        """This month's sends, the limit, and the twelve months before."""
        return Response(show_usage(usage_of(self.account.pk, now=clock.utc_now()), self.account.monthly_limit))
