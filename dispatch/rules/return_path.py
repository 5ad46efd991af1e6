"""Return paths that name their message: `local+token@domain`, so that a bounce tells which message it is about.

The token is the message's id and a signature, in lower-case base32 (RFC 4648): letters and digits survive mail software
that folds case, and nobody without the key can make one for a message that they never got.
"""

import base64
import hashlib
import hmac
import uuid

SIGNATURE_BYTES = 7
"""56 bits: with the 16 bytes of the id they fill 37 characters. A guess must also name a message that exists."""

TOKEN_LENGTH = 37
LONGEST_LOCAL = 64
"""Octets of a local part (RFC 5321, 4.5.3.1.1)."""

_PURPOSE = b"ampout return-path\0"


def make_return_path(address: str, message_id: uuid.UUID, key: bytes) -> str | None:
    """`address` with the token of `message_id` behind a plus sign; None where its local part leaves no room for it."""
    local, _, domain = address.rpartition("@")
    if not local or len(local.encode()) + 1 + TOKEN_LENGTH > LONGEST_LOCAL:
        return None
    return f"{local}+{_token(message_id, key)}@{domain}"


def read_return_path(address: str, key: bytes) -> uuid.UUID | None:
    """The message whose token stands in `address`, in any case of letters; None unless the signature is ours."""
    token = address.rpartition("@")[0].rpartition("+")[2].lower()
    if len(token) != TOKEN_LENGTH or not token.isascii():
        return None
    try:
        raw = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
    except ValueError:
        return None
    message_id = uuid.UUID(bytes=raw[:16])
    # Compared as text, so that of the spellings of one value only ours is taken.
    return message_id if hmac.compare_digest(token, _token(message_id, key)) else None


def _token(message_id: uuid.UUID, key: bytes) -> str:
    signature = hmac.digest(key, _PURPOSE + message_id.bytes, hashlib.sha256)[:SIGNATURE_BYTES]
    return base64.b32encode(message_id.bytes + signature).decode("ascii").rstrip("=").lower()
