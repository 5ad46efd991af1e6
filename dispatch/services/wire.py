"""The `wire` mark: the one commit between "safe to try again" and "a copy may exist" (design, laws 1 and 5).

1. Lock what may be stopped for a while, in the order account, campaign, credential: shared, as many wires pass at once.
   A pause, a disabling or a suspension updates these rows and so waits for us, or we see it.
2. Lock what may be stopped for good: the suppression rows of address and domain for single messages (shared), then the
   enrollments, ids in order.
3. Mark the messages that are still ours and that all of this lets through, in a database that is no restored copy.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from ampout.accounts import installation
from ampout.lib import sql

_ASKED = """
SELECT message.id, message.stream, message.account_id, message.campaign_id, message.credential_id,
       message.enrollment_id, message.recipient_digest, message.domain_digest, message.state
FROM dispatch_message message
JOIN unnest(%(ids)s::uuid[], %(fences)s::int[]) AS asked(id, fence) ON asked.id = message.id
WHERE message.state IN ('claimed', 'wire') AND message.worker_id = %(worker)s AND message.fence = asked.fence
"""
_ACCOUNTS = "SELECT id FROM accounts_account WHERE id = ANY(%(ids)s) AND suspended_at IS NULL ORDER BY id FOR SHARE"
_CAMPAIGNS = """
SELECT id, status FROM campaigns_campaign WHERE id = ANY(%(ids)s) AND deleted_at IS NULL ORDER BY id FOR SHARE
"""
# Nor one whose health is to be judged first.
_CREDENTIALS = """
SELECT credential.id FROM credentials_smtpcredential credential
WHERE credential.id = ANY(%(ids)s) AND credential.disabled_at IS NULL AND credential.retired_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM dispatch_healthdue due WHERE due.credential_id = credential.id)
ORDER BY credential.id FOR SHARE OF credential
"""
_ENROLLMENTS = """
SELECT id FROM campaigns_enrollment
WHERE id = ANY(%(ids)s) AND stopped_at IS NULL ORDER BY id FOR NO KEY UPDATE
"""
_UNSUPPRESSED = """
SELECT account_id, digest FROM campaigns_suppression
WHERE (account_id, digest) IN (SELECT * FROM unnest(%(accounts)s::uuid[], %(digests)s::bytea[])) AND scope = ''
ORDER BY account_id, digest FOR SHARE
"""
_MARK = f"""
UPDATE dispatch_message message
SET state = 'wire', wire_at = %(now)s, first_attempt_at = COALESCE(first_attempt_at, %(now)s)
WHERE message.id = ANY(%(ids)s) AND message.state = 'claimed'
  AND message.worker_id = %(worker)s
  AND NOT EXISTS (
      SELECT 1 FROM campaigns_suppression suppression
      WHERE suppression.account_id = message.account_id AND suppression.scope <> ''
        AND suppression.digest IN (message.recipient_digest, message.domain_digest)
  )
  AND {installation.IS_OWN}
RETURNING message.id
"""  # noqa: S608  # constants only


def commit_wire(worker_id: uuid.UUID, asked: Sequence[tuple[uuid.UUID, int]], *, now: datetime) -> set[uuid.UUID]:
    """Mark the messages, given as (id, fence), that may leave now; returns the ids that were granted.

    What is not granted was stopped, paused, released or taken over, and must not be sent. Asking again for a claim
    whose wire was committed (the answer was lost with the connection) grants it again, whatever has happened since:
    only its holder can ask, and a body whose `wire` came first may leave.
    """
    facts = {"ids": [pair[0] for pair in asked], "fences": [pair[1] for pair in asked], "worker": worker_id}
    with transaction.atomic():
        rows = sql.fetch(_ASKED, facts)
        marked_before = {row[0] for row in rows if row[8] == "wire"}
        granted = _let_through([row for row in rows if row[0] not in marked_before])
        marked = sql.fetch(_MARK, {"ids": granted, "worker": worker_id, "now": now} | installation.facts())
        return marked_before | {row[0] for row in marked}


def _let_through(rows: Sequence[sql.Row]) -> list[uuid.UUID]:
    accounts = _ids(_ACCOUNTS, {row[2] for row in rows})
    campaigns: dict[uuid.UUID, str] = dict(sql.fetch(_CAMPAIGNS, {"ids": sorted({row[3] for row in rows})}))
    credentials = _ids(_CREDENTIALS, {row[4] for row in rows})
    rows = [
        row
        for row in rows
        if row[2] in accounts
        and row[3] in campaigns
        and (row[1] == "test" or campaigns[row[3]] == "active")
        and row[4] in credentials
    ]
    free = _not_suppressed([row for row in rows if row[5] is None])
    enrollments = _ids(_ENROLLMENTS, {row[5] for row in rows if row[5] is not None})
    return [row[0] for row in rows if (row[5] in enrollments if row[5] is not None else _keys(row) <= free)]


def _ids(query: str, ids: set[uuid.UUID]) -> set[uuid.UUID]:
    if not ids:
        return set()
    return {row[0] for row in sql.fetch(query, {"ids": sorted(ids)})}


def _keys(row: sql.Row) -> set[tuple[uuid.UUID, bytes]]:
    """The suppression rows, of address and domain, that speak for a single message."""
    return {(row[2], bytes(row[6])), (row[2], bytes(row[7]))}


def _not_suppressed(rows: Sequence[sql.Row]) -> set[tuple[uuid.UUID, bytes]]:
    keys = sorted(set().union(*(_keys(row) for row in rows)))
    if not keys:
        return set()
    asked = {"accounts": [account for account, _ in keys], "digests": [digest for _, digest in keys]}
    return {(account, bytes(digest)) for account, digest in sql.fetch(_UNSUPPRESSED, asked)}
