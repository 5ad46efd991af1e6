"""What may be known of a contact: one door for JSON, CSV and the admin, so that all three refuse the same.

Control characters and what mail software would decode are refused here, because every value may end up in a subject.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, TypeVar

from ampout.lib.text import find_control_character, looks_like_encoded_word
from campaigns.rules.merge_tags import LONGEST_NAME, is_field_name

LONGEST_STANDARD = 200
"""Characters of a first name, last name, company, source or lawful basis."""

LONGEST_CUSTOM = 5_000
"""Characters of a custom field's value."""

MOST_CUSTOM = 100
"""Custom fields of one contact."""

LONGEST_NUMBER = 128
"""Bits of a whole number; a longer one is an identifier, and should be text."""

STANDARD_FIELDS = ("first_name", "last_name", "company")
PROVENANCE_FIELDS = ("source", "lawful_basis")
RESERVED_NAMES = frozenset(
    {
        *("id", "custom_fields", "created_at", "updated_at", "deleted_at", "unsubscribed_at"),
        *("contact_import_id", "identity", "unsubscribe_url", "sender_name", "postal_address"),
    },
)
"""Names that mean something else in an answer of the API, or in a template."""

# Marks that reorder what a reader sees without being seen: U+202E makes "gpj.exe" of "exe.jpg".
_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")

AddressT = TypeVar("AddressT")
CleanT = TypeVar("CleanT")
Errors = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class ContactFields(Generic[AddressT]):
    """The fields that were given, fit to be stored.

    `standard` holds first_name, last_name, company, source and lawful_basis, `custom` all others; an empty value means
    that there is none. `has_consent_at` tells "not given" from "given as null".
    """

    address: AddressT | None = None
    standard: Mapping[str, str] = field(default_factory=dict)
    custom: Mapping[str, str] = field(default_factory=dict)
    consent_at: datetime | None = None
    has_consent_at: bool = False


def clean_contact(
    given: Mapping[str, object],
    *,
    parse_email: Callable[[str], AddressT],
    email_required: bool = True,
) -> tuple[ContactFields[AddressT], Errors]:
    """The usable fields of `given`, and what is wrong with the others, by field.

    `parse_email` raises ValueError with a sentence. Store nothing unless the errors are empty. Without
    `email_required`, `given` is a change, and fields that are absent are left as they are.
    """
    errors: Errors = {}
    custom_names = [name for name in given if name not in _KNOWN_FIELDS]
    if len(custom_names) > MOST_CUSTOM:
        errors["custom_fields"] = [f"There are {len(custom_names)} custom fields; at most {MOST_CUSTOM} are allowed."]
        custom_names = []
    has_email = email_required or "email" in given
    fields = ContactFields(
        address=_attempt("email", given.get("email"), _address_by(parse_email), errors) if has_email else None,
        standard={name: _attempt(name, given[name], _standard, errors) or "" for name in _TEXT_FIELDS if name in given},
        custom={name: _attempt(name, given[name], _custom, errors) or "" for name in custom_names},
        consent_at=_attempt("consent_at", given.get("consent_at"), _moment, errors),
        has_consent_at="consent_at" in given,
    )
    for name in custom_names:
        _attempt(name, name, _check_name, errors)
    return fields, errors


_TEXT_FIELDS = (*STANDARD_FIELDS, *PROVENANCE_FIELDS)
_KNOWN_FIELDS = frozenset({"email", "consent_at", *_TEXT_FIELDS})


def _attempt(name: str, value: object, clean: Callable[[object], CleanT], errors: Errors) -> CleanT | None:
    """`value` as `clean` makes it; None where that refused, with its sentence put into `errors`."""
    try:
        return clean(value)
    except ValueError as error:
        shown = name[:LONGEST_NAME].encode("ascii", "backslashreplace").decode("ascii")
        errors.setdefault(shown, []).append(str(error))
        return None


def _address_by(parse_email: Callable[[str], AddressT]) -> Callable[[object], AddressT]:
    def address(value: object) -> AddressT:
        if isinstance(value, str) and value:
            return parse_email(value)
        raise ValueError("An email address is required, as text.")

    return address


def _check_name(name: object) -> None:
    if not is_field_name(str(name)):
        raise ValueError(
            f"A custom field's name is ASCII letters, digits and underscores, at most {LONGEST_NAME}, no digit first."
        )
    if str(name).lower() in RESERVED_NAMES:
        raise ValueError("This name is taken; give the custom field another one.")


def _standard(value: object) -> str:
    return _text(value, LONGEST_STANDARD)


def _custom(value: object) -> str:
    return _text(value, LONGEST_CUSTOM)


def _text(value: object, limit: int) -> str:
    """`value` as text, without blanks at its ends."""
    text = _as_text(value)
    if len(text) > limit:
        raise ValueError(f"It has {len(text):,} characters; at most {limit:,} are allowed.")
    # What is printable has no control character; most values are, and an import has millions.
    if not text.isprintable() or "=?" in text:
        _check_characters(text)
    return text.strip()


def _as_text(value: object) -> str:
    """JSON's scalars as a reader would write them."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() <= LONGEST_NUMBER:
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    raise ValueError("It must be text, a number, true or false.")


def _check_characters(text: str) -> None:
    if found := find_control_character(text):
        raise ValueError(f"It contains the control character {found}; remove it.")
    if mark := _REORDERING.search(text):
        raise ValueError(f"It contains U+{ord(mark.group()):04X}, which reorders text invisibly; remove it.")
    if looks_like_encoded_word(text):
        raise ValueError('It contains "=?…?q?" or "=?…?b?", which mail software decodes; remove it.')


def _moment(value: object) -> datetime | None:
    """`value` in UTC; None where there is none."""
    if value is None or value == "":
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        in_utc = moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        raise ValueError("It is not a time; write it like 2026-01-31T12:00:00Z.") from None
    if in_utc is None:
        raise ValueError("It has no time zone; write it like 2026-01-31T12:00:00Z.")
    return in_utc
