"""Contacts: shown, changed, deleted, unsubscribed, exported and erased. They come in by imports."""

import uuid
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from ampout.api.fields import EmailAddress, Instant, Text
from ampout.api.resources import Resource
from campaigns.models import Contact
from campaigns.selectors.contacts import contacts_of, find_contact
from campaigns.services.contacts import update_contact
from dispatch.services import deletion, stops
from dispatch.services.export import export_contact

EMAIL = EmailAddress()
CONTACT = {
    "email": EMAIL,
    "first_name": Text(),
    "last_name": Text(),
    "company": Text(),
    "source": Text(),
    "lawful_basis": Text(),
    "consent_at": Instant(null=True),
}


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


class ContactDetail(Resource):
    """`GET|PATCH|DELETE /contacts/:id`."""

    def get(self, _request: Request, contact_id: uuid.UUID) -> Response:
        """Show it."""
        return Response(show_contact(find_contact(self.account, contact_id)))

    def patch(self, _request: Request, contact_id: uuid.UUID) -> Response:
        """Set what was given."""
        values = self.read("contact", CONTACT, partial=True)
        return Response(show_contact(update_contact(self.account, contact_id, values)))

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
        """Erase the person: personal fields go, the ledger and the suppressions stay."""
        self.read("contact", {})
        deletion.erase_contact(self.account, contact_id)
        return Response({"id": contact_id, "status": "erased"})
