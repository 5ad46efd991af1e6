"""Claims that end without an SMTP transaction of their own: kept slots, refused wires, and what may still start."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from ampout.lib import sql
from dispatch.models import Message
from dispatch.services import stops

_MAY_START = """
SELECT message.id
FROM dispatch_message message
JOIN unnest(%(ids)s::uuid[], %(fences)s::int[]) AS asked(id, fence) ON asked.id = message.id
JOIN accounts_account account ON account.id = message.account_id
JOIN credentials_smtpcredential credential ON credential.id = message.credential_id
JOIN campaigns_campaign campaign ON campaign.id = message.campaign_id
LEFT JOIN campaigns_enrollment enrollment ON enrollment.id = message.enrollment_id
WHERE message.state = 'claimed' AND message.worker_id = %(worker)s AND message.fence = asked.fence
  AND account.suspended_at IS NULL AND credential.disabled_at IS NULL AND credential.retired_at IS NULL
  AND campaign.deleted_at IS NULL
  AND (message.stream = 'test'
       OR campaign.status = 'active'
       AND EXISTS (SELECT 1 FROM campaigns_campaigncredential attachment
                   WHERE attachment.campaign_id = message.campaign_id
                     AND attachment.credential_id = message.credential_id))
  AND enrollment.stopped_at IS NULL
"""

_HAND_BACK = """
UPDATE dispatch_message message
SET state = CASE WHEN message.stream = 'test' OR enrollment.stopped_at IS NOT NULL THEN 'cancelled' ELSE 'planned' END,
    reason = CASE WHEN enrollment.stopped_at IS NOT NULL THEN enrollment.stop_reason
                  WHEN account.suspended_at IS NOT NULL THEN 'account_suspended'
                  WHEN credential.disabled_at IS NOT NULL THEN 'credential_disabled'
                  WHEN campaign.status <> 'active' THEN 'paused'
                  WHEN attachment.id IS NULL THEN 'credential_retired'
                  ELSE 'wire_refused' END,
    due_at = NULL, worker_id = NULL, settled_at = %(now)s,
    first_attempt_at = COALESCE(message.first_attempt_at, %(attempted_at)s)
FROM dispatch_message claimed
JOIN accounts_account account ON account.id = claimed.account_id
JOIN credentials_smtpcredential credential ON credential.id = claimed.credential_id
JOIN campaigns_campaign campaign ON campaign.id = claimed.campaign_id
LEFT JOIN campaigns_campaigncredential attachment
       ON attachment.campaign_id = claimed.campaign_id AND attachment.credential_id = claimed.credential_id
LEFT JOIN campaigns_enrollment enrollment ON enrollment.id = claimed.enrollment_id
WHERE claimed.id = message.id AND message.id = ANY(%(ids)s)
  AND message.worker_id = %(worker)s AND message.state = 'claimed'
"""

_LET_GO = """
UPDATE dispatch_message message
SET state = CASE WHEN enrollment.stopped_at IS NULL THEN 'planned' ELSE 'cancelled' END,
    reason = CASE WHEN enrollment.stopped_at IS NULL THEN %(reason)s ELSE enrollment.stop_reason END,
    due_at = CASE WHEN enrollment.stopped_at IS NULL AND %(keeps_slot)s THEN message.due_at END,
    worker_id = NULL
FROM dispatch_message claimed
LEFT JOIN campaigns_enrollment enrollment ON enrollment.id = claimed.enrollment_id
WHERE claimed.id = message.id AND message.id = ANY(%(ids)s)
  AND message.worker_id = %(worker)s AND message.state = 'claimed'
"""


def may_start(worker_id: uuid.UUID, asked: Sequence[tuple[uuid.UUID, int]]) -> set[uuid.UUID]:
    """Which of these claims, given as (id, fence), are still wanted: a cheap look before a connection is used.

    It takes no locks and proves nothing; the `wire` does.
    """
    facts = {"ids": [pair[0] for pair in asked], "fences": [pair[1] for pair in asked], "worker": worker_id}
    return {row[0] for row in sql.fetch(_MAY_START, facts)}


@transaction.atomic
def hand_back(worker_id: uuid.UUID, message_ids: Sequence[uuid.UUID], *, now: datetime, attempted: bool = False) -> int:
    """Give up claims that may not go: stopped ones are cancelled, paused ones wait for a new slot.

    `attempted`: an SMTP transaction was begun, so the unit of the daily cap is used.
    """
    _lock_enrollments(message_ids)
    facts = {
        "ids": list(message_ids),
        "worker": worker_id,
        "now": now,
        "attempted_at": now if attempted else None,
    }
    return sql.execute(_HAND_BACK, facts)


def release(worker_id: uuid.UUID, message_ids: Sequence[uuid.UUID], *, reason: str = "") -> int:
    """Let go of claims that keep their slot: this loop stops, or the credential's server is left alone for a while."""
    return _let_go(worker_id, message_ids, reason, keeps_slot=True)


def lose_day(worker_id: uuid.UUID, message_id: uuid.UUID) -> int:
    """The day rolled over and the next one is full: back to the planner, ahead of new contacts, with its unit kept."""
    return _let_go(worker_id, [message_id], "day_rolled_over", keeps_slot=False)


@transaction.atomic
def _let_go(worker_id: uuid.UUID, message_ids: Sequence[uuid.UUID], reason: str, *, keeps_slot: bool) -> int:
    """Planned again, or cancelled where the contact was stopped meanwhile: nobody else would."""
    _lock_enrollments(message_ids)
    facts = {"ids": list(message_ids), "worker": worker_id, "reason": reason, "keeps_slot": keeps_slot}
    return sql.execute(_LET_GO, facts)


def _lock_enrollments(message_ids: Sequence[uuid.UUID]) -> None:
    enrollments = Message.everywhere.filter(pk__in=message_ids, enrollment__isnull=False)
    stops.lock_enrollments(list(enrollments.values_list("enrollment_id", flat=True)))
