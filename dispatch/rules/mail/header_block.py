"""The header block of a mail: cut off, split into fields, unfolded (RFC 5322, section 2.2).

Forgiving like mail programs are: an mbox line in front, a line without a colon between fields, no blank line before the
body, and lines that end in any way are all read.
"""

import re
from dataclasses import dataclass

from dispatch.rules.mail.charsets import decode_text
from dispatch.rules.mail.limits import MAX_HEADER, MAX_HEADER_BLOCK, MAX_HEADERS, Cap

_FIELD = re.compile(rb"([!-9;-~]{1,80})[ \t]{0,20}:")
_MBOX_LINE = re.compile(rb">?From [^\n]*\n")
_LATE_HEADERS = re.compile(rb"\n{1,3}content-(?:type|transfer-encoding|disposition|description):", re.IGNORECASE)
_CHARSET = re.compile(rb"charset\s{0,5}=\s{0,5}\"?([\w.-]{1,60})", re.IGNORECASE)
_BLANKS = (b" ", b"\t")


@dataclass(frozen=True, slots=True)
class HeaderBlock:
    """Fields as (name, unfolded value, still encoded), the block's own text, the rest of the mail, the limits hit."""

    fields: tuple[tuple[str, str], ...]
    text: str
    body: bytes
    truncated: tuple[Cap, ...]


def split_headers(data: bytes) -> HeaderBlock:
    """The header block of `data` (whose lines end in `\\n`), and the body behind it."""
    data = data.lstrip(b"\n")
    if mbox_line := _MBOX_LINE.match(data):
        data = data[mbox_line.end() :]
    end = _end_of_headers(data)
    block = data[: min(end, MAX_HEADER_BLOCK)]
    caps = [Cap.HEADER_BLOCK] if end > MAX_HEADER_BLOCK else []
    fields = _read_fields(block)
    caps += [Cap.HEADER] if any(len(value) > MAX_HEADER for _, value in fields) else []
    caps += [Cap.HEADERS] if len(fields) > MAX_HEADERS else []
    kept = [(name, value[:MAX_HEADER]) for name, value in fields[:MAX_HEADERS]]
    body = data[end + 1 :] if data[end : end + 1] == b"\n" else data[end:]
    return HeaderBlock(_to_text(kept), decode_text(block), body, tuple(caps))


def split_part(data: bytes) -> HeaderBlock:
    """The same for a part of a multipart, where a blank line at the start says that there are no headers.

    Only a blank line with headers of MIME right behind it is taken for a mistake.
    """
    if data.startswith(b"\n") and not _LATE_HEADERS.match(data):
        return HeaderBlock((), "", data[1:], ())
    return split_headers(data)


def _end_of_headers(data: bytes) -> int:
    """Where the blank line stands, or the line that can only be the body's when there is no blank line before it."""
    position = 0
    while position < len(data):
        if position > MAX_HEADER_BLOCK:
            blank = data.find(b"\n\n", position - 1)
            return len(data) if blank < 0 else blank + 1
        next_line = _next_line(data, position)
        if data[position : position + 1] == b"\n" or not _belongs(data, position, next_line):
            return position
        position = next_line
    return len(data)


def _next_line(data: bytes, position: int) -> int:
    newline = data.find(b"\n", position)
    return len(data) if newline < 0 else newline + 1


def _belongs(data: bytes, position: int, next_line: int) -> bool:
    """Whether the line is a field, the continuation of one, or a stray line with a field right behind it."""
    if _FIELD.match(data, position) or (position and data.startswith(_BLANKS, position)):
        return True
    return position > 0 and _FIELD.match(data, next_line) is not None


def _read_fields(block: bytes) -> list[tuple[bytes, bytes]]:
    """(name, unfolded value) of every field; lines that are neither field nor continuation are left out."""
    fields: list[tuple[bytes, list[bytes]]] = []
    for line in block.split(b"\n"):
        if line.startswith(_BLANKS):
            if fields:
                fields[-1][1].append(line)
        elif match := _FIELD.match(line):
            fields.append((match[1], [line[match.end() :]]))
    return [(name, b"".join(lines).strip()) for name, lines in fields]


def _to_text(fields: list[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    charset = _declared_charset(fields)
    return tuple((name.decode("ascii"), clean_value(decode_text(value, charset))) for name, value in fields)


def _declared_charset(fields: list[tuple[bytes, bytes]]) -> str:
    """The charset of the body: raw eight-bit headers, which should not be, are most likely in the same."""
    for name, value in fields:
        if name.lower() == b"content-type" and (match := _CHARSET.search(value)):
            return match[1].decode("ascii", "ignore")
    return ""


def clean_value(value: str) -> str:
    """On one line: tabs and newlines become blanks; other control characters are gone already."""
    return value.replace("\t", " ").replace("\n", " ").strip()
