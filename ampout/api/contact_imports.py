"""Contact imports: lists of people, as JSON or as a CSV file."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from rest_framework.request import Request
from rest_framework.response import Response

from ampout.api.bodies import Part
from ampout.api.contacts import CONTACT_FIELDS, CUSTOM_VALUE, show_contact
from ampout.api.fields import MOST_PROBLEMS, Anything, Field, Invalid, JsonSchema, ListOf, Text, read_fields
from ampout.api.resources import Resource
from ampout.lib.addresses import parse_address
from ampout.lib.errors import ValidationFailed
from campaigns.models import ContactImport
from campaigns.rules.contact_fields import clean_contact
from campaigns.selectors.contacts import contacts_of, find_import, imports_of
from campaigns.services.csv_imports import import_csv
from campaigns.services.imports import Imported, NewContact, NoContactsProvided, import_contacts, new_contact
from dispatch.services import deletion

LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class File(Field):
    """A file of a form."""

    def read_value(self, value: object) -> "UploadedFile[bytes]":
        """The file. Raises Invalid."""
        if not isinstance(value, UploadedFile):
            raise Invalid("Must be a file.")
        return value

    def describe_value(self) -> JsonSchema:
        """Bytes, as forms hold them."""
        return {"type": "string", "contentMediaType": "text/csv"}


NEW_CONTACT: JsonSchema = {
    "type": "object",
    "properties": CONTACT_FIELDS,
    "required": ["email"],
    "additionalProperties": CUSTOM_VALUE,
}
CONTACT_IMPORT = {
    "name": Text(required=True, blank=False, longest=LONGEST_NAME),
    "contacts": ListOf(item=Anything(described=NEW_CONTACT), most=1_000_000),
}
UPLOAD = {"name": Text(blank=False, longest=LONGEST_NAME), "file": File(required=True)}


def show_import(contact_import: ContactImport) -> dict[str, Any]:
    """An import; `contact_count` is how many of its contacts there are now, `errors` are the first rejected rows."""
    return {
        "id": contact_import.pk,
        "name": contact_import.name,
        "record_count": contact_import.record_count,
        "contact_count": getattr(contact_import, "contact_count", contact_import.record_count),
        "skipped": contact_import.skipped_count,
        "skipped_reasons": contact_import.skipped_reasons,
        "error_count": contact_import.error_count,
        "errors": contact_import.errors,
        "created_at": contact_import.created_at,
    }


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


def read_upload(parts: Mapping[str, Part]) -> tuple[str, "UploadedFile[bytes]"]:
    """The name and the file of an upload; without a name, the file's own. Raises ValidationFailed."""
    bare = {name.removeprefix("contact_import[").removesuffix("]"): part for name, part in parts.items()}
    values = read_fields(UPLOAD, bare)
    file: UploadedFile[bytes] = values["file"]
    return values.get("name") or (file.name or "")[:LONGEST_NAME] or "CSV import", file


class ContactImports(Resource):
    """`GET|POST /contact_imports`."""

    accepts_upload = True

    def get(self, _request: Request) -> Response:
        """The imports, newest first."""
        return self.answer_list(imports_of(self.account), show_import)

    def post(self, _request: Request) -> Response:
        """Import contacts: all rows of a JSON body or none; of a CSV file, all that can be used."""
        return Response(show_import(self._import().contact_import), status=201)

    def _import(self) -> Imported:
        if self.body.parts is not None:
            name, file = read_upload(self.body.parts)
            return import_csv(self.account, name, file.chunks())
        values = self.read("contact_import", CONTACT_IMPORT)
        return import_contacts(self.account, values["name"], read_contacts(values.get("contacts", [])))


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
