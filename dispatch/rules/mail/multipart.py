"""Cutting a multipart body at its boundary (RFC 2046, section 5.1), forgiving about how boundaries go wrong."""

import re

_LONGEST_BOUNDARY = 200
"""Bytes; RFC 2046 allows 70."""
_LIKELY_BOUNDARY = re.compile(rb"(?:^|\n)--([^\s][^\n]{0,199})\n(?=content-|\n)", re.IGNORECASE)


def split_multipart(body: bytes, boundary: str, limit: int) -> tuple[list[bytes], bool]:
    """The parts of `body` (whose lines end in `\\n`), at most `limit`, and whether there were more.

    A boundary that is missing or does not occur is guessed from the first line that looks like one. No part at all
    means that this is no multipart.
    """
    wanted = boundary.encode("utf-8", "replace")[:_LONGEST_BOUNDARY].rstrip()
    parts, more = _split(body, wanted, limit) if wanted else ([], False)
    if parts or more:
        return parts, more
    likely = _LIKELY_BOUNDARY.search(body)
    return _split(body, likely[1].rstrip(), limit) if likely else ([], False)


def _split(body: bytes, boundary: bytes, limit: int) -> tuple[list[bytes], bool]:
    """The bytes between delimiter lines; a missing last delimiter is the end of the body."""
    delimiter = b"--" + boundary
    parts: list[bytes] = []
    start = -1
    position = 0 if body.startswith(delimiter) else _next_delimiter(body, delimiter, 0)
    while position >= 0:
        after = position + len(delimiter)
        line_end = body.find(b"\n", after)
        line_end = len(body) if line_end < 0 else line_end
        rest = body[after : min(line_end, after + 100)].strip()
        if rest in {b"", b"--"}:
            if start >= 0:
                parts.append(body[start : max(position - 1, start)])
            if rest:
                return parts, False
            start = line_end + 1
            if len(parts) >= limit:
                return parts, True
        position = _next_delimiter(body, delimiter, line_end)
    if start >= 0:
        parts.append(body[start:])
    return parts, False


def _next_delimiter(body: bytes, delimiter: bytes, position: int) -> int:
    """Where the next line that begins with `delimiter` begins; -1 when there is none."""
    found = body.find(b"\n" + delimiter, position)
    return found if found < 0 else found + 1
