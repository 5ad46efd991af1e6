"""Clearing what is held about deleted contacts, wherever it is (docs/explanation/personal-data.md is its table).

1. Contacts with nothing under way, locked by id; then enrollments, messages, attempts, events, webhook deliveries, each
   in the order of their ids, as everybody takes them. What others write meanwhile either keeps nothing or is seen here.
2. What came back about their messages, and what names their address though it matched nobody.
3. The kept answers of `Idempotency-Key`s that hold their address.
4. Whoever has nothing left anywhere is marked as erased. What is in other hands right now, or not judged yet, is left
   to the next tick: whoever judges it keeps nothing of somebody who was erased.
"""

import uuid
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from ampout.accounts import idempotency
from ampout.accounts.row_security import past_the_wall
from ampout.lib import clock, sql
from campaigns.models import Contact
from dispatch.models import Feedback, Notice
from dispatch.rules.kept_answers import without_person
from dispatch.rules.message_state import OUTSTANDING
from dispatch.services import named
from dispatch.services.judgement import IMAP
from dispatch.services.matching import digest_of

TRIES = 5
"""A notice that could not be judged so often is emptied all the same: within the half hour."""

ANSWERS_AT_ONCE = 500
"""Kept answers that the call itself looks through; more of them are left to the next tick."""

AT_ONCE = 1_000
BATCHES_A_TICK = 50
NOTICES_AT_ONCE = 200

CLEARED_CONTACT: dict[str, Any] = {
    "email": "",
    "identity": "",
    "domain": "",
    "first_name": "",
    "last_name": "",
    "company": "",
    "custom_fields": {},
    "source": "",
    "lawful_basis": "",
    "consent_at": None,
}

# Under way: messages of theirs, and test messages to their address under nobody's name.
_IDLE = """
SELECT contact.id FROM campaigns_contact contact
WHERE contact.id = ANY(%(contacts)s) AND contact.deleted_at IS NOT NULL AND contact.erased_at IS NULL
  AND NOT EXISTS (
      SELECT FROM dispatch_message WHERE contact_id = contact.id AND state = ANY(%(outstanding)s)
  )
  AND NOT EXISTS (
      SELECT FROM dispatch_message message
      WHERE message.account_id = contact.account_id AND message.recipient_digest = contact.address_digest
        AND message.stream = 'test' AND message.state = ANY(%(outstanding)s)
  )
ORDER BY contact.id FOR NO KEY UPDATE OF contact
"""
_MESSAGES_OF = """
SELECT id FROM dispatch_message WHERE contact_id = ANY(%(contacts)s)
UNION
SELECT message.id FROM campaigns_contact contact
JOIN dispatch_message message ON message.account_id = contact.account_id
                             AND message.recipient_digest = contact.address_digest
WHERE contact.id = ANY(%(contacts)s) AND message.stream = 'test'
"""

# -- What was sent

_CLEAR_REASONS = """
UPDATE campaigns_enrollment SET bounce_reason = ''
WHERE id IN (SELECT id FROM campaigns_enrollment WHERE contact_id = ANY(%(contacts)s) ORDER BY id FOR NO KEY UPDATE)
"""
_CLEAR_MESSAGES = """
UPDATE dispatch_message SET recipient = '', subject = '', reply_text = ''
WHERE id IN (SELECT id FROM dispatch_message WHERE id = ANY(%(messages)s) ORDER BY id FOR UPDATE)
"""
# Servers like to repeat the address in their answers.
_CLEAR_ATTEMPTS = """
UPDATE dispatch_attempt SET reply_text = ''
WHERE id IN (SELECT id FROM dispatch_attempt WHERE message_id = ANY(%(messages)s) ORDER BY id FOR UPDATE)
"""

# -- What was told. Events are found by the facts' names, which are indexed.

_CLEAR_EVENTS = """
WITH facts AS (
    SELECT enrollment.account_id, kind || ':' || enrollment.id AS fact
    FROM campaigns_enrollment enrollment,
         unnest(ARRAY['enrollment.opened', 'enrollment.replied', 'enrollment.bounced', 'enrollment.unsubscribed']) kind
    WHERE enrollment.contact_id = ANY(%(contacts)s)
    UNION ALL
    SELECT enrollment.account_id, 'enrollment.sent:' || enrollment.id || ':' || position
    FROM campaigns_enrollment enrollment, generate_series(1, enrollment.next_position) position
    WHERE enrollment.contact_id = ANY(%(contacts)s)
)
UPDATE events_event SET data = data || '{"contact_email": null, "bounce_reason": null}'
WHERE sequence IN (
    SELECT event.sequence FROM events_event event
    JOIN facts ON event.account_id = facts.account_id AND event.fact = facts.fact
    ORDER BY event.sequence FOR NO KEY UPDATE OF event
)
RETURNING sequence
"""
# Receivers may repeat what they were told. Whoever records a call holds its delivery meanwhile.
_LOCK_DELIVERIES = """
SELECT id FROM events_webhookdelivery WHERE event_id = ANY(%(events)s) ORDER BY id FOR NO KEY UPDATE
"""
_CLEAR_EXCERPTS = """
UPDATE events_webhookattempt SET response_excerpt = ''
WHERE id IN (
    SELECT id FROM events_webhookattempt WHERE delivery_id = ANY(%(deliveries)s) AND response_excerpt <> ''
    ORDER BY id FOR UPDATE
)
"""

# -- What came back

_CLEAR_FEEDBACK = """
UPDATE dispatch_feedback
SET text = '', subject = '', sender = '', evidence = '[]', language = '', return_date = NULL
WHERE id IN (SELECT id FROM dispatch_feedback WHERE message_id = ANY(%(messages)s) ORDER BY id FOR UPDATE)
"""
_CLEAR_HITS = """
UPDATE dispatch_hit SET url = '', user_agent = '', network = ''
WHERE id IN (SELECT id FROM dispatch_hit WHERE message_id = ANY(%(messages)s) ORDER BY id FOR UPDATE)
"""
# Whoever judges a notice holds it, and comes to the message after us: such a one is passed over.
_EMPTY_NOTICES = """
UPDATE dispatch_notice
SET body = '', headers = '', error = '', verdict = verdict - 'evidence', address_digests = '{{}}',
    processed_at = COALESCE(processed_at, %(now)s)
WHERE id IN (
    SELECT notice.id FROM dispatch_notice notice WHERE notice.id IN ({found})
    ORDER BY notice.id FOR UPDATE SKIP LOCKED
)
RETURNING id
"""
_OF_MESSAGES = "SELECT notice_id FROM dispatch_feedback WHERE message_id = ANY(%(messages)s)"
# An address that came back as another contact's is that one's.
_NAMING = """
SELECT {wanted}.id
FROM campaigns_contact contact
JOIN dispatch_notice naming ON naming.account_id = contact.account_id
                           AND naming.address_digests @> ARRAY[contact.address_digest]
WHERE contact.id = ANY(%(contacts)s)
  AND NOT EXISTS (
      SELECT FROM campaigns_contact living
      WHERE living.account_id = contact.account_id AND living.address_digest = contact.address_digest
        AND living.deleted_at IS NULL
  )
"""
_NAMING_NOTICES = (
    _NAMING.format(wanted="naming") + "AND (naming.processed_at IS NOT NULL OR naming.failures >= %(tries)s)"
)
_EMPTY_OF_MESSAGES = _EMPTY_NOTICES.format(found=_OF_MESSAGES)
_EMPTY_NAMING = _EMPTY_NOTICES.format(found=_NAMING_NOTICES)

# -- The end

_STILL_NAMED = _NAMING.format(wanted="contact")
# Notices that were in other hands, and those of an earlier release, of which nobody knows yet whom they name.
_STILL_HELD = """
SELECT message.contact_id
FROM dispatch_message message
JOIN dispatch_feedback feedback ON feedback.message_id = message.id
JOIN dispatch_notice notice ON notice.id = feedback.notice_id
WHERE message.contact_id = ANY(%(contacts)s) AND NOT (notice.body = '' AND notice.headers = '')
UNION
SELECT contact.id
FROM campaigns_contact contact
WHERE contact.id = ANY(%(contacts)s)
  AND EXISTS (
      SELECT FROM dispatch_notice unread
      WHERE unread.account_id = contact.account_id AND unread.address_digests IS NULL
        AND NOT (unread.body = '' AND unread.headers = '')
  )
"""


@transaction.atomic
def clear(contact_ids: Sequence[uuid.UUID], *, now: datetime, answers_looked_through: bool = False) -> int:
    """Clear deleted contacts with nothing under way, a fixed number of queries; how many have nothing left anywhere.

    `answers_looked_through` says that kept answers are done with; otherwise a few of them are looked through here.
    """
    ids = [row[0] for row in sql.fetch(_IDLE, _facts(contacts=list(contact_ids)))]
    messages = [row[0] for row in sql.fetch(_MESSAGES_OF, {"contacts": ids})]
    facts = _facts(contacts=ids, messages=messages, now=now, tries=TRIES)
    for statement in (_CLEAR_REASONS, _CLEAR_MESSAGES, _CLEAR_ATTEMPTS):
        sql.execute(statement, facts)
    _clear_what_was_told(facts)
    for statement in (_CLEAR_FEEDBACK, _CLEAR_HITS):
        sql.execute(statement, facts)
    with past_the_wall():
        emptied = [row[0] for query in (_EMPTY_OF_MESSAGES, _EMPTY_NAMING) for row in sql.fetch(query, facts)]
    digests = {bytes(row) for row in _contacts(ids).values_list("address_digest", flat=True)}
    blank_feedback(emptied, digests)
    is_done = answers_looked_through or _empty_answers_at_once(ids, digests)
    return _mark(ids, facts, now if is_done else None)


def _facts(**facts: Any) -> dict[str, Any]:
    return {"outstanding": sorted(state.value for state in OUTSTANDING)} | facts


def _contacts(ids: Collection[uuid.UUID]) -> Any:
    return Contact.everywhere.filter(pk__in=ids)


def _clear_what_was_told(facts: dict[str, Any]) -> None:
    events = [row[0] for row in sql.fetch(_CLEAR_EVENTS, facts)]
    deliveries = [row[0] for row in sql.fetch(_LOCK_DELIVERIES, {"events": events})]
    sql.execute(_CLEAR_EXCERPTS, {"deliveries": deliveries})


def _mark(ids: Sequence[uuid.UUID], facts: dict[str, Any], erased_at: datetime | None) -> int:
    with past_the_wall():
        held = {row[0] for query in (_STILL_NAMED, _STILL_HELD) for row in sql.fetch(query, facts)}
    _contacts(ids).update(**CLEARED_CONTACT)
    return int(_contacts(set(ids) - held).update(erased_at=erased_at)) if erased_at is not None else 0


def blank_feedback(notice_ids: Collection[uuid.UUID], digests: Collection[bytes]) -> None:
    """Take these addresses out of what the notices said about messages to others; all of it where they wrote it."""
    said = Feedback.everywhere.select_for_update(of=("self",)).filter(notice__in=list(notice_ids))
    kept = list(said.exclude(sender="", subject="", text="", evidence=[]).order_by("pk"))
    for feedback in kept:
        if named.digests_in(feedback.sender) & set(digests):
            feedback.sender = feedback.subject = feedback.text = ""
        feedback.subject = named.without(feedback.subject, digests)
        feedback.text = named.without(feedback.text, digests)
        feedback.evidence = [named.without(str(one), digests) for one in feedback.evidence]
    Feedback.everywhere.bulk_update(kept, ["sender", "subject", "text", "evidence"])


# -- Kept answers


def _empty_answers_at_once(ids: Collection[uuid.UUID], digests: Collection[bytes]) -> bool:
    """Whether all of them could be looked through here."""
    accounts = list(_contacts(ids).order_by().values_list("account_id", flat=True).distinct()[:2])
    if len(accounts) != 1:
        return not accounts
    records = idempotency.answers_of(f"account:{accounts[0]}", limit=ANSWERS_AT_ONCE + 1)
    idempotency.rewrite_answers(records[:ANSWERS_AT_ONCE], _without(digests))
    return len(records) <= ANSWERS_AT_ONCE


def _without(digests: Collection[bytes]) -> Callable[[str], str]:
    return lambda answer: without_person(answer, lambda address: digest_of(address) in digests)


# -- Later


def clear_late_ones(*, now: datetime | None = None) -> int:
    """Clear the deleted contacts that could not be cleared whole yet; how many have nothing left anywhere."""
    now = now or clock.utc_now()
    waiting = Contact.everywhere.filter(deleted_at__isnull=False, erased_at__isnull=True)
    rows = list(
        waiting.order_by("deleted_at", "pk").values_list("pk", "account_id", "address_digest")[
            : AT_ONCE * BATCHES_A_TICK
        ]
    )
    by_account: dict[uuid.UUID, set[bytes]] = {}
    for _, account_id, digest in rows:
        by_account.setdefault(account_id, set()).add(bytes(digest))
    for account_id, digests in sorted(by_account.items()):
        _prepare(account_id, digests)
    ids = [row[0] for row in rows]
    chunks = [ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE)]
    return sum(clear(chunk, now=now, answers_looked_through=True) for chunk in chunks)


def _prepare(account_id: uuid.UUID, digests: Collection[bytes]) -> None:
    """What an account's waiting contacts have in common: its kept answers, and the notices of an earlier release."""
    records = idempotency.answers_of(f"account:{account_id}")
    for start in range(0, len(records), ANSWERS_AT_ONCE):
        idempotency.rewrite_answers(records[start : start + ANSWERS_AT_ONCE], _without(digests))
    for _ in range(BATCHES_A_TICK):
        if look_through(account_id) < NOTICES_AT_ONCE:
            break


@transaction.atomic
def look_through(account_id: uuid.UUID) -> int:
    """Note whom the next notices name of which that is not known; how many they were."""
    unread = Notice.objects.of(account_id).filter(address_digests=None).exclude(body=b"", headers="")
    notices = list(unread.select_for_update(of=("self",), skip_locked=True).order_by("pk")[:NOTICES_AT_ONCE])
    for notice in notices:
        notice.address_digests = named.digests_of_notice(notice, IMAP)
        notice.save(update_fields=["address_digests"])
    return len(notices)
