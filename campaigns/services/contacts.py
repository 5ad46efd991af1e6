"""Changes of single contacts. What stops or deletes them is a service of `dispatch`."""

import uuid
from typing import Any

from django.db import IntegrityError, transaction

from ampout.accounts.models import Account
from ampout.lib.addresses import Address
from ampout.lib.errors import NotFound, Unprocessable, ValidationFailed
from campaigns.models import Contact, Enrollment
from campaigns.selectors.contacts import contacts_of
from campaigns.services.digests import address_digest, domain_digest


@transaction.atomic
def update_contact(account: Account, contact_id: uuid.UUID, values: dict[str, Any]) -> Contact:
    """Set fields of a contact: `email` as an Address, `custom_fields` as a whole, the others as they are.

    Raises NotFound, ValidationFailed when another contact has the address, Unprocessable when the contact was enrolled
    and the address would become another one: what was sent, and what suppresses it, belongs to the old one.
    """
    contact = contacts_of(account).select_for_update(of=("self",)).filter(pk=contact_id).first()
    if contact is None:
        raise NotFound("contact_not_found")
    address: Address | None = values.get("email")
    if address is not None:
        _check_new_address(contact, address)
        values = values | _address_columns(address)
    for name, value in values.items():
        setattr(contact, name, value)
    _save(contact, list(values))
    return contact


def _check_new_address(contact: Contact, address: Address) -> None:
    enrolled = Enrollment.objects.of(contact.account_id).filter(contact=contact)
    if address.identity != contact.identity and enrolled.exists():
        raise Unprocessable("This contact was enrolled: import the new address as another contact instead.")


def _save(contact: Contact, names: list[str]) -> None:
    try:
        with transaction.atomic():
            contact.save(update_fields=names)
    except IntegrityError:
        raise ValidationFailed({"email": ["Another contact of this account has this address."]}) from None


def _address_columns(address: Address) -> dict[str, Any]:
    return {
        "email": address.original,
        "identity": address.identity,
        "domain": address.domain,
        "address_digest": address_digest(address.identity),
        "domain_digest": domain_digest(address.domain),
    }
