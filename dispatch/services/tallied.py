"""A campaign's account of its steps (law 2) from tallies, whatever its size; `conservation` counts every row instead.

1. The left side: enrollments × steps, from the enrollments' tallies. What stopped, and the steps that come later, too.
2. What ended: from the messages' tallies.
3. What is under way is looked at row by row: it is bounded by caps, not by how many are enrolled.
4. Of what is due at some time, what falls due later, by the hour; in this very hour row by row. The rest is due now.
5. What is open, and neither under way nor due at any time, was not released.
"""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ampout.accounts import installation
from ampout.accounts.rules.months import month_of
from ampout.lib import sql
from campaigns.rules.enrollment_state import WaitReason
from dispatch.services.conservation import CAMPAIGNS, Conservation

# Each by (campaign, name): one snapshot, as it is one statement.
_NUMBERS = f"""{CAMPAIGNS}, enrollments AS (
    SELECT tally.campaign_id, tally.next_position, tally.standing, tally.stop_reason,
           COALESCE(tally.steps_due, steps.total) AS due, sum(tally.count) AS number
    FROM campaigns_enrollmenttally tally JOIN steps ON steps.campaign_id = tally.campaign_id
    WHERE tally.campaign_id = ANY(%(campaigns)s) GROUP BY 1, 2, 3, 4, 5
), dues AS (
    SELECT tally.campaign_id, tally.wait_reason, tally.due_hour, sum(tally.count) AS number
    FROM campaigns_duetally tally JOIN steps ON steps.campaign_id = tally.campaign_id
    WHERE tally.campaign_id = ANY(%(campaigns)s) AND tally.next_position <= steps.total GROUP BY 1, 2, 3
)
SELECT campaign_id, 'due', '', sum(due * number) FROM enrollments GROUP BY campaign_id
UNION ALL
SELECT campaign_id, 'ended', state, sum(count) FROM dispatch_messagetally
WHERE campaign_id = ANY(%(campaigns)s) GROUP BY campaign_id, state
UNION ALL
SELECT campaign_id, 'stopped', stop_reason, sum((due - next_position + 1) * number) FROM enrollments
WHERE standing = 'stopped' AND due >= next_position GROUP BY campaign_id, stop_reason
UNION ALL
SELECT campaign_id, 'open', '', sum(number) FROM enrollments
WHERE standing = 'open' AND due >= next_position GROUP BY campaign_id
UNION ALL
SELECT campaign_id, 'earlier_step', '', sum((due - next_position) * number) FROM enrollments
WHERE standing = 'open' AND due > next_position GROUP BY campaign_id
UNION ALL
SELECT message.campaign_id, 'under_way',
       CASE WHEN at_limit.campaign_id IS NOT NULL AND message.state = 'planned' AND message.due_at IS NULL
            THEN 'monthly_limit'
            WHEN message.state = 'planned' AND message.due_at IS NULL AND message.reason <> '' THEN message.reason
            WHEN message.state = 'deferred' THEN 'back_off'
            ELSE 'in_flight' END,
       count(*)
FROM dispatch_message message
JOIN campaigns_enrollment enrollment
  ON enrollment.id = message.enrollment_id AND enrollment.next_position = message.step_position
JOIN steps ON steps.campaign_id = message.campaign_id
LEFT JOIN at_limit ON at_limit.campaign_id = message.campaign_id
WHERE message.campaign_id = ANY(%(campaigns)s) AND message.state IN ('planned', 'claimed', 'wire', 'deferred')
  AND enrollment.stopped_at IS NULL AND enrollment.finished_at IS NULL AND enrollment.next_position <= steps.total
GROUP BY 1, 2, 3
UNION ALL
SELECT campaign_id, 'at_any_time', '', sum(number) FROM dues GROUP BY campaign_id
UNION ALL
SELECT campaign_id, 'later', wait_reason, sum(number) FROM dues
WHERE due_hour >= %(next_hour)s GROUP BY campaign_id, wait_reason
UNION ALL
SELECT enrollment.campaign_id, 'later', enrollment.wait_reason, count(*)
FROM campaigns_enrollment enrollment JOIN steps ON steps.campaign_id = enrollment.campaign_id
WHERE enrollment.campaign_id = ANY(%(campaigns)s) AND enrollment.next_due_at > %(now)s
  AND enrollment.next_due_at < %(next_hour)s AND enrollment.stopped_at IS NULL
  AND enrollment.finished_at IS NULL AND enrollment.next_position <= steps.total
GROUP BY 1, 2, 3
UNION ALL
SELECT id, 'paused', '', 1 FROM campaigns_campaign WHERE id = ANY(%(campaigns)s) AND status = 'paused'
UNION ALL
SELECT campaign_id, 'at_limit', '', 1 FROM at_limit
UNION ALL
SELECT steps.campaign_id, 'sending_off', '', 1 FROM steps CROSS JOIN sending WHERE sending.is_off
"""  # noqa: S608  # constants only

Numbers = Mapping[str, Mapping[str, int]]


def tallied_conservation_of(campaign_ids: Sequence[uuid.UUID], *, now: datetime) -> dict[uuid.UUID, Conservation]:
    """The account of each of these campaigns, from one snapshot."""
    next_hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    facts = {"campaigns": list(campaign_ids), "now": now, "next_hour": next_hour, "month": month_of(now)}
    facts |= installation.facts()
    numbers: dict[uuid.UUID, dict[str, dict[str, int]]] = {
        campaign_id: defaultdict(lambda: defaultdict(int)) for campaign_id in campaign_ids
    }
    for campaign_id, side, name, number in sql.fetch(_NUMBERS, facts):
        numbers[campaign_id][side][name] += int(number)
    return {campaign_id: _account(of) for campaign_id, of in numbers.items()}


def _account(of: Numbers) -> Conservation:
    waiting = _waiting(of)
    waiting["earlier_step"] = of["earlier_step"][""]
    return Conservation(of["due"][""], _some(of["ended"]), _some(of["stopped"]), _some(waiting))


def _waiting(of: Numbers) -> dict[str, int]:
    """The next step of each open enrollment, by why it has not gone."""
    if of["paused"]:
        return {WaitReason.PAUSED: of["open"][""]}
    waiting: dict[str, int] = defaultdict(int, of["under_way"])
    later = 0
    for reason, number in of["later"].items():
        waiting[reason or WaitReason.DELAY] += number
        later += number
    due_now = of["at_any_time"][""] - later
    if of["sending_off"]:
        waiting[WaitReason.SENDING_OFF] = waiting.pop(WaitReason.IN_FLIGHT, 0)
    waiting[_why_due_waits(of)] += due_now
    waiting[WaitReason.NOT_RELEASED] += of["open"][""] - of["at_any_time"][""] - sum(of["under_way"].values())
    return waiting


def _why_due_waits(of: Numbers) -> str:
    if of["at_limit"]:
        return WaitReason.MONTHLY_LIMIT
    return WaitReason.SENDING_OFF if of["sending_off"] else "due"


def _some(numbers: Mapping[str, int]) -> dict[str, int]:
    return {str(name): number for name, number in numbers.items() if number}
