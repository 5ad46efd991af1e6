"""Content-Transfer-Encoding (RFC 2045, section 6), forgiving: what is no base64 is left as it is."""

import binascii
import re

_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
_OTHERS = bytes(byte for byte in range(256) if byte not in _BASE64)
_LOOKED_AT = 4096


def decode_transfer(data: bytes, encoding: str) -> bytes:
    """`data` without its transfer encoding; unknown encodings count as none."""
    name = encoding.strip().strip("\"'").lower()
    if name == "base64" and _looks_like_base64(data[:_LOOKED_AT]):
        return decode_base64(data)
    if name in {"quoted-printable", "quotedprintable"}:
        return binascii.a2b_qp(data)
    return data


def decode_base64(data: bytes) -> bytes:
    """Everything before the first padding, foreign characters left out; a last lone character is dropped."""
    kept = data.translate(None, _OTHERS)
    kept = re.split(rb"=+", kept, maxsplit=1)[0] if len(kept) % 4 or b"=" in kept[:-2] else kept.rstrip(b"=")
    kept = kept[:-1] if len(kept) % 4 == 1 else kept
    return binascii.a2b_base64(kept + b"==="[: -len(kept) % 4])


def _looks_like_base64(sample: bytes) -> bool:
    """Whether hardly anything foreign is in it; words of a language have blanks between them."""
    foreign = len(sample.translate(None, bytes(_BASE64))) - sum(sample.count(byte) for byte in (b"\r", b"\n"))
    return foreign * 50 <= len(sample)
