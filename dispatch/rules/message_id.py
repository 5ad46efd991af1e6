"""Message-IDs that cannot be guessed and that we recognise as our own.

A reply, a bounce or a provider's event is believed when it names one of them, so nobody may be able to make one up:
each carries 128 random bits and a tag that only the holder of the key can compute.
"""

import hashlib
import hmac
import re

RANDOM_BYTES = 16
TAG_BYTES = 12
"""96 bits: guessing one right by chance takes longer than any mailbox will exist."""

LONGEST_DOMAIN = 190
"""Characters. The whole identifier then stays within the 255 that the ledger keeps of it."""

_PURPOSE = b"ampout message-id\0"
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
# Lower-case hexadecimal digits: some mail software folds case, and some breaks at other signs.
_OURS = re.compile(rf"<?([0-9a-f]{{{2 * RANDOM_BYTES}}})\.([0-9a-f]{{{2 * TAG_BYTES}}})@([a-z0-9.-]{{1,253}})>?")


def make_message_id(domain: str, random_bytes: bytes, key: bytes) -> str:
    """`<random.tag@domain>` for a message from `domain` (A-labels), unique and recognisable by `key`.

    Raises ValueError for another number of bytes than RANDOM_BYTES, and for what is no domain.
    """
    if len(random_bytes) != RANDOM_BYTES:
        raise ValueError(f"A Message-ID takes {RANDOM_BYTES} random bytes.")
    if len(domain) > LONGEST_DOMAIN or not _DOMAIN.fullmatch(domain):
        raise ValueError("A Message-ID needs a domain of ASCII letters, digits, dots and hyphens.")
    token = random_bytes.hex()
    return f"<{token}.{_tag(token, domain.lower(), key)}@{domain.lower()}>"


def is_ours(message_id: str, key: bytes) -> bool:
    """Whether `message_id`, with or without its angle brackets, was made by make_message_id with `key`.

    Never raises, and takes the same time for a wrong tag wherever the first difference is.
    """
    match = _OURS.fullmatch(message_id.strip(" \t\r\n").lower()) if len(message_id) <= 400 else None
    if match is None:
        return False
    token, tag, domain = match.groups()
    return hmac.compare_digest(tag, _tag(token, domain, key))


def _tag(token: str, domain: str, key: bytes) -> str:
    signed = _PURPOSE + f"{token}@{domain}".encode("ascii")
    return hmac.digest(key, signed, hashlib.sha256)[:TAG_BYTES].hex()
