"""Transactions on outreaches."""

import uuid
from datetime import datetime
from typing import TypedDict

from ampout.accounts.models import Account
from ampout.lib import clock
from campaigns.models import Outreach
from campaigns.selectors.campaigns import find_outreach


class OutreachValues(TypedDict, total=False):
    """The fields of an outreach that a caller gave."""

    name: str
    unique_contacts: bool


def create_outreach(account: Account, values: OutreachValues, *, now: datetime | None = None) -> Outreach:
    """A new container of campaigns; `values` has a name."""
    return Outreach.objects.create(account=account, created_at=now or clock.utc_now(), **values)


def update_outreach(account: Account, outreach_id: uuid.UUID, values: OutreachValues) -> Outreach:
    """Change an outreach; `unique_contacts` counts for later enrolments. Raises NotFound."""
    outreach = find_outreach(account, outreach_id)
    for field, value in values.items():
        setattr(outreach, field, value)
    if values:
        outreach.save(update_fields=list(values))
    return outreach
