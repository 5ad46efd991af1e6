"""Deleting and erasing: what has not started is cancelled, the ledger and the suppressions stay (design: Deleting)."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from ampout.accounts.models import Account
from ampout.lib import clock, sql
from ampout.lib.errors import NotFound
from campaigns.models import Campaign, CampaignCredential, Contact, ContactImport
from campaigns.rules.enrollment_state import StopReason
from campaigns.selectors.contacts import find_contacts
from credentials.models import SmtpCredential
from dispatch.services import erasure
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


@transaction.atomic
def delete_contacts(account: Account, contact_ids: Sequence[uuid.UUID], *, now: datetime | None = None) -> int:
    """Delete these contacts as `delete_contact` does; how many they are. Raises NotFound, and then deletes none."""
    ids = [contact.pk for contact in find_contacts(account, contact_ids)]
    _delete_contacts(Contact.objects.of(account).filter(pk__in=ids, deleted_at__isnull=True), now or clock.utc_now())
    return len(ids)


@transaction.atomic
def erase_contact(account: Account, contact_id: uuid.UUID, *, now: datetime | None = None) -> bool:
    """Erase a person: the same as deletion, asked for by the person (GDPR, article 17). Asking again is no harm.

    Returns whether nothing is left anywhere; otherwise a later tick clears the rest. Raises NotFound.
    """
    now = now or clock.utc_now()
    contact = Contact.objects.of(account).filter(pk=contact_id)
    deleted = list(contact.values_list("deleted_at", flat=True))
    if not deleted:
        raise NotFound("contact_not_found")
    if deleted[0] is None:
        _delete_contacts(contact.filter(deleted_at__isnull=True), now)
    else:
        erasure.clear([contact_id], now=now)
    return bool(contact.filter(erased_at__isnull=False).exists())


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
    erasure.clear(ids, now=now)
