"""Header fields as they stand on the wire: folded (RFC 5322, section 2.2.3) and, where needed, encoded (RFC 2047)."""

import binascii
import re
from collections.abc import Callable, Iterator

LINE_AIM = 78
"""Characters of a line, its end aside, that RFC 5322 section 2.1.1 asks for."""

LINE_LIMIT = 998
"""Octets of a line, its end aside, that no server needs to take more than (RFC 5321, section 4.5.3.1.6)."""

_LONGEST_WORD = 75
"""Characters of one encoded-word (RFC 2047, section 2)."""

_FIRST_LINE_AIM = 76
"""Characters of a line that holds an encoded-word."""

_ROOMIEST_CHARACTER = 12
"""Characters of the Q encoding of four octets; behind a very long field name the first line is longer than its aim."""

_Q_OPEN, _B_OPEN, _CLOSE = "=?utf-8?q?", "=?utf-8?b?", "?="
# What may stand for itself in the Q encoding of a phrase, the strictest place there is (RFC 2047, section 5, rule 3).
_Q_LITERAL = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_Q_TABLE = {byte: chr(byte) if byte in _Q_LITERAL else f"={byte:02X}" for byte in range(256)} | {0x20: "_"}

# RFC 5322, section 3.2.3, with blanks: a display name of such words needs no quotes.
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?: [A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*")


def unstructured(name: str, text: str) -> str:
    """The field `name` with free text in it, its line end included.

    `text` has no control characters and no blanks at its ends; what cannot stand as it is, is encoded.
    """
    line = f"{name}: {text}\r\n"
    if text.isascii():
        if len(line) <= LINE_AIM + 2:
            return line
        folded = _fold(f"{name}:", text)
        if max(map(len, folded)) <= LINE_LIMIT:
            return "\r\n".join(folded) + "\r\n"
    return f"{name}: " + "\r\n ".join(_encoded_words(text, len(name) + 2)) + "\r\n"


def mailbox(name: str, display_name: str, address: str) -> tuple[str, str]:
    """The field `name` with one mailbox, its line end included, and what a reader decodes its value to.

    `display_name` has no control characters and only single blanks between its words; it may be empty.
    """
    if not display_name:
        return f"{name}: {address}\r\n", address
    if not display_name.isascii():
        words = "\r\n ".join(_encoded_words(display_name, len(name) + 2))
        return _with_address(f"{name}: {words}", address), f"{display_name} <{address}>"
    if not _ATOMS.fullmatch(display_name):
        escaped = display_name.replace("\\", "\\\\").replace('"', '\\"')
        display_name = f'"{escaped}"'
    phrase = "\r\n".join(_fold(f"{name}:", display_name))
    return _with_address(phrase, address), f"{display_name} <{address}>"


def folded_words(name: str, words: tuple[str, ...]) -> str:
    """The field `name` with `words` that must stay whole, as many to a line as fit, its line end included."""
    return "\r\n".join(_fold(f"{name}:", " ".join(words))) + "\r\n"


def _with_address(phrase: str, address: str) -> str:
    last = len(phrase) - phrase.rfind("\n") - 1
    between = " " if last + len(address) + 3 <= _FIRST_LINE_AIM else "\r\n "
    return f"{phrase}{between}<{address}>\r\n"


def _fold(start: str, text: str) -> list[str]:
    """`start`, a blank and `text`, cut into lines of LINE_AIM where a blank is followed by a word.

    Each blank stays, as the first character of its line, so that unfolding gives the very same text. No line is of
    blanks alone (RFC 5322, section 3.2.2), and the first word stands on the first line.
    """
    lines, line = [], start
    words = text.split(" ")
    for index, word in enumerate(words):
        if index and word and len(line) + 1 + len(word) > LINE_AIM:
            lines.append(line)
            line = ""
        line += f" {word}"
    return [*lines, line]


def _encoded_words(text: str, used: int) -> list[str]:
    """`text` as encoded-words, each on a line of its own; `used` characters stand before the first.

    The Q encoding, which people and filters can read, unless it is longer than base64 by more than a half. No character
    is cut apart (RFC 2047, section 5).
    """
    base64_size = (len(text.encode()) + 2) // 3 * 4
    if len(_quoted(text)) <= base64_size * 3 // 2:
        return list(_cut(text, used, _Q_OPEN, _quoted))
    return list(_cut(text, used, _B_OPEN, _base64))


def _cut(text: str, used: int, opening: str, encode: Callable[[str], str]) -> Iterator[str]:
    frame = len(opening) + len(_CLOSE)
    room = max(_FIRST_LINE_AIM - used - frame, _ROOMIEST_CHARACTER)
    position = 0
    while position < len(text):
        piece = text[position : position + room]
        while len(encoded := encode(piece)) > room:
            piece = piece[: max(1, len(piece) * room // len(encoded))]
        yield f"{opening}{encoded}{_CLOSE}"
        position += len(piece)
        room = _LONGEST_WORD - frame


def _quoted(text: str) -> str:
    return text.encode().decode("latin-1").translate(_Q_TABLE)


def _base64(text: str) -> str:
    return binascii.b2a_base64(text.encode(), newline=False).decode("ascii")
