"""Encoded words in headers (RFC 2047), forgiving and in one pass."""

import binascii
import re

from dispatch.rules.mail.charsets import decode_text
from dispatch.rules.mail.transfer import decode_base64

_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*)\?=")


def decode_words(value: str) -> str:
    """`value` with its encoded words decoded.

    Neighbours in one charset are put together before they are decoded, because some programs cut characters in two;
    the blank between neighbours goes (section 6.2).
    """
    if "=?" not in value:
        return value
    pieces: list[str] = []
    charset, pending, end = "", b"", 0
    for match in _WORD.finditer(value):
        between = value[end : match.start()]
        neighbours = bool(pending) and not between.strip()
        if not neighbours or charset != match[1].lower():
            pieces.append(decode_text(pending, charset))
            pieces.append("" if neighbours else between)
            pending = b""
        charset, end = match[1].lower(), match.end()
        pending += _word_bytes(match[2], match[3])
    pieces += [decode_text(pending, charset), value[end:]]
    return "".join(pieces)


def _word_bytes(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if encoding in "bB":
        return decode_base64(data)
    return binascii.a2b_qp(data, header=True)
