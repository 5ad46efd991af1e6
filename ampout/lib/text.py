"""Checks of text that others wrote: what must not reach a header or the database, and what a typing error meant."""

import difflib
import re
from collections.abc import Iterable

# C0 with NUL, DEL, C1, the line and paragraph separators, and halves of surrogate pairs, which no encoding can write.
_ALWAYS_REFUSED = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
_REFUSED_IN_A_LINE = re.compile(f"[{_ALWAYS_REFUSED}\t\n\r]")
_REFUSED_IN_A_BODY = re.compile(f"[{_ALWAYS_REFUSED}]|\r(?!\n)")

# The start of an RFC 2047 encoded-word. Its end is not asked for: parsers differ in what they take for one, and a value
# that is put beside other text could be completed by it. Linear: no run of [^?] can pass a question mark.
_ENCODED_WORD_START = re.compile(r"=\?[^?]*\?[bq]\?", re.IGNORECASE)

_NAMES = {
    "\x00": "NUL",
    "\t": "tab",
    "\n": "line feed",
    "\r": "carriage return",
    "\x7f": "delete",
    "\x85": "next line",
    "\u2028": "line separator",
    "\u2029": "paragraph separator",
}


def find_control_character(text: str, *, multiline: bool = False) -> str | None:
    """The first character that must not stand in `text`, as "U+000D (carriage return)"; None when all may.

    `multiline` is for bodies: tab, line feed and CR LF are allowed there, a lone CR is not.
    """
    found = (_REFUSED_IN_A_BODY if multiline else _REFUSED_IN_A_LINE).search(text)
    if found is None:
        return None
    character = found.group()
    usual = "half of a surrogate pair" if "\ud800" <= character <= "\udfff" else "control character"
    return f"U+{ord(character):04X} ({_NAMES.get(character, usual)})"


def storable(text: str, longest: int) -> str:
    """Text of strangers as PostgreSQL can hold it: without NUL and halves of surrogate pairs, at most so long."""
    return text[:longest].encode("utf-8", "replace").decode("utf-8").replace("\x00", "")


def looks_like_encoded_word(text: str) -> bool:
    """Whether mail software might decode a part of `text` as an RFC 2047 encoded-word (CVE-2024-6923)."""
    return _ENCODED_WORD_START.search(text) is not None


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant by `name`; None when nothing is near."""
    matches = difflib.get_close_matches(name[:100], sorted(known), n=1)
    return matches[0] if matches else None
