"""How much of one mail is read. What lies beyond is left out, and the mail says so (`Mail.truncated`)."""

from enum import StrEnum

MAX_HEADER_BLOCK = 64 * 1024
"""Bytes of one header block."""
MAX_HEADER = 16 * 1024
"""Bytes of one header field, folds included."""
MAX_HEADERS = 200
"""Fields of one header block."""
MAX_PARTS = 100
"""Parts of one mail, those of attached mails included."""
MAX_DEPTH = 10
"""How deep parts and attached mails may be nested."""
MAX_BODY = 1024 * 1024
"""Bytes of the body, as it came."""
MAX_FOUND = 100
"""Addresses or Message-IDs read out of one header."""


class Cap(StrEnum):
    """A limit that a mail ran into."""

    HEADER_BLOCK = "header_block"
    """The header block was longer than MAX_HEADER_BLOCK."""
    HEADER = "header"
    """A field was longer than MAX_HEADER."""
    HEADERS = "headers"
    """There were more than MAX_HEADERS fields."""
    PARTS = "parts"
    """There were more than MAX_PARTS parts."""
    DEPTH = "depth"
    """Something lay deeper than MAX_DEPTH."""
    BODY = "body"
    """The body was longer than MAX_BODY."""
