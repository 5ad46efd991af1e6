"""Secrets at rest (Fernet with rotatable keys) and keyed digests of values that must not be readable."""

import hashlib
import hmac
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class DecryptionFailed(Exception):
    """A stored secret cannot be read by any key of FIELD_KEYS: put back the key it was written with."""


@lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _current_box() -> MultiFernet:
    return _box(tuple(settings.FIELD_KEYS))


def encrypt(plaintext: str) -> str:
    """Encrypt by the newest key of FIELD_KEYS."""
    return _current_box().encrypt(plaintext.encode()).decode("ascii")


def decrypt(token: str) -> str:
    """Decrypt by whichever key of FIELD_KEYS fits.

    Raises DecryptionFailed when none does; the message holds neither the token nor a key.
    """
    try:
        return _current_box().decrypt(token.encode("ascii")).decode()
    except (InvalidToken, UnicodeEncodeError):
        sentence = (
            "A stored secret cannot be decrypted by any key of FIELD_KEYS. Nothing was changed: "
            "add the key it was written with to FIELD_KEYS (newest first) and start again."
        )
        raise DecryptionFailed(sentence) from None


def is_token(text: str) -> bool:
    """Whether a text was made by `encrypt`, by one of the keys that we have now."""
    try:
        decrypt(text)
    except DecryptionFailed:
        return False
    return True


def rotate(token: str) -> str:
    """The same secret, encrypted anew by the newest key. Raises DecryptionFailed as `decrypt` does."""
    return encrypt(decrypt(token))


def keyed_digest(purpose: str, value: str) -> bytes:
    """HMAC-SHA256 of `value` under DIGEST_KEY; `purpose` keeps digests of different uses apart. 32 bytes."""
    return hmac.new(settings.DIGEST_KEY.encode(), f"{purpose}\x00{value}".encode(), hashlib.sha256).digest()
