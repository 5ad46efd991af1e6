"""Keeping the password of a login out of what its server says."""

import base64

from ampout.lib.redaction import REDACTED, Redactor

__all__ = ["REDACTED", "Redactor", "encode_plain", "redactor_of"]


def redactor_of(username: str, password: str) -> Redactor:
    """Replaces the password, and whatever is base64 of this user's AUTH PLAIN, cut short or not."""
    if not password:
        return Redactor()
    return Redactor(password, encode_plain(username, password), encoded=[f"\0{username}\0"] if username else [])


def encode_plain(username: str, password: str) -> str:
    """The initial response of AUTH PLAIN (RFC 4616): an empty authorization identity, the login, the password."""
    return base64.b64encode(f"\0{username}\0{password}".encode()).decode()
