"""Idempotency keys: the first answer to a call is kept for 24 hours and given again, with no second effect.

1. `reserve` marks the key as in flight, in a commit of its own: whoever comes second is told so, or gets the answer.
2. `hold`, the effect and `keep` share one transaction: either all are there or none is.
3. `release` takes the mark away when the answer is not one to keep. A mark whose process died expires after 60 s; one
   that is held does not, however long its call takes: PostgreSQL lets go of it when the process dies.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from ampout.accounts.models import IdempotencyRecord
from ampout.lib import clock
from ampout.lib.crypto import DecryptionFailed
from ampout.lib.errors import AmpoutError, Unprocessable

KEPT_FOR = timedelta(hours=24)
MARK_EXPIRES_AFTER = timedelta(seconds=60)
PURGE_BATCH = 5_000


class IdempotencyInFlight(AmpoutError):
    """Another request with this key is being answered."""

    code = "idempotency_in_flight"
    http_status = 409

    def __init__(self) -> None:
        super().__init__("A request with this Idempotency-Key is still being answered. Try again shortly.")


@dataclass(frozen=True, slots=True)
class Call:
    """What a key is scoped to: who calls, and what."""

    scope: str
    method: str
    path: str
    key: str


@dataclass(frozen=True, slots=True)
class Reservation:
    """The mark of a call that is in flight."""

    record_id: int
    token: uuid.UUID


@dataclass(frozen=True, slots=True)
class Answer:
    """A kept answer: HTTP status and body."""

    status: int
    body: str


def reserve(call: Call, body_digest: str, *, now: datetime | None = None) -> Reservation | Answer:
    """Mark the call as in flight, or return the answer that it got before.

    Call it outside any transaction. Raises IdempotencyInFlight, and Unprocessable when the key was used with another
    body.
    """
    now = now or clock.utc_now()
    token = uuid.uuid4()
    record, created = IdempotencyRecord.objects.get_or_create(
        scope=call.scope,
        method=call.method,
        path=call.path,
        key=call.key,
        defaults={"body_digest": body_digest, "token": token, "started_at": now},
    )
    if created or _take_over(record, token, body_digest, now):
        return Reservation(record.pk, token)
    if record.body_digest != body_digest:
        raise Unprocessable("This Idempotency-Key was used with another body. Use a new key for a new request.")
    if record.status is None:
        raise IdempotencyInFlight
    return Answer(record.status, record.answer)


def _take_over(record: IdempotencyRecord, token: uuid.UUID, body_digest: str, now: datetime) -> bool:
    """Use a record anew that is past its 24 hours, or whose process died while it was in flight."""
    if record.started_at > now - MARK_EXPIRES_AFTER:
        return False
    abandoned = Q(answered_at__isnull=True, started_at__lte=now - MARK_EXPIRES_AFTER)
    outlived = Q(started_at__lte=now - KEPT_FOR)
    with transaction.atomic():
        # Whoever holds it is alive.
        free = IdempotencyRecord.objects.select_for_update(skip_locked=True).filter(abandoned | outlived, pk=record.pk)
        if not free.exists():
            return False
        IdempotencyRecord.objects.filter(pk=record.pk).update(
            body_digest=body_digest, token=token, started_at=now, answered_at=None, status=None, answer=""
        )
    return True


def hold(reservation: Reservation) -> None:
    """Hold the mark until the transaction ends, so that nobody takes it over meanwhile.

    Raises IdempotencyInFlight when somebody did before.
    """
    ours = IdempotencyRecord.objects.filter(pk=reservation.record_id, token=reservation.token, answered_at__isnull=True)
    if not ours.select_for_update().exists():
        raise IdempotencyInFlight


def keep(reservation: Reservation, answer: Answer, *, now: datetime | None = None) -> None:
    """Keep the answer, in the transaction of the effect.

    Raises IdempotencyInFlight when the mark was taken over meanwhile: the effect must not commit.
    """
    kept = IdempotencyRecord.objects.filter(
        pk=reservation.record_id, token=reservation.token, answered_at__isnull=True
    ).update(status=answer.status, answer=answer.body, answered_at=now or clock.utc_now())
    if not kept:
        raise IdempotencyInFlight


def release(reservation: Reservation) -> None:
    """Take the mark away: the call may be repeated at once."""
    IdempotencyRecord.objects.filter(
        pk=reservation.record_id, token=reservation.token, answered_at__isnull=True
    ).delete()


def answers_of(scope: str, *, limit: int | None = None) -> list[int]:
    """The records of a scope that keep an answer, oldest first."""
    kept = IdempotencyRecord.objects.filter(scope=scope, answered_at__isnull=False)
    return list(kept.order_by("pk").values_list("pk", flat=True)[:limit])


@transaction.atomic
def rewrite_answers(record_ids: Sequence[int], rewrite: Callable[[str], str]) -> None:
    """Keep what `rewrite` makes of these answers: the calls keep their status, and are not carried out again."""
    changed = []
    for record in IdempotencyRecord.objects.filter(pk__in=record_ids).order_by("pk").select_for_update():
        answer = _readable(record)
        record.answer = rewrite(answer)
        if record.answer != answer:
            changed.append(record)
    IdempotencyRecord.objects.bulk_update(changed, ["answer"])


def _readable(record: IdempotencyRecord) -> str:
    """The kept answer; nothing where its key is gone, as then nobody can read it."""
    try:
        return str(record.answer)
    except DecryptionFailed:
        return ""


@transaction.atomic
def erase_old_answers(*, now: datetime | None = None) -> int:
    """Erase what is past its 24 hours, a batch at a time; returns how many records went."""
    limit = (now or clock.utc_now()) - KEPT_FOR
    old = IdempotencyRecord.objects.filter(started_at__lte=limit).order_by("started_at")
    # Locked, as a call may take one over at this very moment: its mark, and so its second effect, hangs on the record.
    ids = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:PURGE_BATCH])
    erased, _ = IdempotencyRecord.objects.filter(pk__in=ids).delete()
    return erased
