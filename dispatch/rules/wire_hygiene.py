"""The last look at a message's bytes before they leave, by code that shares nothing with the code that built them."""

import re
from collections.abc import Sequence
from email.errors import HeaderParseError
from email.header import decode_header
from enum import StrEnum

LARGEST_MESSAGE = 25_000_000
"""Octets. Most servers take no more; what we build stays far below."""

LINE_LIMIT = 998
"""Octets of a line without its end (RFC 5321, section 4.5.3.1.6)."""

LARGEST_HEADER = 64_000
"""Octets of all fields together; ours have a few thousand."""

_BLANK_LINE = re.compile(r"\r\n[ \t]+(?=\r\n|\Z)")
_FOLD = re.compile(r"\r\n(?=[ \t])")
_FIELD = re.compile(r"([!-9;-~]+):[ \t]*(.*)", re.DOTALL)


class HygieneReason(StrEnum):
    """What is wrong with the bytes."""

    TOO_LARGE = "too_large"
    NUL = "nul"
    BARE_LINE_END = "bare_line_end"
    """A CR or LF that stands alone: servers disagree about where the message ends (SMTP smuggling)."""
    NO_FINAL_LINE_END = "no_final_line_end"
    LINE_TOO_LONG = "line_too_long"
    NO_BODY = "no_body"
    """No empty line sets the header apart from the body."""
    EIGHT_BIT = "eight_bit"
    """Octets above 127 where nothing announces them."""
    MALFORMED_HEADER = "malformed_header"
    HEADERS_DIFFER = "headers_differ"
    """A field is missing, too many, out of its order, or says something else than it should."""


class HygieneFailed(ValueError):
    """The bytes must not be sent; the message is a sentence for the operator, and repeats nothing of the content."""

    def __init__(self, reason: HygieneReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def check_wire(payload: bytes, expected_headers: Sequence[tuple[str, str]], *, smtputf8: bool = False) -> None:
    """Check a whole message, as it is before dot-stuffing. Raises HygieneFailed.

    1. The octets: size, NUL, line ends, the length of lines.
    2. Nothing above 127, but in a header that goes by SMTPUTF8 and in a body that is declared 8bit.
    3. The header, parsed anew, has exactly the fields of `expected_headers` (name, value as a reader decodes it), in
       this order: none was smuggled in.
    """
    _check_octets(payload)
    head, separator, body = payload.partition(b"\r\n\r\n")
    if not separator:
        raise HygieneFailed(HygieneReason.NO_BODY, "No empty line sets the header apart from the body.")
    if len(head) > LARGEST_HEADER:
        raise HygieneFailed(HygieneReason.TOO_LARGE, f"The header has more than {LARGEST_HEADER:,} octets.")
    if not (smtputf8 or head.isascii()):
        raise HygieneFailed(
            HygieneReason.EIGHT_BIT, "The header is not ASCII, and the message does not go by SMTPUTF8."
        )
    found = _read_header(head)
    if not body.isascii() and ("Content-Transfer-Encoding", "8bit") not in found:
        raise HygieneFailed(HygieneReason.EIGHT_BIT, "The body is not ASCII, and is not declared to be 8bit.")
    _compare(found, expected_headers)


def check_line_ends(payload: bytes) -> None:
    """Hold every CR to its LF and every LF to its CR, and the last line to its end (RFC 5321, section 2.3.8).

    Raises HygieneFailed.
    """
    pairs = payload.count(b"\r\n")
    if payload.count(b"\r") != pairs or payload.count(b"\n") != pairs:
        raise HygieneFailed(HygieneReason.BARE_LINE_END, "The message holds a CR or an LF that stands alone.")
    if not payload.endswith(b"\r\n"):
        raise HygieneFailed(HygieneReason.NO_FINAL_LINE_END, "The message does not end with CRLF.")


def dot_stuff(payload: bytes) -> bytes:
    """The payload of DATA with one more dot before each line that begins with one (RFC 5321, section 4.5.2).

    `payload` has CRLF line ends throughout; the closing `.` CRLF is not added here.
    Raises HygieneFailed where a line end stands alone: a server that takes it for one would see other lines than we do.
    """
    check_line_ends(payload)
    stuffed = payload.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed


def _check_octets(payload: bytes) -> None:
    if len(payload) > LARGEST_MESSAGE:
        raise HygieneFailed(HygieneReason.TOO_LARGE, f"The message has more than {LARGEST_MESSAGE:,} octets.")
    if b"\0" in payload:
        raise HygieneFailed(HygieneReason.NUL, "The message contains a NUL.")
    check_line_ends(payload)
    longest = max(map(len, payload.split(b"\r\n")))
    if longest > LINE_LIMIT:
        raise HygieneFailed(HygieneReason.LINE_TOO_LONG, f"A line has {longest} octets; {LINE_LIMIT} are allowed.")


def _read_header(head: bytes) -> list[tuple[str, str]]:
    """The fields in order, unfolded and decoded. Raises HygieneFailed where a line is no part of a field."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("is not UTF-8") from None
    if text.startswith((" ", "\t")) or _BLANK_LINE.search(text):
        raise _malformed("has a continuation of nothing, or of blanks alone")
    return [_read_field(field) for field in _FOLD.sub("", text).split("\r\n")]


def _read_field(field: str) -> tuple[str, str]:
    match = _FIELD.fullmatch(field)
    if match is None:
        raise _malformed("has a line that is no field")
    name, value = match.groups()
    value = value.rstrip(" \t")
    return name, _decoded(value) if "=?" in value else value


def _decoded(value: str) -> str:
    """`value` with its encoded-words read, by the standard library's reader, which is more lenient than RFC 2047."""
    try:
        pieces = decode_header(value)
        return "".join(
            piece if isinstance(piece, str) else piece.decode(charset or "utf-8") for piece, charset in pieces
        )
    except (HeaderParseError, LookupError, ValueError):
        raise _malformed("has an encoded-word that cannot be read") from None


def _compare(found: Sequence[tuple[str, str]], expected: Sequence[tuple[str, str]]) -> None:
    if list(found) == list(expected):
        return
    for position, (found_field, expected_field) in enumerate(zip(found, expected, strict=False), start=1):
        if found_field != expected_field:
            message = f"Field {position} of the header should be {expected_field[0]}, and say what it was given."
            raise HygieneFailed(HygieneReason.HEADERS_DIFFER, message)
    message = f"The header has {len(found)} fields instead of {len(expected)}."
    raise HygieneFailed(HygieneReason.HEADERS_DIFFER, message)


def _malformed(what: str) -> HygieneFailed:
    return HygieneFailed(HygieneReason.MALFORMED_HEADER, f"The header {what}.")
