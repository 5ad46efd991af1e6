"""Changes of single contacts. What stops or deletes them is a service of `dispatch`."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction

from ampout.accounts.models import Account
from ampout.lib.addresses import Address
from ampout.lib.errors import NotFound, Unprocessable, ValidationFailed
from campaigns.models import Contact, Enrollment
from campaigns.rules.contact_fields import MOST_CUSTOM, ContactFields
from campaigns.selectors.contacts import contacts_of
from campaigns.services.digests import address_digest, domain_digest


@transaction.atomic
def update_contact(account: Account, contact_id: uuid.UUID, change: ContactFields[Address]) -> Contact:
    """Set the fields that were given; a custom field that is given empty is removed, the others stay.

    Raises NotFound, ValidationFailed when another contact has the address, Unprocessable when the contact was enrolled
    and the address would become another one: what was sent, and what suppresses it, belongs to the old one.
    """
    contact = contacts_of(account).select_for_update(of=("self",)).filter(pk=contact_id).first()
    if contact is None:
        raise NotFound("contact_not_found")
    values: dict[str, Any] = dict(change.standard)
    if change.address is not None:
        _check_new_address(contact, change.address)
        values |= _address_columns(change.address)
    if change.has_consent_at:
        values["consent_at"] = change.consent_at
    if change.custom:
        values["custom_fields"] = _merged(contact.custom_fields, change.custom)
    _save(contact, values)
    return contact


def _merged(custom_fields: dict[str, str], change: Mapping[str, str]) -> dict[str, str]:
    merged = {name: value for name, value in (custom_fields | dict(change)).items() if value}
    if len(merged) > MOST_CUSTOM:
        raise ValidationFailed({"custom_fields": [f"A contact has at most {MOST_CUSTOM} custom fields."]})
    return merged


def _check_new_address(contact: Contact, address: Address) -> None:
    enrolled = Enrollment.objects.of(contact.account_id).filter(contact=contact)
    if address.identity != contact.identity and enrolled.exists():
        raise Unprocessable("This contact was enrolled: import the new address as another contact instead.")


def _save(contact: Contact, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(contact, name, value)
    try:
        with transaction.atomic():
            contact.save(update_fields=list(values))
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
