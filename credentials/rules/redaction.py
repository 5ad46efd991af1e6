"""Keeping our own secrets out of what a server says, for servers that echo what we sent."""

import base64
import binascii
import re

REDACTED = "[redacted]"

_ENCODED_WORD = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")


class Redactor:
    """Replaces a login's password in texts: as it is, in base64, and inside longer base64 (AUTH PLAIN)."""

    __slots__ = ("_password", "_pattern")

    def __init__(self, username: str, password: str) -> None:
        forms = [
            password,
            encode_plain(username, password),
            base64.b64encode(password.encode()).decode(),
            base64.urlsafe_b64encode(password.encode()).decode(),
        ]
        self._password = password.encode()
        # Longest first, so that no form is cut in two by a shorter one.
        alternatives = sorted({re.escape(form) for form in forms}, key=len, reverse=True)
        self._pattern = re.compile("|".join(alternatives), re.IGNORECASE) if password else None

    def redact(self, text: str) -> str:
        """`text` without the password in any of these forms."""
        if self._pattern is None:
            return text
        return self._pattern.sub(REDACTED, _ENCODED_WORD.sub(self._redact_encoded, text))

    def _redact_encoded(self, match: re.Match[str]) -> str:
        """The word, unless it is base64 of something that holds the password."""
        word = match[0].rstrip("=").replace("-", "+").replace("_", "/")
        try:
            decoded = base64.b64decode(word + "=" * (-len(word) % 4))
        except binascii.Error:
            return match[0]
        return REDACTED if self._password in decoded else match[0]

    def __repr__(self) -> str:
        return "Redactor()"


def encode_plain(username: str, password: str) -> str:
    """The initial response of AUTH PLAIN (RFC 4616): an empty authorization identity, the login, the password."""
    return base64.b64encode(f"\0{username}\0{password}".encode()).decode()
