"""Settling: what became of claimed messages, and everything that follows, in one transaction a batch.

1. Lanes: the end of the transaction (the next gap runs from it), back-off, the server's words on the credential.
2. Enrollments of the batch are locked, ids in order, with every other enrollment that a hard bounce stops.
3. Messages move, each conditional on its worker and fence. What does not move is recorded as evidence.
4. Enrollments advance or stop; suppressions; one event per fact.
5. What puts the credential's health in question asks for a judgement, last: nobody waits behind it.
"""

import logging
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import DataError, IntegrityError, transaction

from ampout.lib import clock, sql
from dispatch.models import Attempt, Message
from dispatch.rules.message_state import MessageState
from dispatch.rules.smtp_reply import Blame, VerdictReason
from dispatch.services import advance, evidence, health, lanes
from dispatch.services.late_words import without_words_of_erased

logger = logging.getLogger(__name__)

_MOVE = """
UPDATE dispatch_message message
SET state = settled.state, reason = settled.reason, due_at = settled.due_at,
    reply_code = settled.code, reply_text = settled.text,
    delivered_message_id = settled.delivered, subject = CASE WHEN settled.subject = '' THEN message.subject
                                                             ELSE settled.subject END,
    attempts = message.attempts + settled.transactions,
    first_attempt_at = COALESCE(message.first_attempt_at, settled.started_at),
    settled_at = settled.ended_at, worker_id = NULL
FROM unnest(%(ids)s::uuid[], %(fences)s::int[], %(states)s::text[], %(reasons)s::text[], %(dues)s::timestamptz[],
            %(codes)s::int[], %(texts)s::text[], %(delivered)s::text[], %(subjects)s::text[], %(transactions)s::int[],
            %(started)s::timestamptz[], %(ended)s::timestamptz[])
     AS settled(id, fence, state, reason, due_at, code, text, delivered, subject, transactions, started_at, ended_at)
WHERE message.id = settled.id AND message.fence = settled.fence AND message.worker_id = %(worker)s
  AND message.state IN ('claimed', 'wire')
RETURNING message.id
"""

REPLY_TEXT_LIMIT = 1_000

_OURS = Blame.CREDENTIAL
"""Attempts that a refused login ended are recorded, and not counted against the contact."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one claim came to.

    `started_at` is empty when no SMTP transaction was begun (nothing was attempted, so nothing is counted);
    `due_at` is the retry of a deferred message, or the kept slot of one handed back as planned.
    """

    message_id: uuid.UUID
    fence: int
    credential_id: uuid.UUID
    state: MessageState
    reason: str
    ended_at: datetime
    started_at: datetime | None = None
    due_at: datetime | None = None
    stage: str = ""
    reply_code: int | None = None
    reply_text: str = ""
    blame: Blame = Blame.NOBODY
    hard_bounce: bool = False
    suppress: bool = False
    delivered_message_id: str = ""
    subject: str = ""


def settle(worker_id: uuid.UUID, outcomes: Sequence[Outcome]) -> set[uuid.UUID]:
    """Record these outcomes of `worker_id`'s claims; returns the ids of the messages that moved.

    The others were taken over meanwhile: their outcome is kept as evidence, and resolves them where they are `unknown`.
    """
    with transaction.atomic():
        watched = lanes.note_transactions(outcomes)
        advance.lock_enrollments(outcomes)
        moved = _move(worker_id, outcomes)
        outcomes = without_words_of_erased(outcomes, moved)
        _record_attempts(worker_id, outcomes, moved)
        advance.draw_consequences([outcome for outcome in outcomes if outcome.message_id in moved])
        health.note_due(watched | _troubled(outcomes), now=clock.utc_now())
    for outcome in outcomes:
        if outcome.message_id not in moved and outcome.started_at is not None:
            _resolve(outcome)
    return moved


@transaction.atomic
def _resolve(outcome: Outcome) -> None:
    if evidence.resolve_by_late_outcome(outcome):
        health.note_due(_troubled([outcome]), now=clock.utc_now())


def questions_health(outcome: Outcome) -> bool:
    """Whether an outcome puts its credential's health in question."""
    return outcome.hard_bounce or outcome.reason == VerdictReason.LOGIN_REFUSED


def _troubled(outcomes: Sequence[Outcome]) -> set[uuid.UUID]:
    return {outcome.credential_id for outcome in outcomes if questions_health(outcome)}


def settle_each(worker_id: uuid.UUID, outcomes: Sequence[Outcome]) -> set[uuid.UUID]:
    """Settle a batch; where the batch as a whole cannot be written, one by one, so that one outcome harms no other.

    An outcome that cannot be written by itself is settled without the server's words.
    """
    try:
        return settle(worker_id, outcomes)
    except (DataError, IntegrityError, ValueError):
        logger.exception("A batch of %d outcomes could not be written whole.", len(outcomes))
    moved: set[uuid.UUID] = set()
    for outcome in outcomes:
        try:
            moved |= settle(worker_id, [outcome])
        except (DataError, IntegrityError, ValueError):
            logger.exception("Message %s: the outcome is settled without its texts.", outcome.message_id)
            moved |= settle(worker_id, [replace(outcome, reply_text="", subject="", delivered_message_id="")])
    return moved


def _move(worker_id: uuid.UUID, outcomes: Sequence[Outcome]) -> set[uuid.UUID]:
    facts = {
        "worker": worker_id,
        "ids": [outcome.message_id for outcome in outcomes],
        "fences": [outcome.fence for outcome in outcomes],
        "states": [outcome.state.value for outcome in outcomes],
        "reasons": [str(outcome.reason) for outcome in outcomes],
        "dues": [outcome.due_at for outcome in outcomes],
        "codes": [outcome.reply_code for outcome in outcomes],
        "texts": [outcome.reply_text[:REPLY_TEXT_LIMIT] for outcome in outcomes],
        "delivered": [outcome.delivered_message_id for outcome in outcomes],
        "subjects": [outcome.subject for outcome in outcomes],
        "transactions": [int(outcome.started_at is not None and outcome.blame is not _OURS) for outcome in outcomes],
        "started": [outcome.started_at for outcome in outcomes],
        "ended": [outcome.ended_at for outcome in outcomes],
    }
    return {row[0] for row in sql.fetch(_MOVE, facts)}


def _record_attempts(worker_id: uuid.UUID, outcomes: Iterable[Outcome], moved: set[uuid.UUID]) -> None:
    attempted = [outcome for outcome in outcomes if outcome.started_at is not None]
    if not attempted:
        return
    ids = [outcome.message_id for outcome in attempted]
    accounts = dict(Message.everywhere.filter(pk__in=ids).values_list("pk", "account_id"))
    Attempt.everywhere.bulk_create(
        Attempt(
            account_id=accounts[outcome.message_id],
            message_id=outcome.message_id,
            credential_id=outcome.credential_id,
            worker_id=worker_id,
            fence=outcome.fence,
            started_at=outcome.started_at,
            ended_at=outcome.ended_at,
            stage=outcome.stage,
            state=outcome.state.value,
            reason=str(outcome.reason),
            reply_code=outcome.reply_code,
            reply_text=outcome.reply_text[:REPLY_TEXT_LIMIT],
            is_evidence=outcome.message_id not in moved,
        )
        for outcome in attempted
    )
