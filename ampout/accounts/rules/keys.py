"""The shape of an API key (contract: Ground rules)."""

import base64
import hashlib
from collections.abc import Collection
from enum import StrEnum

PREFIX = "ak_live_"
RANDOM_BYTES = 32
VISIBLE_LENGTH = 12


class ClientKind(StrEnum):
    """What uses a key; usage is shown by it."""

    DIRECT = "direct"
    MCP = "mcp"
    SDK = "sdk"


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    """Look at things."""
    WRITE = "write"
    """Make and change them."""
    SEND = "send"
    """Let mail go out that did not before."""
    ADMIN = "admin"
    """Change the account, its keys and its webhooks."""


ALL_SCOPES = tuple(scope.value for scope in Scope)


def first_missing(wanted: Collection[str], held: Collection[str]) -> Scope | None:
    """The first of the wanted scopes that is not among those held."""
    return next((scope for scope in Scope if scope in wanted and scope not in held), None)


def format_key(random_bytes: bytes) -> str:
    """`ak_live_` and 32 random bytes, URL-safe, without padding."""
    if len(random_bytes) != RANDOM_BYTES:
        raise ValueError(f"a key needs {RANDOM_BYTES} random bytes, not {len(random_bytes)}")
    return PREFIX + base64.urlsafe_b64encode(random_bytes).rstrip(b"=").decode("ascii")


def visible_prefix(key: str) -> str:
    """The first twelve characters: enough to recognise a key, useless to guess it."""
    return key[:VISIBLE_LENGTH]


def key_digest(key: str) -> str:
    """SHA-256 in hex. A fast hash is right here: the key has 256 random bits."""
    return hashlib.sha256(key.encode()).hexdigest()
