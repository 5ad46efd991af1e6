"""Reads of contacts, imports and suppressions, always within one account."""

import uuid
from collections.abc import Container, Sequence

from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from ampout.accounts.models import Account
from ampout.lib.errors import NotFound
from campaigns.models import Contact, ContactImport, Suppression

MOST_MISSING = 100
"""Places of missing contacts that are told."""


def contacts_of(account: Account | uuid.UUID) -> QuerySet[Contact]:
    """The contacts of an account that were not deleted."""
    return Contact.objects.of(account).filter(deleted_at__isnull=True)


def find_contact(account: Account, contact_id: uuid.UUID) -> Contact:
    """A contact that was not deleted. Raises NotFound."""
    found: Contact | None = contacts_of(account).filter(pk=contact_id).first()
    if found is None:
        raise NotFound("contact_not_found")
    return found


def find_contacts(account: Account, contact_ids: Sequence[uuid.UUID]) -> list[Contact]:
    """Contacts that were not deleted, each once, in this order. Raises NotFound naming the places of those missing."""
    found = contacts_of(account).in_bulk(list(contact_ids))
    raise_missing(contact_ids, found)
    return [found[contact_id] for contact_id in dict.fromkeys(contact_ids)]


def raise_missing(contact_ids: Sequence[uuid.UUID], found: Container[uuid.UUID]) -> None:
    """Raises NotFound where some of these are not among `found`; told by place, as an id of another's tells nothing."""
    missing = [place for place, contact_id in enumerate(contact_ids) if contact_id not in found]
    if missing:
        refusal = NotFound("contact_not_found")
        refusal.details = {f"contact_ids.{place}": [refusal.message] for place in missing[:MOST_MISSING]}
        raise refusal


def imports_of(account: Account) -> QuerySet[ContactImport]:
    """The imports that were not deleted, each with `contact_count`: how many of its contacts there are now."""
    # Counted are those that are gone, which are fewer: a contact never leaves its import otherwise.
    gone = Contact.everywhere.filter(contact_import=OuterRef("pk"), deleted_at__isnull=False).order_by()
    counted = Subquery(gone.values("contact_import").annotate(count=Count("pk")).values("count"))
    imports: QuerySet[ContactImport] = ContactImport.objects.of(account).filter(deleted_at__isnull=True)
    return imports.annotate(contact_count=F("record_count") - Coalesce(counted, 0))


def find_import(account: Account, import_id: uuid.UUID) -> ContactImport:
    """An import that was not deleted, with its `contact_count`. Raises NotFound."""
    found: ContactImport | None = imports_of(account).filter(pk=import_id).first()
    if found is None:
        raise NotFound("contact_import_not_found")
    return found


def suppressions_of(account: Account | uuid.UUID) -> QuerySet[Suppression]:
    """What is suppressed in an account; rows without a scope suppress nothing and are left out."""
    return Suppression.objects.of(account).exclude(scope="")


def suppressions_on(contact: Contact) -> QuerySet[Suppression]:
    """What suppresses this contact: its address, its domain, or both."""
    digests = [bytes(contact.address_digest), bytes(contact.domain_digest)]
    return suppressions_of(contact.account_id).filter(digest__in=digests)
