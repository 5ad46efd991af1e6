"""Imports: many contacts at once, staged by COPY and inserted by one statement.

1. Rows are streamed into a temporary table; nothing of the file is kept in memory.
2. One statement leaves out repeated, suppressed and known addresses, inserts the rest and counts them all.
"""

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection, transaction

from ampout.accounts.models import Account
from ampout.lib import clock
from ampout.lib.addresses import Address
from ampout.lib.errors import AmpoutError
from campaigns.models import ContactImport
from campaigns.rules.contact_fields import ContactFields
from campaigns.services.digests import address_digest, domain_digest

DOMAINS_REMEMBERED = 10_000
"""Digests of domains kept while an import runs: lists repeat few domains, and one that does not costs no memory."""

_STAGE = """
DROP TABLE IF EXISTS pg_temp.staged_contact;
CREATE TEMPORARY TABLE staged_contact (
    place integer, email text, identity text, domain text, address_digest bytea, domain_digest bytea,
    first_name text, last_name text, company text, custom_fields jsonb,
    source text, lawful_basis text, consent_at timestamptz
) ON COMMIT DROP
"""
_COPY = "COPY staged_contact FROM STDIN"
# The microseconds keep the order of the file, in which its contacts are enrolled. Two imports that hold the same new
# addresses wait for each other at these rows: as both insert them in one order, neither waits in a circle.
_INSERT = """
WITH judged AS MATERIALIZED (
    SELECT DISTINCT ON (staged.identity) staged.*, COALESCE(address.reason, domain.reason) AS suppressed
    FROM staged_contact staged
    LEFT JOIN campaigns_suppression address ON address.account_id = %(account)s
        AND address.digest = staged.address_digest AND address.scope <> ''
    LEFT JOIN campaigns_suppression domain ON domain.account_id = %(account)s
        AND domain.digest = staged.domain_digest AND domain.scope <> ''
    ORDER BY staged.identity, staged.place
), inserted AS (
    INSERT INTO campaigns_contact (
        id, account_id, contact_import_id, email, identity, domain, address_digest, domain_digest,
        first_name, last_name, company, custom_fields, source, lawful_basis, consent_at, created_at
    )
    SELECT gen_random_uuid(), %(account)s, %(import)s, email, identity, domain, address_digest, domain_digest,
           first_name, last_name, company, custom_fields, source, lawful_basis, consent_at,
           %(now)s + place * interval '1 microsecond'
    FROM judged WHERE suppressed IS NULL ORDER BY identity
    ON CONFLICT (account_id, identity) WHERE deleted_at IS NULL DO NOTHING
    RETURNING 1
)
SELECT (SELECT count(*) FROM staged_contact), (SELECT count(*) FROM judged), (SELECT count(*) FROM inserted),
       (SELECT COALESCE(json_object_agg(reasons.suppressed, reasons.count), '{}') FROM (
            SELECT suppressed, count(*) FROM judged WHERE suppressed IS NOT NULL GROUP BY suppressed
        ) reasons)
"""


@dataclass(frozen=True, slots=True)
class NewContact:
    """One contact to be; texts were checked, `custom_fields` hold text by name."""

    address: Address
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    custom_fields: dict[str, str] = field(default_factory=dict)
    source: str = ""
    lawful_basis: str = ""
    consent_at: datetime | None = None


def new_contact(fields: ContactFields[Address]) -> NewContact:
    """The contact that cleaned fields describe; empty custom fields are left out. The address must be there."""
    if fields.address is None:
        raise ValueError("a contact needs an address")
    custom = {name: value for name, value in fields.custom.items() if value}
    return NewContact(fields.address, custom_fields=custom, consent_at=fields.consent_at, **fields.standard)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to: `skipped` counts the contacts left out, by reason.

    The reasons are `repeated` (in the import), `known` (to the account), and those of suppressions.
    """

    contact_import: ContactImport
    skipped: dict[str, int]


class NoContactsProvided(AmpoutError):
    """An import needs at least one contact."""

    code = "no_contacts_provided"

    def __init__(self) -> None:
        super().__init__("There are no contacts in this import. Send at least one.")


@transaction.atomic
def import_contacts(
    account: Account, name: str, contacts: Iterable[NewContact], *, digest: str = "", now: datetime | None = None
) -> Imported:
    """Insert the contacts whose addresses are new to the account and not suppressed, all or none."""
    now = now or clock.utc_now()
    contact_import = ContactImport.objects.create(account=account, name=name, digest=digest, created_at=now)
    _stage(contacts)
    inserted, skipped = _insert(account.pk, contact_import.pk, now)
    contact_import.record_count = inserted
    contact_import.skipped_count, contact_import.skipped_reasons = sum(skipped.values()), skipped
    contact_import.save(update_fields=["record_count", "skipped_count", "skipped_reasons"])
    return Imported(contact_import, skipped)


def _stage(contacts: Iterable[NewContact]) -> None:
    digest_of = lru_cache(maxsize=DOMAINS_REMEMBERED)(domain_digest)
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        with cursor.copy(_COPY) as copy:
            for place, contact in enumerate(contacts):
                copy.write_row((place, *_columns(contact, digest_of(contact.address.domain))))


def _columns(contact: NewContact, digest_of_domain: bytes) -> tuple[Any, ...]:
    address = contact.address
    return (
        *(address.original, address.identity, address.domain, address_digest(address.identity), digest_of_domain),
        *(contact.first_name, contact.last_name, contact.company, json.dumps(contact.custom_fields)),
        *(contact.source, contact.lawful_basis, contact.consent_at),
    )


def _insert(account_id: uuid.UUID, import_id: uuid.UUID, now: datetime) -> tuple[int, dict[str, int]]:
    """How many contacts were inserted, and how many left out, by reason."""
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, {"account": account_id, "import": import_id, "now": now})
        staged, distinct, inserted, suppressed = cursor.fetchone()
    by_reason: dict[str, int] = suppressed if isinstance(suppressed, dict) else json.loads(suppressed)
    known = distinct - inserted - sum(by_reason.values())
    skipped = {"repeated": staged - distinct, "known": known} | by_reason
    return inserted, {reason: count for reason, count in skipped.items() if count}
