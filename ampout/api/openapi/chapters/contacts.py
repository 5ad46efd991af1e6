"""Contacts, their imports, and whom nobody writes to."""

from ampout.api import contact_imports, contacts, suppressions
from ampout.api.openapi.operations import Chapter, Example, Operation
from ampout.api.openapi.shapes import (
    COUNT,
    EMAIL,
    ID,
    OBJECT,
    TEXT,
    TIME,
    Shape,
    list_of,
    map_of,
    object_of,
    one_of,
    or_null,
)
from campaigns.rules.suppression import SuppressionKind, SuppressionReason, SuppressionScope

CONTACT_IMPORT = Shape(
    "ContactImport",
    object_of(
        {
            "id": ID,
            "name": TEXT,
            "record_count": COUNT,
            "contact_count": COUNT,
            "skipped": COUNT,
            "skipped_reasons": map_of(COUNT),
            "error_count": COUNT,
            "errors": list_of(OBJECT),
            "created_at": TIME,
        }
    ),
)
CONTACT = Shape(
    "Contact",
    object_of(
        {
            "id": ID,
            "contact_import_id": or_null(ID),
            "email": EMAIL,
            "first_name": TEXT,
            "last_name": TEXT,
            "company": TEXT,
            "custom_fields": map_of(TEXT),
            "source": TEXT,
            "lawful_basis": TEXT,
            "consent_at": or_null(TIME),
            "unsubscribed_at": or_null(TIME),
            "created_at": TIME,
        }
    ),
)
EXPORT = Shape(
    "ContactExport",
    object_of(
        {
            "contact": OBJECT,
            "contact_import": or_null(OBJECT),
            **{
                name: list_of(OBJECT)
                for name in (
                    *("enrollments", "messages", "attempts", "feedback", "hits", "notices", "suppressions", "events"),
                    "webhook_answers",
                )
            },
        }
    ),
)
SUPPRESSION = Shape(
    "Suppression",
    object_of(
        {
            "id": ID,
            "kind": one_of(SuppressionKind),
            "scope": one_of(SuppressionScope),
            "reason": one_of(SuppressionReason),
            "created_at": TIME,
        }
    ),
)
SHAPES = (CONTACT_IMPORT, CONTACT, EXPORT, SUPPRESSION)

MAX = {
    "contact_import_id": "{import}",
    "email": "max@example.com",
    "first_name": "Max",
    "last_name": "",
    "company": "",
    "custom_fields": {"city": "Graz"},
    "source": "",
    "lawful_basis": "",
    "consent_at": None,
    "unsubscribed_at": None,
}
_EVA = {"email": "eva@example.com", "first_name": "Eva", "city": "Graz"}
_FAIR = {
    "name": "Fair",
    "record_count": 1,
    "contact_count": 1,
    "skipped": 0,
    "skipped_reasons": {},
    "error_count": 0,
    "errors": [],
}

CHAPTER = Chapter(
    "Contacts",
    "Contacts come in by imports, and belong to the account, not to a campaign.",
    (
        Operation(
            method="GET",
            path="/contact_imports",
            summary="List the imports",
            answer=list_of(CONTACT_IMPORT.ref),
            paged=True,
            example=Example(answer=[_FAIR]),
        ),
        Operation(
            method="POST",
            path="/contact_imports",
            summary="Import contacts",
            text="""
Takes contacts as JSON, or a CSV file as `multipart/form-data` with the parts `file` and `name`
([how to](../howto/import-contacts.md)). Of JSON, all rows are taken or none; of a file, all that can be used, and
`errors` tells the first hundred others by their line. Addresses that the account knows already are skipped and counted.

Refused with `no_contacts_provided`, and with `validation_failed` naming `contacts.0.email` and the like.
""",
            status=201,
            answer=CONTACT_IMPORT.ref,
            body=contact_imports.CONTACT_IMPORT,
            upload=contact_imports.UPLOAD,
            wrapper="contact_import",
            meanings={
                "name": "what the list is called; of a file its name unless given",
                "contacts": "at least one; each with an `email`, and any of `first_name`, `last_name`, `company`, "
                "`source`, `lawful_basis`, `consent_at`; every other name is a custom field",
            },
            codes=("no_contacts_provided",),
            example=Example(body={"name": "Fair", "contacts": [_EVA]}, answer=_FAIR),
        ),
        Operation(
            method="GET",
            path="/contact_imports/{contact_import_id}",
            summary="Show an import",
            text="`record_count` is what came in, `contact_count` what is left of it.",
            answer=CONTACT_IMPORT.ref,
            codes=("contact_import_not_found",),
            example=Example(ids={"contact_import_id": "import"}, answer=_FAIR),
        ),
        Operation(
            method="DELETE",
            path="/contact_imports/{contact_import_id}",
            summary="Delete an import with its contacts",
            text="What has not started is cancelled; ledger and suppressions stay.",
            status=204,
            codes=("contact_import_not_found",),
            example=Example(ids={"contact_import_id": "import"}),
        ),
        Operation(
            method="GET",
            path="/contact_imports/{contact_import_id}/contacts",
            summary="List the contacts of an import",
            answer=list_of(CONTACT.ref),
            paged=True,
            codes=("contact_import_not_found",),
            example=Example(ids={"contact_import_id": "import"}, query={"limit": 1}, answer=[MAX]),
        ),
        Operation(
            method="GET",
            path="/contacts",
            summary="List the contacts, or look one up",
            answer=list_of(CONTACT.ref),
            query={"email": contacts.EMAIL.describe() | {"description": "Only who has this address."}},
            paged=True,
            example=Example(query={"email": "max@example.com"}, answer=[MAX]),
        ),
        Operation(
            method="POST",
            path="/contacts/unsubscribe",
            summary="Unsubscribe many",
            text="Give either field. Addresses need not be contacts. All of them are unsubscribed, or none when a contact "
            "does not exist; `details` then tells its place (`contact_ids.2`).",
            answer=object_of({"unsubscribed": COUNT}),
            body=contacts.UNSUBSCRIBE,
            wrapper="unsubscribe",
            meanings={"contact_ids": "these contacts", "emails": "these addresses"},
            codes=("contact_not_found",),
            example=Example(body={"emails": ["max@example.com", "nobody@example.com"]}, answer={"unsubscribed": 2}),
        ),
        Operation(
            method="POST",
            path="/contacts/delete",
            summary="Delete many contacts",
            text="As deleting each: their sequences stop, their addresses stay suppressed where they were. None is deleted "
            "when one does not exist; `details` then tells its place.",
            answer=object_of({"deleted": COUNT}),
            body=contacts.MANY_CONTACTS,
            wrapper="delete",
            meanings={"contact_ids": "these contacts"},
            codes=("contact_not_found",),
            example=Example(body={"contact_ids": ["{contact}"]}, answer={"deleted": 1}),
        ),
        Operation(
            method="GET",
            path="/contacts/{contact_id}",
            summary="Show a contact",
            answer=CONTACT.ref,
            codes=("contact_not_found",),
            example=Example(answer=MAX),
        ),
        Operation(
            method="PATCH",
            path="/contacts/{contact_id}",
            summary="Change a contact",
            text="A custom field that is set to `null` or to nothing is removed; those that are not named stay.",
            answer=CONTACT.ref,
            body=contacts.CONTACT,
            wrapper="contact",
            partial=True,
            meanings={
                "email": "a new one is checked against the suppressions as any other",
                "first_name": "merge tag",
                "last_name": "merge tag",
                "company": "merge tag",
                "custom_fields": "merge tags of your own; names of ASCII letters, digits and underscores",
                "source": "where the contact comes from",
                "lawful_basis": "why you may write",
                "consent_at": "when consent was given",
            },
            codes=("contact_not_found",),
            example=Example(
                body={"company": "Berg", "custom_fields": {"city": "Wien"}},
                answer=MAX | {"company": "Berg", "custom_fields": {"city": "Wien"}},
            ),
        ),
        Operation(
            method="DELETE",
            path="/contacts/{contact_id}",
            summary="Delete a contact",
            text="Its sequences stop, and its address stays suppressed where it was.",
            status=204,
            codes=("contact_not_found",),
        ),
        Operation(
            method="POST",
            path="/contacts/{contact_id}/unsubscribe",
            summary="Unsubscribe a contact",
            text="Stops all campaigns and test sends to this address, in the whole account. Doing it again changes "
            "nothing.",
            answer=CONTACT.ref,
            body={},
            wrapper="contact",
            codes=("contact_not_found",),
            example=Example(answer=MAX | {"unsubscribed_at": "2026-11-22T07:47:41Z"}),
        ),
        Operation(
            method="GET",
            path="/contacts/{contact_id}/export",
            summary="Everything that is held about a person",
            text="GDPR, articles 15 and 20: also the mails and calls that came back, as they came.",
            answer=EXPORT.ref,
            codes=("contact_not_found",),
            example=Example(
                answer={"contact": {"email": "max@example.com"}, "contact_import": {"name": "Fair"}, "suppressions": []}
            ),
        ),
        Operation(
            method="POST",
            path="/contacts/{contact_id}/erase",
            summary="Erase a person",
            text="Clears the personal fields everywhere, for good (GDPR, article 17). Suppressions stay, as keyed "
            "hashes, so that the person is not written to again. The status is `erasing` while something of theirs is on "
            "the wire, or what came back is not judged yet; what is left is cleared after it, by itself. Doing it again, "
            "also after `DELETE`, says how far it is.",
            answer=object_of({"id": ID, "status": one_of(["erased", "erasing"])}),
            body={},
            wrapper="contact",
            codes=("contact_not_found",),
        ),
        Operation(
            method="GET",
            path="/suppressions",
            summary="List whom nobody in this account writes to",
            text="The list cannot show addresses, as only keyed hashes are kept. `scope` is `all`, or `marketing` for "
            "who unsubscribed.",
            answer=list_of(SUPPRESSION.ref),
            query={
                "email": suppressions.EMAIL.describe() | {"description": "Look this address up."},
                "domain": suppressions.DOMAIN.describe() | {"description": "Look this domain up."},
            },
            paged=True,
            example=Example(query={"email": "bob@example.com"}, answer=[{"kind": "address", "scope": "all"}]),
        ),
        Operation(
            method="POST",
            path="/suppressions",
            summary="Suppress an address or a domain",
            text="Give one field. A domain means exactly that domain. A list of entries is answered by a list, in the same "
            "order, each entry once.",
            status=201,
            answer={"anyOf": [SUPPRESSION.ref, list_of(SUPPRESSION.ref)]},
            body=suppressions.SUPPRESSION,
            wrapper="suppression",
            meanings={
                "email": "this address",
                "domain": "every address at it",
                "suppressions": "many entries, each with `email` or `domain`",
            },
            example=Example(
                body={"domain": "rival.example"},
                answer={
                    "id": "{entry}",
                    "kind": "domain",
                    "scope": "all",
                    "reason": "manual",
                    "created_at": "2026-11-22T07:47:41Z",
                },
            ),
        ),
        Operation(
            method="DELETE",
            path="/suppressions/{suppression_id}",
            summary="Take an entry off the list",
            text="What it stopped stays stopped.",
            status=204,
            codes=("not_found",),
        ),
    ),
)
