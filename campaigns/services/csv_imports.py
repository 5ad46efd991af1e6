"""CSV files: every row that can be used is imported, the others are told by their line.

What makes the whole file useless imports nothing: an encoding or a header that cannot be read, no usable row at all.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from charset_normalizer import from_bytes
from django.db import transaction

from ampout.accounts.models import Account
from ampout.lib.addresses import parse_address
from ampout.lib.errors import ValidationFailed
from campaigns.rules.contact_fields import clean_contact
from campaigns.rules.csv_rows import CsvRefused, Row, RowError, read_csv
from campaigns.services.imports import Imported, NewContact, NoContactsProvided, import_contacts, new_contact

MOST_ERRORS = 100
"""Row errors that are kept with the import; all are counted."""


@dataclass(slots=True)
class _Rejected:
    """The rows that could not be used: the first of them, and how many there are."""

    count: int = 0
    first: list[dict[str, object]] = field(default_factory=list)

    def note(self, line_number: int, problems: Iterable[tuple[str, str]]) -> None:
        """One row, with what is wrong with which of its fields."""
        self.count += 1
        for name, message in problems:
            if len(self.first) < MOST_ERRORS:
                self.first.append({"line": line_number, "field": name, "message": message})


@transaction.atomic
def import_csv(account: Account, name: str, chunks: Iterable[bytes], *, now: datetime | None = None) -> Imported:
    """Import a CSV file, given as its bytes in pieces; nothing of it is kept in memory.

    Raises ValidationFailed for a file that cannot be used, NoContactsProvided for one without rows.
    """
    digest, rejected = hashlib.sha256(), _Rejected()
    try:
        _columns, rows = read_csv(_digested(chunks, digest), guess_encoding=guess_encoding)
        imported = import_contacts(account, name, _usable(rows, rejected), now=now)
    except CsvRefused as error:
        raise ValidationFailed({"file": [str(error)]}) from None
    contact_import = imported.contact_import
    if not contact_import.record_count and not contact_import.skipped_count:
        _refuse_empty(rejected)
    contact_import.digest = digest.hexdigest()
    contact_import.errors, contact_import.error_count = rejected.first, rejected.count
    contact_import.save(update_fields=["digest", "errors", "error_count"])
    return imported


def guess_encoding(sample: bytes) -> str | None:
    """The codec that a sample of text is most likely written in; None when it is no text."""
    best = from_bytes(sample).best()
    return best.encoding if best else None


def _digested(chunks: Iterable[bytes], digest: "hashlib._Hash") -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _usable(rows: Iterable[Row | RowError], rejected: _Rejected) -> Iterator[NewContact]:
    for row in rows:
        if isinstance(row, RowError):
            rejected.note(row.line_number, [(row.field, row.message)])
            continue
        fields, errors = clean_contact(row.values, parse_email=parse_address)
        if errors:
            rejected.note(row.line_number, ((name, text) for name, texts in errors.items() for text in texts))
        else:
            yield new_contact(fields)


def _refuse_empty(rejected: _Rejected) -> None:
    if not rejected.count:
        raise NoContactsProvided
    rows = {f"line {row['line']}": [f"{row['field']}: {row['message']}".removeprefix(": ")] for row in rejected.first}
    raise ValidationFailed({"file": ["None of its rows can be imported."]} | rows)
