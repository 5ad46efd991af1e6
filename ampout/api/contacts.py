"""Contacts: shown, changed, deleted, unsubscribed, exported and erased. They come in by imports."""

import uuid
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from ampout.api.fields import (
    MOST_ITEMS,
    Anything,
    EmailAddress,
    Id,
    Instant,
    JsonObject,
    JsonSchema,
    ListOf,
    Schema,
    Text,
)
from ampout.api.resources import Resource
from ampout.lib.addresses import Address, parse_address
from ampout.lib.errors import ValidationFailed
from campaigns.models import Contact
from campaigns.rules.contact_fields import (
    LONGEST_CUSTOM,
    LONGEST_STANDARD,
    PROVENANCE_FIELDS,
    STANDARD_FIELDS,
    ContactFields,
    clean_contact,
)
from campaigns.selectors.contacts import contacts_of, find_contact, find_contacts
from campaigns.services.contacts import update_contact
from dispatch.services import deletion, stops
from dispatch.services.export import export_contact

EMAIL = EmailAddress()
CHANGEABLE = ("email", *STANDARD_FIELDS, *PROVENANCE_FIELDS, "consent_at")

CONTACT_FIELDS: dict[str, JsonSchema] = {
    "email": EMAIL.describe(),
    **{name: Text(longest=LONGEST_STANDARD).describe() for name in (*STANDARD_FIELDS, *PROVENANCE_FIELDS)},
    "consent_at": Instant(null=True).describe(),
}
"""What `clean_contact` takes, but for the custom fields."""
CUSTOM_VALUE: JsonSchema = {"type": ["string", "number", "boolean", "null"], "maxLength": LONGEST_CUSTOM}
MANY_CONTACTS = {"contact_ids": ListOf(item=Id(), fewest=1, most=MOST_ITEMS, required=True)}
UNSUBSCRIBE = {
    "contact_ids": ListOf(item=Id(), fewest=1, most=MOST_ITEMS),
    "emails": ListOf(item=EmailAddress(), fewest=1, most=MOST_ITEMS),
}
CONTACT: Schema = {name: Anything(described=CONTACT_FIELDS[name]) for name in CHANGEABLE} | {
    "custom_fields": JsonObject(described=CUSTOM_VALUE)
}


def read_change(given: dict[str, Any]) -> ContactFields[Address]:
    """A change of a contact; `custom_fields` are named one by one. Raises ValidationFailed."""
    custom = given.pop("custom_fields", {})
    taken = {
        f"custom_fields.{name[:100]}": ["This name is a field of its own."] for name in custom if name in CHANGEABLE
    }
    fields, errors = clean_contact(given | custom, parse_email=parse_address, email_required=False)
    errors = {f"custom_fields.{name}" if name in custom else name: messages for name, messages in errors.items()}
    if errors or taken:
        raise ValidationFailed(errors | taken)
    return fields


def show_contact(contact: Contact) -> dict[str, Any]:
    """A contact as its account sees it."""
    return {
        "id": contact.pk,
        "contact_import_id": contact.contact_import_id,
        "email": contact.email,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "company": contact.company,
        "custom_fields": contact.custom_fields,
        "source": contact.source,
        "lawful_basis": contact.lawful_basis,
        "consent_at": contact.consent_at,
        "unsubscribed_at": contact.unsubscribed_at,
        "created_at": contact.created_at,
    }


class Contacts(Resource):
    """`GET /contacts`; `?email=` looks one up."""

    def get(self, _request: Request) -> Response:
        """The contacts, newest first."""
        contacts = contacts_of(self.account)
        email = self.query("email", EMAIL)
        if email is not None:
            contacts = contacts.filter(identity=email.identity)
        return self.answer_list(contacts, show_contact)


class UnsubscribeMany(Resource):
    """`POST /contacts/unsubscribe`."""

    def post(self, _request: Request) -> Response:
        """Unsubscribe many: contacts, or addresses, which need not be contacts."""
        values = self.read("unsubscribe", UNSUBSCRIBE)
        if len(values) != 1:
            raise ValidationFailed({"contact_ids": ["Give either `contact_ids` or `emails`."]})
        if "emails" in values:
            targets = [stops.address_target(email) for email in values["emails"]]
        else:
            targets = [stops.contact_target(one) for one in find_contacts(self.account, values["contact_ids"])]
        return Response({"unsubscribed": stops.unsubscribe_all(self.account, targets)})


class DeleteMany(Resource):
    """`POST /contacts/delete`."""

    def post(self, _request: Request) -> Response:
        """Delete many contacts, or none when one is missing."""
        values = self.read("delete", MANY_CONTACTS)
        return Response({"deleted": deletion.delete_contacts(self.account, values["contact_ids"])})


class ContactDetail(Resource):
    """`GET|PATCH|DELETE /contacts/:id`."""

    def get(self, _request: Request, contact_id: uuid.UUID) -> Response:
        """Show it."""
        return Response(show_contact(find_contact(self.account, contact_id)))

    def patch(self, _request: Request, contact_id: uuid.UUID) -> Response:
        """Set what was given."""
        change = read_change(self.read("contact", CONTACT, partial=True))
        return Response(show_contact(update_contact(self.account, contact_id, change)))

    def delete(self, _request: Request, contact_id: uuid.UUID) -> Response:
        """Delete it: its sequences stop, its address stays suppressed where it was."""
        deletion.delete_contact(self.account, contact_id)
        return Response(status=204)


class ContactUnsubscribe(Resource):
    """`POST /contacts/:id/unsubscribe`."""

    def post(self, _request: Request, contact_id: uuid.UUID) -> Response:
        """Stop everything but single messages to this address; again changes nothing."""
        self.read("contact", {})
        stops.unsubscribe_contact(find_contact(self.account, contact_id))
        return Response(show_contact(find_contact(self.account, contact_id)))


class ContactExport(Resource):
    """`GET /contacts/:id/export`."""

    def get(self, _request: Request, contact_id: uuid.UUID) -> Response:
        """Everything that is held about this person."""
        return Response(export_contact(find_contact(self.account, contact_id)))


class ContactErase(Resource):
    """`POST /contacts/:id/erase`."""

    def post(self, _request: Request, contact_id: uuid.UUID) -> Response:
        """Erase the person: what is personal goes, the ledger and the suppressions stay. Again: how far it is.

        `erasing` while something of theirs is on the wire, or what came back is not judged yet.
        """
        self.read("contact", {})
        is_erased = deletion.erase_contact(self.account, contact_id)
        return Response({"id": contact_id, "status": "erased" if is_erased else "erasing"})
