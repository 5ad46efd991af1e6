"""Overdue work waits for its owner (promise B4).

Where nothing was planned for longer than OVERDUE_GRACE_SECONDS (the workers were away, or the database's clock was set
ahead), nobody knows whether what became due meanwhile is still wanted. So nothing is claimed until the planner has
paused every campaign that has something due; whoever resumes one says that it may go on, and it is planned afresh.

The time is told by the planner's own last tick, on the database's clock. One that lies in the future, as the clock was
set back, makes nothing overdue: then everything only becomes due later.
"""

import logging

from django.conf import settings
from django.db import transaction

from ampout.accounts import installation
from ampout.lib import clock, sql
from campaigns.models import Campaign
from campaigns.rules.campaign_state import PauseReason
from dispatch.services import lifecycle, ticks

logger = logging.getLogger(__name__)

IS_NONE = f"""NOT EXISTS (
    SELECT FROM dispatch_tick WHERE name = '{ticks.PLAN}' AND %(overdue_grace)s > 0
      AND ticked_at < statement_timestamp() - make_interval(secs => %(overdue_grace)s))"""
"""A condition of SQL: nothing is overdue that the planner has not looked at. It takes `facts()`."""

_WITH_SOMETHING_DUE = """
SELECT campaign.id FROM campaigns_campaign campaign
WHERE campaign.status = 'active' AND campaign.deleted_at IS NULL AND (
    EXISTS (SELECT FROM campaigns_enrollment enrollment
            WHERE enrollment.campaign_id = campaign.id AND enrollment.next_due_at <= now())
    OR EXISTS (SELECT FROM dispatch_message message
               WHERE message.campaign_id = campaign.id AND message.stream = 'campaign'
                 AND message.state IN ('planned', 'deferred') AND COALESCE(message.due_at, now()) <= now()))
"""


def facts() -> dict[str, int]:
    """What `IS_NONE` asks for."""
    return {"overdue_grace": settings.OVERDUE_GRACE_SECONDS}


def is_overdue(unplanned: float | None) -> bool:
    """Whether nothing was planned for longer than the grace period; `unplanned` is in seconds, None for never."""
    grace = settings.OVERDUE_GRACE_SECONDS
    return unplanned is not None and 0 < grace < unplanned


def pause_overdue(unplanned: float) -> int:
    """Pause every active campaign that has something due, in one transaction; returns how many.

    A restored copy sends nothing anyway, and is asked about by `adopt`.
    """
    if installation.sending_is_off():
        return 0
    paused = _pause()
    logger.error(
        "Nothing was planned for %.1f hours: %d campaigns with something due were paused, and wait to be resumed. See "
        "OVERDUE_GRACE_SECONDS.",
        unplanned / 3_600,
        paused,
        extra={"action": "pause_overdue", "campaigns": paused, "unplanned_seconds": round(unplanned)},
    )
    return paused


@transaction.atomic
def _pause() -> int:
    ids = [row[0] for row in sql.fetch(_WITH_SOMETHING_DUE)]
    locked = Campaign.everywhere.select_for_update(no_key=True).filter(pk__in=ids, status="active").order_by("pk")
    campaigns = list(locked)
    now = clock.utc_now()
    for campaign in campaigns:
        lifecycle.pause_locked(campaign, PauseReason.MANUAL, now=now, is_overdue=True)
    return len(campaigns)
