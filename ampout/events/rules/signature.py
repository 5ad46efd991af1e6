"""Signatures of webhooks after the Standard Webhooks specification, version 1: HMAC-SHA256 over `id.timestamp.body`."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

PREFIX = "whsec_"
SECRET_BYTES = 32
"""The specification asks for 24 to 64."""


def format_secret(random: bytes) -> str:
    """The text of a secret, as its owner sees it."""
    return PREFIX + base64.b64encode(random).decode("ascii")


def sign(message_id: str, timestamp: int, body: bytes, secret: str) -> str:
    """One signature, `v1,…`; `timestamp` is seconds since 1970, `secret` the text of `format_secret`."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = b".".join([message_id.encode(), str(timestamp).encode(), body])
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")


def headers_for(message_id: str, body: bytes, secrets: Sequence[str], at: datetime) -> dict[str, str]:
    """The headers of one call at `at`, signed by every secret, so that either of two verifies it during a rotation."""
    timestamp = int(at.timestamp())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(message_id, timestamp, body, secret) for secret in secrets),
    }
