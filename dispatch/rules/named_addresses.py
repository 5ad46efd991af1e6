"""Addresses that any text names, wherever they stand in it: what an erasure looks for (GDPR, article 17).

Looked for by their signs: `@`, and what JSON, forms, HTML and quoted-printable write instead. Each is read to both
sides as far as an address can reach, so the work grows with the text alone. Too much is found on purpose: whoever asks
compares keyed hashes, and what is no address has none that matches.
"""

import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote

MOST_SIGNS = 20_000
"""Signs that are looked at: providers report on a thousand messages at once, each with a few ids and addresses."""

MOST_ADDRESSES = 5_000
"""Different addresses of one text."""

ERASED = "(erased)"
"""What stands where an address was."""

_SIGN = re.compile(r"@|%40|\\u0040|&#64;|&#x40;|=40", re.IGNORECASE)
_LEFT, _RIGHT = 192, 320
"""Characters read to each side: 64 and 255 (RFC 5321, section 4.5.3.1.1), the left ones perhaps percent-encoded."""

_BEFORE = re.compile(r"[\s<>\"(),;:\[\]\\|]+")
_BEHIND = re.compile(r"[^\w.-]+")
# Signs that may stand in a local part, and are more often what parts it from something else.
_PERHAPS_BEFORE = re.compile(r"[=&/?'`{}*]+")


def find_addresses_anywhere(text: str) -> tuple[str, ...]:
    """What may be an address in this text, lower-cased, each once, at most MOST_ADDRESSES."""
    found: dict[str, None] = {}
    for _, _, readings in _spots(text):
        found.update(dict.fromkeys(readings))
        if len(found) >= MOST_ADDRESSES:
            break
    return tuple(found)[:MOST_ADDRESSES]


def without_addresses(text: str, is_theirs: Callable[[str], bool]) -> str:
    """The text with ERASED in place of each address that is theirs."""
    kept: list[str] = []
    done = 0
    for start, end, readings in _spots(text):
        if start >= done and any(is_theirs(reading) for reading in readings):
            kept += [text[done:start], ERASED]
            done = end
    return "".join([*kept, text[done:]])


def _spots(text: str) -> Iterator[tuple[int, int, list[str]]]:
    """Where addresses may stand: first and last place of the longest reading, and the readings."""
    for number, sign in enumerate(_SIGN.finditer(text)):
        if number >= MOST_SIGNS:
            return
        local = _BEFORE.split(text[max(0, sign.start() - _LEFT) : sign.start()])[-1]
        domain = _BEHIND.split(text[sign.end() : sign.end() + _RIGHT], maxsplit=1)[0].rstrip(".-_")
        if local and domain:
            places = (sign.start() - len(local), sign.end() + len(domain))
            yield *places, [f"{one}@{domain}".lower() for one in _readings(local)]


def _readings(local: str) -> list[str]:
    """A local part as it stands, and without what may only have been put before it."""
    plain = _BEFORE.split(unquote(local))[-1] if "%" in local else local
    forms = [plain, _PERHAPS_BEFORE.split(plain)[-1]]
    return [form for form in dict.fromkeys(forms) if form]
