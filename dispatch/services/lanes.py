"""What a batch of outcomes says about its credentials: the end of their last transaction, and their back-off."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ampout.lib import dice, sql
from credentials.models import SmtpCredential
from credentials.rules.credential_state import decide_back_off
from dispatch.models import Lane
from dispatch.rules.named_addresses import without_addresses
from dispatch.rules.smtp_reply import Blame

if TYPE_CHECKING:
    from dispatch.services.settle import Outcome

_ADD_MISSING = """
INSERT INTO dispatch_lane (credential_id, failures)
SELECT credential.id, 0 FROM credentials_smtpcredential credential
WHERE credential.retired_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM dispatch_lane lane WHERE lane.credential_id = credential.id)
ON CONFLICT DO NOTHING
"""

LOCK_LANES = "SELECT 1 FROM dispatch_lane WHERE credential_id = ANY(%(credentials)s) ORDER BY credential_id FOR UPDATE"
"""Taken in order by everybody, so that planner and settlements wait for each other and never both."""

_LOCK_CREDENTIALS = """
SELECT 1 FROM credentials_smtpcredential WHERE id = ANY(%(credentials)s) ORDER BY id FOR NO KEY UPDATE
"""

_NOTE_ENDS = """
UPDATE dispatch_lane lane
SET last_finished_at = noted.ended_at,
    failures = CASE WHEN noted.failed THEN lane.failures + 1 ELSE 0 END,
    back_off_until = CASE WHEN noted.failed THEN lane.back_off_until END
FROM unnest(%(credentials)s::uuid[], %(ended)s::timestamptz[], %(failed)s::bool[])
     AS noted(credential_id, ended_at, failed)
WHERE lane.credential_id = noted.credential_id
RETURNING lane.credential_id, lane.health_watched
"""

_RETURN_SLOTS = """
WITH ahead AS (
    SELECT credential_id, worker_id FROM dispatch_lane
    WHERE last_slot_at > %(now)s ORDER BY credential_id FOR UPDATE
), used AS (
    SELECT ahead.credential_id, GREATEST(
        (SELECT max(message.due_at) FROM dispatch_message message
         WHERE message.credential_id = ahead.credential_id AND message.state = 'planned'
           AND message.due_at IS NOT NULL AND message.stream = 'campaign'),
        (SELECT max(message.due_at) FROM dispatch_message message
         WHERE message.worker_id = ahead.worker_id AND message.credential_id = ahead.credential_id
           AND message.state IN ('claimed', 'wire') AND message.stream = 'campaign')
    ) AS latest FROM ahead
)
UPDATE dispatch_lane lane SET last_slot_at = used.latest
FROM used
WHERE lane.credential_id = used.credential_id
  AND (used.latest IS NULL OR used.latest < lane.last_slot_at)
"""


def add_missing_lanes() -> None:
    """Give a lane to every credential that has none yet."""
    sql.execute(_ADD_MISSING)


def return_slots(now: datetime) -> int:
    """Take back the slots ahead that no message uses any more (a pause, a stop); returns from how many lanes.

    Only the planner calls it, as nobody else gives slots out.
    """
    return sql.execute(_RETURN_SLOTS, {"now": now})


def lock_lane(credential_id: uuid.UUID) -> Lane:
    """The credential's lane, locked: whoever reserves, lowers or moves units of its cap goes one after the other."""
    Lane.objects.bulk_create([Lane(credential_id=credential_id)], ignore_conflicts=True)
    return Lane.objects.select_for_update().get(pk=credential_id)


def note_transactions(outcomes: Sequence["Outcome"]) -> set[uuid.UUID]:
    """Record the end of these transactions on their lanes; call it first, as lanes are locked before enrollments.

    Credentials come before their lanes: whoever changes a limit takes them in this order. Returns the credentials whose
    health is judged after each send.
    """
    by_credential: dict[uuid.UUID, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.started_at is not None:
            by_credential.setdefault(outcome.credential_id, []).append(outcome)
    if not by_credential:
        return set()
    troubled = [key for key, ended in by_credential.items() if any(_failed(outcome) for outcome in ended)]
    if troubled:
        sql.fetch(_LOCK_CREDENTIALS, {"credentials": troubled})
    sql.fetch(LOCK_LANES, {"credentials": list(by_credential)})
    last = {key: max(ended, key=lambda outcome: outcome.ended_at) for key, ended in by_credential.items()}
    facts = {
        "credentials": list(last),
        "ended": [outcome.ended_at for outcome in last.values()],
        "failed": [_failed(outcome) for outcome in last.values()],
    }
    watched = {credential_id for credential_id, is_watched in sql.fetch(_NOTE_ENDS, facts) if is_watched}
    for credential_id, ended in sorted(by_credential.items()):
        _note_problem(credential_id, ended)
        if _failed(last[credential_id]):
            _back_off(credential_id, last[credential_id].ended_at)
    return watched


def _note_problem(credential_id: uuid.UUID, ended: "list[Outcome]") -> None:
    """What keeps the login from sending; a recipient that is greylisted or full for a while is no problem of it.

    Where a recipient was named, the words are kept without addresses: the credential outlives the person.
    """
    troubled = [outcome for outcome in ended if _failed(outcome)]
    if troubled:
        latest = max(troubled, key=lambda outcome: outcome.ended_at)
        words = latest.reply_text or str(latest.reason)
        if not is_about_connection(latest):
            words = without_addresses(words, lambda _: True)
        SmtpCredential.everywhere.filter(pk=credential_id).update(
            last_problem=f"{latest.stage}: {words}", last_problem_at=latest.ended_at
        )


def _failed(outcome: "Outcome") -> bool:
    """Whether the conversation never reached a recipient, by the login's or the server's fault."""
    return outcome.blame is Blame.CREDENTIAL or (outcome.blame is Blame.SERVER and is_about_connection(outcome))


def _back_off(credential_id: uuid.UUID, ended_at: datetime) -> None:
    """Leave the server alone for a while, longer with each failure in a row."""
    lane = Lane.objects.filter(pk=credential_id)
    failures = lane.values_list("failures", flat=True).get()
    lane.update(back_off_until=decide_back_off(failures, ended_at, dice.new_rng()))


def is_about_connection(outcome: "Outcome") -> bool:
    """Whether the conversation ended before a recipient was named: the next message would meet the same."""
    return outcome.stage in {"connect", "banner", "ehlo", "starttls", "auth", "mail"}
