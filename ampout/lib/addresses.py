"""Email addresses: one strict parser, and the identity by which the whole project compares them.

Accepted is what RFC 5321 and RFC 6531 allow in an envelope, without the forms that no list of people holds on purpose:
quoted local parts, address literals, display names. Reserved names (`.invalid`, `.localhost`, …) are refused, except
`.test` and `.example` (RFC 6761), which reach nobody and are what trials are made of.
"""

import contextlib
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

LONGEST_LOOKED_AT = 1_000
"""Characters. A path has at most 254 octets (RFC 5321, 4.5.3.1.3); longer input is refused before it is taken apart."""

LONGEST_ADDRESS = 254
LONGEST_LOCAL = 64
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
"""A dot-atom of ASCII (RFC 5322, 3.2.3), as nearly every local part is; the others take the longer way."""

ROLE_NAMES = frozenset(
    {
        *("abuse", "noc", "security"),
        *("postmaster", "hostmaster", "usenet", "news", "webmaster", "www", "uucp", "ftp"),
    },
)
"""RFC 2142, sections 4 and 5: who runs the network and its services. The business names of section 3 (`info`, `sales`,
`marketing`, `support`) are ordinary contacts."""


class InvalidAddress(ValueError):
    """The text is not an address that can be written to; its message is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox.

    `original` is the spelling that was given, without surrounding blanks; `local` its part before the @, as spelt;
    `domain` the part after it in IDNA A-labels, lower-cased; `identity` the whole address lower-cased, by which two
    spellings of one mailbox are known to be the same.
    """

    original: str
    local: str
    domain: str
    identity: str

    @property
    def envelope(self) -> str:
        """The form for MAIL FROM and RCPT TO: the local part as spelt, the domain in A-labels."""
        return f"{self.local}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        """Whether the server must offer SMTPUTF8 (RFC 6531): a domain can be put in ASCII, a local part cannot."""
        return not self.local.isascii()


def parse_address(text: str) -> Address:
    """The address that `text` spells, blanks around it aside. Raises InvalidAddress with a sentence."""
    original = text.strip(" \t")
    if not original:
        raise InvalidAddress("The email address is empty.")
    if len(original) > LONGEST_LOOKED_AT:
        raise InvalidAddress("The email address is too long: at most 254 characters are allowed.")
    domain = _checked_domain(original)
    local = original.rpartition("@")[0]
    return Address(original=original, local=local, domain=domain, identity=f"{_lowered(local)}@{domain}")


def _checked_domain(original: str) -> str:
    """The domain of a valid address, in A-labels and lower case."""
    local, _, domain = original.rpartition("@")
    if len(local) <= LONGEST_LOCAL and _PLAIN_LOCAL.fullmatch(local):
        with contextlib.suppress(InvalidAddress):
            known = _known_domain(domain)
            if len(local) + 1 + len(known) <= LONGEST_ADDRESS:
                return known
    return _validated_domain(original)


@lru_cache(maxsize=10_000)
def _known_domain(domain: str) -> str:
    """As `_validated_domain`, once a domain: lists of people hold few domains, whose check is most of the work."""
    return _validated_domain(f"x@{domain}")


def _validated_domain(original: str) -> str:
    try:
        found = validate_email(
            original,
            strict=True,
            check_deliverability=False,
            allow_quoted_local=False,
            allow_domain_literal=False,
            allow_display_name=False,
            allow_empty_local=False,
            test_environment=True,
        )
    except EmailNotValidError as error:
        raise InvalidAddress(str(error)) from None
    domain = found.ascii_domain.lower()
    if "." not in domain:
        raise InvalidAddress("The part after the @-sign is not valid. It should have a period.")
    return domain


def _lowered(local: str) -> str:
    """Lower case, composed (NFC): accents typed as one or as two characters are one mailbox."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).lower())


def is_role_address(identity: str) -> bool:
    """Whether the address belongs to a duty rather than a person (RFC 2142), with or without a `+tag`."""
    return identity.partition("@")[0].partition("+")[0] in ROLE_NAMES
