"""The fields of a delivery status notification (RFC 3464, section 2; RFC 6533), as they are really written."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dispatch.rules.mail.reader import Mail, Part

_STATUS_PARTS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_RECIPIENT_LINE = re.compile(r"^(?:final|original)-recipient:", re.IGNORECASE | re.MULTILINE)
_SECOND_LINE = re.compile(r"^(?:action|status|reporting-mta|diagnostic-code):", re.IGNORECASE | re.MULTILINE)
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,60})[ \t]{0,5}:[ \t]{0,20}(.*)")
_HEX = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_ADDRESS = re.compile(r"(?:\"[^\"\n]{1,128}\"|[^\s<>;:,\"()@]{1,256})@[^\s<>;,\"()@]{1,255}")
_RECIPIENT_FIELDS = ("final-recipient", "original-recipient", "x-actual-recipient")
_MAX_RECIPIENTS = 100
_MAX_CHARACTERS = 256 * 1024


@dataclass(frozen=True, slots=True)
class RecipientFields:
    """What a notice says of one recipient: its addresses (the final one first), lower-cased, and the other fields."""

    addresses: tuple[str, ...]
    action: str
    status: str
    diagnostic: str


def find_report(mail: Mail) -> str:
    """The text of the delivery status in a mail, empty when it holds none.

    Where no part is labelled as one, a part is taken that reads like one. An attached mail is looked into only by one
    that has no status of its own: what came back may itself be a notice about something else.
    """
    for part in mail.parts:
        if part.content_type in _STATUS_PARTS:
            return part.text[:_MAX_CHARACTERS]
    for part in mail.parts:
        if part.mail is None and _reads_like_report(part.text):
            return part.text[:_MAX_CHARACTERS]
    return ""


def find_nested_report(mail: Mail) -> str:
    """The same in a notice that was attached to the mail, as some gateways pass notices on."""
    inner = next((part.mail for part in mail.parts if part.mail and part.mail.content_type == "multipart/report"), None)
    return find_report(inner) if inner else ""


def has_status_part(mail: Mail) -> bool:
    """Whether a part says of itself that it is a delivery status."""
    return any(part.content_type in _STATUS_PARTS for part in mail.parts)


def is_status_part(part: Part) -> bool:
    """Whether the part is, or reads like, a delivery status."""
    return part.content_type in _STATUS_PARTS or (part.mail is None and _reads_like_report(part.text))


def _reads_like_report(text: str) -> bool:
    text = text[:_MAX_CHARACTERS]
    return bool(_RECIPIENT_LINE.search(text) and _SECOND_LINE.search(text))


def read_report(text: str) -> tuple[RecipientFields, ...]:
    """The recipients of a delivery status, at most 100, in order."""
    return tuple(_as_recipient(fields) for fields in _groups(_fields(text)))[:_MAX_RECIPIENTS]


def _fields(text: str) -> Iterator[tuple[str, str]]:
    """(name in lower case, value unfolded); a blank line comes as a field without a name."""
    name, value = "", ""
    for line in text.split("\n"):
        if line[:1] in {" ", "\t"} and name and line.strip():
            value = f"{value} {line.strip()}"
            continue
        if name:
            yield name, value.strip()
        match = _FIELD.match(line)
        name, value = (match[1].lower(), match[2]) if match else ("", "")
        if not line.strip():
            yield "", ""
    if name:
        yield name, value.strip()


def _groups(fields: Iterable[tuple[str, str]]) -> Iterator[dict[str, str]]:
    """The fields of each recipient.

    A recipient begins at a blank line, or where its address is named once more; fields that stand alone behind a blank
    line belong to the recipient before it. The fields about the whole message name no recipient and are passed over.
    """
    group: dict[str, str] = {}
    parted = False
    for name, value in fields:
        if not name:
            parted = True
            continue
        if (name in group and name in _RECIPIENT_FIELDS) or (parted and name in {*_RECIPIENT_FIELDS, "reporting-mta"}):
            if _names_recipient(group):
                yield group
            group = {}
        elif parted and not _names_recipient(group) and name not in {"action", "status", "diagnostic-code"}:
            group = {}
        parted = False
        group.setdefault(name, value)
    if _names_recipient(group):
        yield group


def _names_recipient(group: dict[str, str]) -> bool:
    return any(field in group for field in _RECIPIENT_FIELDS)


def _as_recipient(group: dict[str, str]) -> RecipientFields:
    found = dict.fromkeys(filter(None, (_address_in(group.get(field, "")) for field in _RECIPIENT_FIELDS)))
    return RecipientFields(
        addresses=tuple(sorted(found, key=_is_local)),
        action=group.get("action", "").lower(),
        status=group.get("status", ""),
        diagnostic=_diagnostic(group),
    )


def _is_local(address: str) -> bool:
    """Whether its domain is a name within one host, such as a channel's: nobody wrote to that."""
    return "." not in address.rpartition("@")[2]


def _diagnostic(group: dict[str, str]) -> str:
    """The server's words, and the reason that PowerMTA gives in a word of its own; Exchange has a field of its own."""
    words = _without_type(group.get("diagnostic-code", "")) or group.get("x-supplementary-info", "")
    return " ".join(filter(None, (words, group.get("x-powermta-bouncecategory", ""))))


def _address_in(value: str) -> str:
    """The address behind `rfc822;` and its like; text that cannot be one gives nothing."""
    value = _HEX.sub(lambda match: _character(match[1]), value)
    text = value.partition(";")[2] or value
    match = _ADDRESS.search(text)
    return match[0].strip("'").rstrip(".").lower() if match else ""


def _character(digits: str) -> str:
    number = int(digits, 16)
    return chr(number) if 0x20 <= number <= 0x10FFFF and not 0xD800 <= number < 0xE000 else ""


def _without_type(diagnostic: str) -> str:
    """The words behind `smtp;`."""
    kind, semicolon, words = diagnostic.partition(";")
    return words.strip() if semicolon and len(kind) < 20 and " " not in kind.strip() else diagnostic
