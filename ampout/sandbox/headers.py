"""The three header fields the recipients' log shows, read from hostile bytes in time proportional to their length."""

from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header

HEADER_BLOCK_LIMIT = 65_536
"""Bytes of a message searched for header fields."""
SUBJECT_LIMIT = 2_000
"""Characters of a subject that are decoded; a line may have 998 (RFC 5322, section 2.1.1)."""


@dataclass(frozen=True, slots=True)
class Headers:
    """Header fields of one message; an absent one is the empty text, of a repeated one the first counts."""

    message_id: str
    """As written, angle brackets included."""
    in_reply_to: str
    """As written, angle brackets included."""
    subject: str
    """Decoded (RFC 2047) and unfolded."""


def read_headers(content: bytes) -> Headers:
    """The header fields at the head of ``content``, a message with CRLF line ends (RFC 5322)."""
    block = content[:HEADER_BLOCK_LIMIT].partition(b"\r\n\r\n")[0]
    unfolded = block.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    fields: dict[bytes, str] = {}
    for line in unfolded.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            fields.setdefault(name.strip().lower(), value.decode("utf-8", "replace").strip())
    return Headers(
        message_id=fields.get(b"message-id", ""),
        in_reply_to=fields.get(b"in-reply-to", ""),
        subject=_decode(fields.get(b"subject", "")),
    )


def _decode(subject: str) -> str:
    """The subject in plain text; as it stands where its encoded words are broken or name an unknown charset."""
    shortened = subject[:SUBJECT_LIMIT]
    try:
        return str(make_header(decode_header(shortened)))
    except (HeaderParseError, LookupError, ValueError):
        return shortened
