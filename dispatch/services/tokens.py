"""Opaque tokens in recipients' links: a message's id and 128 bits of signature, nothing that can be read or guessed."""

import base64
import hmac
import uuid

from ampout.lib.crypto import keyed_digest

SIGNATURE_BYTES = 16


def make_token(purpose: str, message_id: uuid.UUID, more: str = "") -> str:
    """The token of one message for one purpose; `more` is signed along and has to be shown with it."""
    raw = message_id.bytes + _sign(purpose, message_id, more)
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def read_token(purpose: str, token: str, more: str = "") -> uuid.UUID | None:
    """The message a token was made for; None unless its signature is ours."""
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except ValueError:
        return None
    # One spelling alone is ours: the last character has bits to spare.
    if len(raw) != 16 + SIGNATURE_BYTES or base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=") != token:
        return None
    message_id = uuid.UUID(bytes=raw[:16])
    return message_id if hmac.compare_digest(raw[16:], _sign(purpose, message_id, more)) else None


def _sign(purpose: str, message_id: uuid.UUID, more: str) -> bytes:
    signed = f"{message_id.hex} {more}" if more else message_id.hex
    return keyed_digest(purpose, signed)[:SIGNATURE_BYTES]
