"""The edges of a campaign's life that time alone brings: batches open, sequences end, campaigns complete."""

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F

from ampout.lib import sql
from campaigns.models import Batch, Campaign, Enrollment
from campaigns.rules.campaign_state import CampaignStatus
from campaigns.rules.enrollment_state import WaitReason

OPEN_AT_ONCE = 10_000
"""Enrollments made due by one statement: about a tenth of a second's work."""

# MATERIALIZED: within IN (…), PostgreSQL may run a limited subquery again and again, and open more than was asked for.
_OPEN = """
WITH opening AS MATERIALIZED (
    SELECT id FROM campaigns_enrollment
    WHERE campaign_id = %(campaign)s AND batch_number = %(number)s AND next_position = 1 AND next_due_at IS NULL
      AND status = 'pending' AND stopped_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM dispatch_message message
                      WHERE message.enrollment_id = campaigns_enrollment.id AND message.step_position = 1)
    ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE
)
UPDATE campaigns_enrollment enrollment SET next_due_at = %(now)s
FROM opening WHERE enrollment.id = opening.id
"""

_FINISH = """
WITH through AS (
    SELECT enrollment.id, (SELECT count(*) FROM campaigns_sequencestep step
                           WHERE step.campaign_id = enrollment.campaign_id) AS steps
    FROM campaigns_enrollment enrollment
    WHERE enrollment.wait_reason = %(grace)s AND enrollment.next_due_at <= %(now)s
      AND NOT EXISTS (SELECT 1 FROM campaigns_sequencestep step
                      WHERE step.campaign_id = enrollment.campaign_id AND step.position = enrollment.next_position)
    ORDER BY enrollment.id FOR NO KEY UPDATE OF enrollment
)
UPDATE campaigns_enrollment enrollment
SET finished_at = %(now)s, steps_due = through.steps, next_due_at = NULL, wait_reason = ''
FROM through WHERE enrollment.id = through.id
"""

_WITHOUT_WORK = """
SELECT campaign.id FROM campaigns_campaign campaign
WHERE campaign.status = 'active' AND campaign.deleted_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM campaigns_enrollment enrollment
                  WHERE enrollment.campaign_id = campaign.id
                    AND enrollment.stopped_at IS NULL AND enrollment.finished_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM dispatch_message message
                  WHERE message.campaign_id = campaign.id AND message.enrollment_id IS NOT NULL
                    AND (message.state IN ('claimed', 'wire')
                         OR message.state = 'unknown' AND message.wire_at > %(grace_since)s))
"""
_IS_WITHOUT_WORK = f"{_WITHOUT_WORK} AND campaign.id = %(campaign)s"


def open_batches(now: datetime) -> int:
    """Make due what was in released batches, a bounded number a tick; returns how many batches are fully open now."""
    opened = 0
    for batch in Batch.objects.filter(released_at__isnull=False, opened_at__isnull=True).select_related("campaign"):
        opened += open_batch(batch, now)
    return opened


@transaction.atomic
def open_batch(batch: Batch, now: datetime) -> bool:
    """Make due up to `OPEN_AT_ONCE` enrollments of a released batch; True when nothing is left to open."""
    facts = {"campaign": batch.campaign_id, "number": batch.number, "now": now, "limit": OPEN_AT_ONCE}
    complete = sql.execute(_OPEN, facts) < OPEN_AT_ONCE
    if complete:
        Batch.objects.filter(pk=batch.pk).update(opened_at=now)
    return complete


@transaction.atomic
def finish_after_grace(now: datetime) -> int:
    """End the sequences whose last message stayed unknown through its grace period."""
    sql.keep_plans_steady()
    return sql.execute(_FINISH, {"grace": WaitReason.UNKNOWN_GRACE.value, "now": now})


def finish(enrollment_ids: Collection[uuid.UUID], now: datetime) -> int:
    """End these sequences where they stand: no step is left for them."""
    return sum(
        Enrollment.everywhere.filter(pk=pk, stopped_at__isnull=True, next_due_at__isnull=False).update(
            finished_at=now, steps_due=F("next_position") - 1, next_due_at=None, wait_reason=""
        )
        for pk in sorted(enrollment_ids)
    )


def complete_campaigns(now: datetime) -> int:
    """Complete the active campaigns that wait for nothing: no open enrollment, nothing of a stopped one on the wire or
    unknown inside its grace period. Returns how many.
    """
    grace_since = now - timedelta(seconds=settings.UNKNOWN_GRACE_SECONDS)
    return sum(_complete(campaign_id, grace_since, now) for campaign_id in _campaigns_without_work(grace_since))


@transaction.atomic
def _campaigns_without_work(grace_since: datetime) -> list[uuid.UUID]:
    sql.keep_plans_steady()
    return [row[0] for row in sql.fetch(_WITHOUT_WORK, {"grace_since": grace_since})]


@transaction.atomic
def _complete(campaign_id: uuid.UUID, grace_since: datetime, now: datetime) -> int:
    # FOR UPDATE waits for enrolments in progress (their foreign keys hold FOR KEY SHARE), so the check below sees them.
    campaign = (
        Campaign.everywhere.select_for_update().filter(pk=campaign_id, status=CampaignStatus.ACTIVE.value).first()
    )
    if campaign is None:
        return 0
    if not sql.fetch(_IS_WITHOUT_WORK, {"campaign": campaign_id, "grace_since": grace_since}):
        return 0
    campaign.status, campaign.completed_at = CampaignStatus.COMPLETED.value, now
    campaign.save(update_fields=["status", "completed_at"])
    return 1
