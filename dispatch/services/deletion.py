"""Deleting and erasing: what has not started is cancelled, the ledger and the suppressions stay (design: Deleting)."""

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from ampout.accounts.models import Account
from ampout.lib import clock, sql
from ampout.lib.errors import NotFound
from campaigns.models import Campaign, CampaignCredential, Contact, ContactImport
from campaigns.rules.enrollment_state import StopReason
from credentials.models import SmtpCredential
from dispatch.models import Attempt, Message
from dispatch.rules.message_state import OUTSTANDING
from dispatch.services.lifecycle import lock_campaign
from dispatch.services.senders import let_go

# Set-based, as a campaign may have a million of them; ids in order, as every stop fact takes them.
_STOP = """
UPDATE campaigns_enrollment SET stopped_at = %(now)s, stop_reason = %(reason)s, next_due_at = NULL, wait_reason = ''
WHERE id IN (
    SELECT id FROM campaigns_enrollment
    WHERE {owner} = ANY(%(owners)s) AND stopped_at IS NULL ORDER BY id FOR NO KEY UPDATE
)
"""
_CANCEL = """
UPDATE dispatch_message SET state = 'cancelled', reason = %(reason)s, due_at = NULL, settled_at = %(now)s
WHERE id IN (
    SELECT id FROM dispatch_message
    WHERE {owner} = ANY(%(owners)s) AND state IN ('planned', 'deferred') ORDER BY id FOR UPDATE
)
"""

# Found by the facts' names, which are indexed.
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
UPDATE events_event event
SET data = event.data || '{"contact_email": null, "bounce_reason": null}'
FROM facts WHERE event.account_id = facts.account_id AND event.fact = facts.fact
"""

_CLEAR_REASONS = """
UPDATE campaigns_enrollment SET bounce_reason = ''
WHERE id IN (SELECT id FROM campaigns_enrollment WHERE contact_id = ANY(%(contacts)s) ORDER BY id FOR NO KEY UPDATE)
"""
_CLEAR_MESSAGES = """
UPDATE dispatch_message SET recipient = '', subject = '', reply_text = ''
WHERE id IN (SELECT id FROM dispatch_message WHERE id = ANY(%(messages)s) ORDER BY id FOR UPDATE)
"""
_CLEAR_FEEDBACK = """
UPDATE dispatch_feedback SET text = '', subject = '', sender = '', evidence = '[]' WHERE message_id = ANY(%(messages)s)
"""
# One that is being judged right now is passed over: its judge comes to the message after us, and keeps nothing.
_CLEAR_NOTICES = """
UPDATE dispatch_notice SET body = '', headers = '', error = '', verdict = verdict - 'evidence'
WHERE id IN (
    SELECT id FROM dispatch_notice
    WHERE id IN (SELECT notice_id FROM dispatch_feedback WHERE message_id = ANY(%(messages)s))
    ORDER BY id FOR UPDATE SKIP LOCKED
)
"""
_CLEAR_HITS = "UPDATE dispatch_hit SET url = '', user_agent = '', network = '' WHERE message_id = ANY(%(messages)s)"

# Their own, and the test messages that went to their address under nobody's name.
_MESSAGES_OF = """
SELECT id FROM dispatch_message WHERE contact_id = ANY(%(contacts)s)
UNION
SELECT message.id FROM campaigns_contact contact
JOIN dispatch_message message ON message.account_id = contact.account_id
                             AND message.recipient_digest = contact.address_digest
WHERE contact.id = ANY(%(contacts)s) AND message.stream = 'test' AND NOT (message.state = ANY(%(outstanding)s))
"""

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


def _stop_all(owner: str, owners: list[uuid.UUID], now: datetime) -> None:
    facts = {"owners": owners, "now": now, "reason": StopReason.OWNER_DELETED.value}
    sql.execute(_STOP.format(owner=owner), facts)
    sql.execute(_CANCEL.format(owner=owner), facts)


@transaction.atomic
def delete_campaign(account: Account, campaign_id: uuid.UUID, *, now: datetime | None = None) -> None:
    """Delete a campaign: 404 from now on; its credentials are let go. Raises NotFound."""
    now = now or clock.utc_now()
    campaign = lock_campaign(account, campaign_id)
    Campaign.everywhere.filter(pk=campaign.pk).update(deleted_at=now, updated_at=now)
    attached = CampaignCredential.objects.filter(campaign=campaign).order_by("credential_id")
    ids = list(attached.values_list("credential_id", flat=True))
    credentials = list(SmtpCredential.everywhere.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk"))
    attached.delete()
    _stop_all("campaign_id", [campaign.pk], now)
    for credential in credentials:
        let_go(campaign, credential, now=now)


@transaction.atomic
def delete_contact(account: Account, contact_id: uuid.UUID, *, now: datetime | None = None) -> None:
    """Delete a contact: its sequences stop, its personal fields are cleared. Raises NotFound."""
    contact = Contact.objects.of(account).filter(pk=contact_id, deleted_at__isnull=True)
    if not contact.exists():
        raise NotFound("contact_not_found")
    _delete_contacts(contact, now or clock.utc_now())


def erase_contact(account: Account, contact_id: uuid.UUID, *, now: datetime | None = None) -> None:
    """Erase a person: the same as deletion, asked for by the person (GDPR, article 17). Raises NotFound."""
    delete_contact(account, contact_id, now=now)


@transaction.atomic
def delete_import(account: Account, import_id: uuid.UUID, *, now: datetime | None = None) -> None:
    """Delete an import with its contacts and their enrollments. Raises NotFound."""
    now = now or clock.utc_now()
    found = ContactImport.objects.of(account).filter(pk=import_id, deleted_at__isnull=True)
    if not found.update(deleted_at=now):
        raise NotFound("contact_import_not_found")
    _delete_contacts(Contact.objects.of(account).filter(contact_import_id=import_id, deleted_at__isnull=True), now)


def _delete_contacts(contacts: "QuerySet[Contact]", now: datetime) -> None:
    # The contacts' rows first, ids in order: an enrolment holds them, and its enrollments are then seen below.
    ids = list(contacts.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    Contact.everywhere.filter(pk__in=ids).update(deleted_at=now)
    _stop_all("contact_id", ids, now)
    clear_personal_fields(ids)


@transaction.atomic
def clear_personal_fields(contact_ids: list[uuid.UUID]) -> int:
    """Clear the personal fields of deleted contacts with nothing under way; the others are cleared by a later tick.

    Contacts, enrollments, and messages are locked in this order, each by id: what came back is judged meanwhile, and
    either keeps nothing or is seen here.
    """
    busy = Message.everywhere.filter(
        contact_id__in=contact_ids, state__in=[state.value for state in OUTSTANDING]
    ).values("contact_id")
    idle = Contact.everywhere.filter(pk__in=contact_ids, deleted_at__isnull=False).exclude(pk__in=busy)
    ids = list(idle.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    sql.execute(_CLEAR_REASONS, {"contacts": ids})
    facts = {"contacts": ids, "outstanding": sorted(OUTSTANDING)}
    messages = [row[0] for row in sql.fetch(_MESSAGES_OF, facts)]
    sql.execute(_CLEAR_MESSAGES, {"messages": messages})
    # Servers like to repeat the address in their answers, and events tell of it.
    Attempt.everywhere.filter(message__in=messages).update(reply_text="")
    sql.execute(_CLEAR_EVENTS, {"contacts": ids})
    for statement in (_CLEAR_FEEDBACK, _CLEAR_NOTICES, _CLEAR_HITS):
        sql.execute(statement, {"messages": messages})
    return Contact.everywhere.filter(pk__in=ids).update(**CLEARED_CONTACT)


def clear_late_ones() -> int:
    """Clear the deleted contacts whose last message has come to its end since."""
    late = Contact.everywhere.filter(deleted_at__isnull=False).exclude(identity="")
    return clear_personal_fields(list(late.values_list("pk", flat=True)[:1_000]))
