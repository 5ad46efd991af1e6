"""Law 2 as arithmetic: the steps due to a campaign's enrollments = what became of them, one by one by name.

The left side is counted from enrollments × steps. The right side is counted from the messages that ended, plus what
the enrollments that stopped or are still open have before them. A message that got lost is on the left alone.

Here every row is counted, as `manage.py audit` does; people are shown what the tallies add up to (`tallied`).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ampout.accounts import installation
from ampout.accounts.installation import IS_OFF
from ampout.accounts.rules.months import month_of
from ampout.lib import sql

CAMPAIGNS = f"""
WITH steps AS (
    SELECT campaign.id AS campaign_id, count(step.id) AS total
    FROM campaigns_campaign campaign LEFT JOIN campaigns_sequencestep step ON step.campaign_id = campaign.id
    WHERE campaign.id = ANY(%(campaigns)s) GROUP BY campaign.id
), at_limit AS (
    SELECT campaign.id AS campaign_id
    FROM campaigns_campaign campaign
    JOIN accounts_account account ON account.id = campaign.account_id
    JOIN dispatch_monthlyreservation reservation ON reservation.account_id = account.id
    WHERE campaign.id = ANY(%(campaigns)s) AND reservation.reserved >= account.monthly_limit
      AND reservation.month >= %(month)s AND reservation.counted_at IS NOT NULL
), sending AS (SELECT {IS_OFF} AS is_off)"""  # noqa: S608  # constants only
"""What statements begin with: each campaign's steps, whether it waits for the month to end, whether sending is off."""

# Each by (campaign, name): one snapshot, as it is one statement.
_COUNTS = f"""{CAMPAIGNS}, enrollments AS (
    SELECT enrollment.*, COALESCE(enrollment.steps_due, steps.total) AS due
    FROM campaigns_enrollment enrollment JOIN steps ON steps.campaign_id = enrollment.campaign_id
)
SELECT campaign_id, 'due', '', sum(due) FROM enrollments GROUP BY campaign_id
UNION ALL
SELECT campaign_id, 'ended', state, count(*) FROM dispatch_message
WHERE campaign_id = ANY(%(campaigns)s) AND enrollment_id IS NOT NULL
  AND state IN ('accepted', 'refused', 'gave_up', 'quarantined', 'unknown')
GROUP BY campaign_id, state
UNION ALL
SELECT campaign_id, 'stopped', stop_reason, sum(due - next_position + 1) FROM enrollments
WHERE stopped_at IS NOT NULL AND due >= next_position GROUP BY campaign_id, stop_reason
UNION ALL
SELECT enrollments.campaign_id, 'waiting', waiting.reason, sum(waiting.steps)
FROM enrollments
JOIN campaigns_campaign campaign ON campaign.id = enrollments.campaign_id
LEFT JOIN dispatch_message message
       ON message.enrollment_id = enrollments.id AND message.step_position = enrollments.next_position
LEFT JOIN at_limit ON at_limit.campaign_id = campaign.id
CROSS JOIN sending
CROSS JOIN LATERAL (VALUES
    (CASE WHEN campaign.status = 'paused' THEN 'paused'
          WHEN at_limit.campaign_id IS NOT NULL
               AND (message.state = 'planned' AND message.due_at IS NULL
                    OR message.id IS NULL AND enrollments.next_due_at <= %(now)s) THEN 'monthly_limit'
          WHEN message.state = 'planned' AND message.due_at IS NULL AND message.reason <> '' THEN message.reason
          WHEN message.state = 'deferred' THEN 'back_off'
          WHEN sending.is_off AND (message.id IS NOT NULL OR enrollments.next_due_at <= %(now)s) THEN 'sending_off'
          WHEN message.state IN ('planned', 'claimed', 'wire') THEN 'in_flight'
          WHEN enrollments.next_due_at IS NULL AND message.id IS NULL THEN 'not_released'
          WHEN enrollments.next_due_at > %(now)s AND enrollments.wait_reason <> '' THEN enrollments.wait_reason
          WHEN enrollments.next_due_at > %(now)s THEN 'delay'
          ELSE 'due' END, 1),
    ('earlier_step', enrollments.due - enrollments.next_position)
) AS waiting(reason, steps)
WHERE enrollments.stopped_at IS NULL AND enrollments.finished_at IS NULL
  AND enrollments.due >= enrollments.next_position AND waiting.steps > 0
GROUP BY enrollments.campaign_id, waiting.reason
"""  # noqa: S608  # constants only


@dataclass(slots=True)
class Conservation:
    """One campaign's account of its steps; `balanced` is law 2."""

    due: int = 0
    ended: dict[str, int] = field(default_factory=dict)
    stopped: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)

    @property
    def accounted(self) -> int:
        """The right side."""
        return sum(self.ended.values()) + sum(self.stopped.values()) + sum(self.waiting.values())

    @property
    def balanced(self) -> bool:
        """Whether every step that is due is accounted for by name."""
        return self.due == self.accounted

    def as_dict(self) -> dict[str, Any]:
        """For the API: the steps due, and where each of them is."""
        names = ("accepted", "refused", "gave_up", "quarantined", "unknown")
        return {
            "due": self.due,
            **{name: self.ended.get(name, 0) for name in names},
            "stopped": dict(sorted(self.stopped.items())),
            "waiting": dict(sorted(self.waiting.items())),
            "balanced": self.balanced,
        }


def conservation_of(campaign_ids: Sequence[uuid.UUID], *, now: datetime) -> dict[uuid.UUID, Conservation]:
    """The account of each of these campaigns, from one snapshot."""
    accounts = {campaign_id: Conservation() for campaign_id in campaign_ids}
    facts = {"campaigns": list(campaign_ids), "now": now, "month": month_of(now)} | installation.facts()
    for campaign_id, side, name, count in sql.fetch(_COUNTS, facts):
        if side == "due":
            accounts[campaign_id].due = int(count)
        else:
            getattr(accounts[campaign_id], side)[name] = int(count)
    return accounts
