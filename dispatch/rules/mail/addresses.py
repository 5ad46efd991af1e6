"""Addresses and Message-IDs out of header values (RFC 5322, sections 3.4 and 3.6.4), in one pass."""

import re

from dispatch.rules.mail.limits import MAX_FOUND

_MESSAGE_ID = re.compile(r"<([^<>]{1,998})>")
_BARE_ID = re.compile(r"[^\s<>@]{1,500}@[^\s<>@]{1,500}\Z")
_LEXEME = re.compile(r'"(?:[^"\\]|\\.)*"|\\.?|["()]|[^"\\()]+', re.DOTALL)
_BRACKETS = re.compile(r"<([^<>]*)>?")
_ADDRESS = re.compile(r"[^\s<>@,;:\"()\[\]]{1,320}@[^\s<>@,;:\"()]{1,255}\Z")
_LONGEST = 320
"""Characters of an address: 64, the sign and 255 (RFC 5321, section 4.5.3.1)."""


def find_addresses(value: str) -> tuple[str, ...]:
    """The addresses of a header value (not decoded: names may hold anything), lower-cased, at most MAX_FOUND."""
    found: dict[str, None] = {}
    for entry in re.split("[,;]", _without_names(value)):
        if address := _address_of(entry):
            found[address] = None
            if len(found) >= MAX_FOUND:
                break
    return tuple(found)


def find_message_ids(value: str) -> tuple[str, ...]:
    """The `<…>` of a header value without blanks inside, at most MAX_FOUND; one bare identifier gets its brackets."""
    ids = dict.fromkeys(f"<{''.join(match[1].split())}>" for match in _MESSAGE_ID.finditer(value))
    bare = value.strip()
    if not ids and _BARE_ID.match(bare):
        return (f"<{bare}>",)
    return tuple(ids)[:MAX_FOUND]


def _without_names(value: str) -> str:
    """`value` without comments (which nest) and quoted strings: both may hold anything, addresses of others too."""
    kept: list[str] = []
    depth = 0
    for lexeme in _LEXEME.finditer(value):
        text = lexeme[0]
        if text == "(":
            depth += 1
        elif text == ")":
            depth = max(depth - 1, 0)
        elif not depth and text[0] not in '"\\':
            kept.append(text)
    return "".join(kept)


def _address_of(entry: str) -> str:
    """The address of one entry: what stands in brackets, else the bare text, behind the name of a group if any."""
    brackets = _BRACKETS.search(entry)
    text = brackets[1] if brackets and brackets[1].strip() else entry
    address = "".join(text.rpartition(":")[2].split()).lower()
    return address if len(address) <= _LONGEST and _ADDRESS.match(address) else ""
