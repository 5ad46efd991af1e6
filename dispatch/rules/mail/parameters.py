"""Values with parameters: Content-Type and Content-Disposition (RFC 2045, section 5.1; RFC 2231)."""

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from dispatch.rules.mail.charsets import decode_text
from dispatch.rules.mail.encoded_words import decode_words

_MAX_PARAMETERS = 50
_SEPARATORS = re.compile(r"[\s;]*")
_NAME = re.compile(r"([^\s=;\"]{1,100})\s{0,100}=\s{0,100}")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"?', re.DOTALL)
_TOKEN = re.compile(r"[^;]*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SECTION = re.compile(r"([^*]+)(?:\*([0-9]{1,3}))?(\*)?\Z")


def parse_value(value: str) -> tuple[str, dict[str, str]]:
    """The bare value in lower case and its parameters, names in lower case; the first of two same names counts."""
    bare, _, rest = value.partition(";")
    return bare.strip().strip('"').lower(), _join_sections(_read_pairs(rest))


def _read_pairs(text: str) -> dict[str, str]:
    """Parameters as they are written, at most _MAX_PARAMETERS; nonsense up to the next semicolon is skipped."""
    pairs: dict[str, str] = {}
    position = 0
    while position < len(text) and len(pairs) < _MAX_PARAMETERS:
        separators = _SEPARATORS.match(text, position)
        position = separators.end() if separators else position
        match = _NAME.match(text, position)
        if match is None:
            semicolon = text.find(";", position)
            position = len(text) if semicolon < 0 else semicolon + 1
            continue
        found, position = _read_one(text, match.end())
        pairs.setdefault(match[1].lower(), found)
    return pairs


def _read_one(text: str, position: int) -> tuple[str, int]:
    """One value, quoted or not, and where it ends."""
    if quoted := _QUOTED.match(text, position):
        return _ESCAPE.sub(r"\1", quoted[1]), quoted.end()
    token = _TOKEN.match(text, position)
    if token is None:
        return "", len(text)
    return token[0].strip(), token.end()


def _join_sections(pairs: Mapping[str, str]) -> dict[str, str]:
    """RFC 2231: `name*0*=`, `name*1=` … put together and decoded; RFC 2047 in quotes is read too, as many write it."""
    joined = {name: decode_words(value) for name, value in pairs.items() if "*" not in name}
    sections: dict[str, list[tuple[int, bytes]]] = {}
    for name, value in pairs.items():
        if "*" in name and (match := _SECTION.match(name)):
            data = unquote_to_bytes(value) if match[3] else value.encode("utf-8", "replace")
            sections.setdefault(match[1], []).append((int(match[2] or 0), data))
    for name, found in sections.items():
        joined.setdefault(name, _with_charset(b"".join(data for _, data in sorted(found))))
    return joined


def _with_charset(data: bytes) -> str:
    """The text behind `charset'language'`."""
    charset, first, rest = data.partition(b"'")
    _, second, text = rest.partition(b"'")
    return decode_text(text, charset.decode("ascii", "replace")) if first and second else decode_text(data)
