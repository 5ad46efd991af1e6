"""What comes back is stored raw and once, answered at once, and judged later, each in a transaction of its own.

1. A batch of what is due is claimed: each counts one try and is put off, so that one that kills its process comes
   again later and holds up no other. One from which nobody came back is claimed alone, and after DEATHS_TO_QUARANTINE
   such tries it is quarantined: its verdict says so, and it is judged again only where an operator asks for it.
2. Each is locked, judged, and its consequences drawn, in one transaction. Whoever holds its lock is left to it.
3. One that cannot be judged keeps the error and its time for another try.
4. The health of the credentials that were bounced at is judged.
"""

import hashlib
import logging
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, transaction

from ampout.lib import clock, sql
from ampout.lib.text import storable
from credentials.models import ProviderHook
from dispatch.models import Notice
from dispatch.rules.mail.reader import read_mail
from dispatch.services import consequences, erasure, health, judgement, named
from dispatch.services.consequences import Drawn, Finding
from dispatch.services.failpoints import crash, crash_over
from dispatch.services.judgement import IMAP

logger = logging.getLogger(__name__)

AT_ONCE = 25
"""Notices claimed by one statement."""

DEATHS_TO_QUARANTINE = 3
POISON: dict[str, Any] = {
    "kind": None,
    "quarantined": "poison",
    "evidence": [f"{DEATHS_TO_QUARANTINE} processes died while they judged it."],
}
"""The verdict on a notice that nobody survived."""

LONGEST_MAIL = 1_200_000
"""Bytes that are kept of a mail: header block and body as far as they are read (promises 3.2)."""

LONGEST_HEADERS = 65_536
LONGEST_ERROR = 500
A_MOMENT = timedelta(seconds=20)
_JUDGED_FIELDS = (
    *("processed_at", "next_try_at", "verdict", "error", "failures", "deaths", "body", "headers", "address_digests"),
)

_STORE = """
INSERT INTO dispatch_notice (id, account_id, credential_id, source, dedupe, headers, body, received_at, next_try_at,
                             failures, error, verdict, address_digests)
VALUES (%(id)s, %(account)s, %(credential)s, %(source)s, %(dedupe)s, %(headers)s, %(body)s, %(received_at)s, %(now)s,
        0, '', '{}', %(addresses)s)
ON CONFLICT (credential_id, dedupe) DO NOTHING
"""
# Tried again after 1, 2, 4, … minutes, at most a day. A suspect goes alone: whoever dies then died of it.
_CLAIM = """
WITH due AS (
    SELECT id, deaths, row_number() OVER (ORDER BY next_try_at, id) AS turn
    FROM (SELECT id, deaths, next_try_at FROM dispatch_notice WHERE processed_at IS NULL AND next_try_at <= %(now)s
          ORDER BY next_try_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS locked
), chosen AS (
    SELECT id FROM due WHERE turn = 1 OR turn < COALESCE((SELECT min(turn) FROM due WHERE deaths > 0), 2147483647)
)
UPDATE dispatch_notice notice
SET failures = LEAST(notice.failures + 1, 1000), deaths = LEAST(notice.deaths + 1, 1000),
    next_try_at = %(now)s + LEAST(interval '1 day', interval '1 minute' * power(2, LEAST(notice.failures, 11)))
FROM chosen WHERE notice.id = chosen.id
RETURNING notice.received_at, notice.id, notice.deaths, (SELECT count(*) FROM due)
"""


def store_mail(credential_id: uuid.UUID, account_id: uuid.UUID, raw: bytes, *, received_at: datetime) -> bool:
    """Keep a mail of a credential's mailbox, inside the caller's transaction. False when it was there already."""
    head, body = split_head(raw)
    headers = read_mail(head + b"\r\n\r\n")
    parts = [headers.header(name).encode("utf-8", "replace") for name in ("Message-ID", "Date", "From")]
    dedupe = hashlib.sha256(b"\0".join([*parts, body.replace(b"\r\n", b"\n").strip()])).digest()
    return _store(
        credential_id, account_id, IMAP, dedupe, body=raw[:LONGEST_MAIL], headers=_as_text(head), at=received_at
    )


def store_call(hook: ProviderHook, body: bytes, dedupe: bytes, *, received_at: datetime) -> bool:
    """Keep a provider's call, inside the caller's transaction. False when `dedupe` was there already."""
    return _store(hook.credential_id, hook.account_id, hook.provider, dedupe, body=body, headers="", at=received_at)


def split_head(raw: bytes) -> tuple[bytes, bytes]:
    """The header block of a mail, and what follows the first empty line."""
    ends = [(raw.find(end), len(end)) for end in (b"\r\n\r\n", b"\n\n")]
    found = [(place, length) for place, length in ends if place >= 0]
    if not found:
        return raw, b""
    place, length = min(found)
    return raw[:place], raw[place + length :]


def _as_text(head: bytes) -> str:
    return storable(head[:LONGEST_HEADERS].decode("utf-8", "replace"), LONGEST_HEADERS)


def _store(
    credential_id: uuid.UUID,
    account_id: uuid.UUID,
    source: str,
    dedupe: bytes,
    *,
    body: bytes,
    headers: str,
    at: datetime,
) -> bool:
    now = clock.utc_now()
    facts = {
        "id": uuid.uuid4(),
        "account": account_id,
        "credential": credential_id,
        "source": source,
        "dedupe": dedupe,
        "headers": headers,
        "body": body,
        "received_at": min(at, now),
        "now": now,
        # As far as they stand there undecoded; whoever judges it reads on.
        "addresses": sorted(named.digests_in(body.decode("utf-8", "replace"))),
    }
    return bool(sql.execute(_STORE, facts))


def process_due(limit: int = 200, *, now: datetime | None = None) -> int:
    """Judge up to `limit` notices that are due; returns how many were judged to their end."""
    judged = taken = 0
    while taken < limit:
        moment = now or clock.utc_now()
        batch = sorted(sql.fetch(_CLAIM, {"now": moment, "limit": min(AT_ONCE, limit - taken)}))
        crash("after_notice_claim")
        judged += sum(_try(notice_id, deaths - 1, now) for _, notice_id, deaths, _ in batch)
        taken += len(batch)
        if not batch or len(batch) == batch[0][3] < AT_ONCE:
            break
    return judged


def _try(notice_id: uuid.UUID, deaths: int, now: datetime | None) -> bool:
    if deaths >= DEATHS_TO_QUARANTINE:
        return _quarantine(notice_id, now or clock.utc_now())
    try:
        return judge(notice_id, now=now)
    except (OperationalError, InterfaceError):
        # The database's own trouble says nothing about the notice.
        logger.warning("Notice %s: the database did not let it be judged; it is tried again.", notice_id)
        with suppress(OperationalError, InterfaceError):
            Notice.everywhere.filter(pk=notice_id).update(deaths=deaths)
    except Exception as error:
        logger.exception("Notice %s could not be judged; it is tried again.", notice_id)
        words = storable(f"{type(error).__name__}: {error}", LONGEST_ERROR)
        Notice.everywhere.filter(pk=notice_id).update(error=words, deaths=0)
    return False


def _quarantine(notice_id: uuid.UUID, now: datetime) -> bool:
    """Set it aside as it is; nothing of it is read here."""
    waiting = Notice.everywhere.filter(pk=notice_id, processed_at=None)
    if waiting.update(processed_at=now, verdict=POISON, failures=0, deaths=0):
        logger.error("Notice %s is poison and quarantined: %s", notice_id, POISON["evidence"][0])
    return False


def judge(notice_id: uuid.UUID, *, now: datetime | None = None, again: bool = False) -> bool:
    """Judge one notice and draw the consequences; False where it is in other hands, or was judged before.

    `again` judges it anew: every effect is safe to repeat. One that was quicker than the settlement of its message has
    its effects at once, and is judged again in a moment for what could not be moved yet.
    """
    with transaction.atomic():
        drawn = _judge_locked(notice_id, now, again=again)
        crash("before_notice_commit")
    crash("after_notice_commit")
    if drawn is not None and drawn.to_judge:
        _judge_health(drawn.to_judge, now or clock.utc_now())
    return drawn is not None and not drawn.early


def _judge_health(credential_ids: Collection[uuid.UUID], now: datetime) -> None:
    try:
        health.judge_due(credential_ids, now=now)
    except Exception:
        # The notice is judged; whoever is due stays due, and gets no `wire` until the next look.
        logger.exception("The health of %d credentials could not be judged.", len(credential_ids))


def _judge_locked(notice_id: uuid.UUID, now: datetime | None, *, again: bool) -> Drawn | None:
    wanted = Notice.everywhere.select_for_update(skip_locked=True, of=("self",)).select_related("credential")
    notice = wanted.filter(pk=notice_id).first()
    if notice is None or (notice.processed_at is not None and not again):
        return None
    crash_over("judge", notice.headers)
    judged = judgement.judge(notice, now=now or clock.utc_now())
    # To understand a mail may take seconds, and what it stops is stopped only now.
    now = now or clock.utc_now()
    drawn = consequences.draw(notice, judged.findings, now=now)
    notice.verdict, notice.error, notice.failures, notice.deaths = judged.verdict, "", 0, 0
    if drawn.early:
        notice.next_try_at = now + A_MOMENT
    else:
        notice.processed_at = now
    if not _is_worth_keeping(notice, judged.findings):
        notice.body = b""
    _keep_nothing_of_the_erased(notice, drawn)
    notice.save(update_fields=_JUDGED_FIELDS)
    return drawn


def _keep_nothing_of_the_erased(notice: Notice, drawn: Drawn) -> None:
    """Empty what is about somebody who was erased, or names them; note whom else it names, for an erasure to come."""
    digests = named.digests_of_notice(notice, IMAP)
    erased = named.erased_among(notice.account_id, digests)
    notice.address_digests = list(digests)
    if drawn.erased or erased:
        notice.body, notice.headers, notice.address_digests = b"", "", []
        notice.verdict.pop("evidence", None)
    if erased:
        erasure.blank_feedback([notice.pk], erased)


def _is_worth_keeping(notice: Notice, findings: Sequence[Finding]) -> bool:
    """Not somebody's private mail, and no good news; a call about nothing of ours may be one that was misread."""
    return any(finding.kind is not None for finding in findings) or (notice.source != IMAP and not findings)


def judged_before(*, source: str = "", since: datetime | None = None, unmatched: bool = False) -> Iterator[uuid.UUID]:
    """The notices that can be judged again, as something is left of them, oldest first."""
    found = Notice.everywhere.exclude(body=b"", headers="")
    if source:
        found = found.filter(source=source)
    if since is not None:
        found = found.filter(received_at__gte=since)
    if unmatched:
        found = found.filter(feedback=None)
    yield from found.order_by("received_at", "pk").values_list("pk", flat=True).iterator(chunk_size=1_000)
