"""Contact imports: lists of people, as JSON or as a CSV file."""

import uuid
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from ampout.api.contacts import show_contact
from ampout.api.fields import MOST_PROBLEMS, Anything, ListOf, Text
from ampout.api.resources import Resource
from ampout.lib.addresses import parse_address
from ampout.lib.errors import AmpoutError, ValidationFailed
from campaigns.models import ContactImport
from campaigns.rules.contact_fields import clean_contact
from campaigns.selectors.contacts import contacts_of, find_import, imports_of
from campaigns.services.imports import Imported, NewContact, import_contacts, new_contact
from dispatch.services import deletion

NAME = Text(required=True, blank=False)
CONTACT_IMPORT = {"name": NAME, "contacts": ListOf(item=Anything(), most=1_000_000)}


class NoContactsProvided(AmpoutError):
    """An import needs at least one contact."""

    code = "no_contacts_provided"

    def __init__(self) -> None:
        super().__init__("There are no contacts in this import. Send at least one.")


def show_import(contact_import: ContactImport) -> dict[str, Any]:
    """An import; `contact_count` is how many of its contacts there are now, `errors` are the first rejected rows."""
    return {
        "id": contact_import.pk,
        "name": contact_import.name,
        "record_count": contact_import.record_count,
        "contact_count": getattr(contact_import, "contact_count", contact_import.record_count),
        "skipped": contact_import.skipped_count,
        "error_count": contact_import.error_count,
        "errors": contact_import.errors,
        "created_at": contact_import.created_at,
    }


def show_imported(imported: Imported) -> dict[str, Any]:
    """A new import, with the reasons of what was skipped."""
    return show_import(imported.contact_import) | {"skipped_reasons": imported.skipped}


def read_contacts(given: list[object]) -> list[NewContact]:
    """The contacts of a JSON import. Raises NoContactsProvided, and ValidationFailed naming each row's fields."""
    if not given:
        raise NoContactsProvided
    contacts: list[NewContact] = []
    problems: dict[str, list[str]] = {}
    for index, row in enumerate(given):
        if not isinstance(row, dict):
            problems[f"contacts.{index}"] = ["Must be an object."]
            continue
        fields, errors = clean_contact(row, parse_email=parse_address)
        problems |= {f"contacts.{index}.{name}": messages for name, messages in errors.items()}
        if len(problems) >= MOST_PROBLEMS:
            break
        if not errors:
            contacts.append(new_contact(fields))
    if problems:
        raise ValidationFailed(problems)
    return contacts


class ContactImports(Resource):
    """`GET|POST /contact_imports`."""

    accepts_upload = True

    def get(self, _request: Request) -> Response:
        """The imports, newest first."""
        return self.answer_list(imports_of(self.account), show_import)

    def post(self, _request: Request) -> Response:
        """Import contacts: all rows of a JSON body or none."""
        values = self.read("contact_import", CONTACT_IMPORT)
        contacts = read_contacts(values.get("contacts", []))
        return Response(show_imported(import_contacts(self.account, values["name"], contacts)), status=201)


class ContactImportDetail(Resource):
    """`GET|DELETE /contact_imports/:id`."""

    def get(self, _request: Request, contact_import_id: uuid.UUID) -> Response:
        """Show it."""
        return Response(show_import(find_import(self.account, contact_import_id)))

    def delete(self, _request: Request, contact_import_id: uuid.UUID) -> Response:
        """Delete it with its contacts; the ledger and the suppressions stay."""
        deletion.delete_import(self.account, contact_import_id)
        return Response(status=204)


class ContactImportContacts(Resource):
    """`GET /contact_imports/:id/contacts`."""

    def get(self, _request: Request, contact_import_id: uuid.UUID) -> Response:
        """The contacts of one import, newest first."""
        contact_import = find_import(self.account, contact_import_id)
        return self.answer_list(contacts_of(self.account).filter(contact_import=contact_import), show_contact)
