"""Who must not be written to, and by which streams (design: law 5).

A reply, a pause, a disabled credential or a suspended account stop messages too, but not for the address as such:
they are no suppressions. What is kept are keyed hashes of the keys below, so that they survive every deletion.
"""

from dataclasses import dataclass
from enum import StrEnum


class Stream(StrEnum):
    """What kind of mail a message is."""

    CAMPAIGN = "campaign"
    """A step of a sequence."""
    TEST = "test"
    """A test send of a campaign's steps."""
    TRANSACTIONAL = "transactional"
    """A single message that somebody asked for."""


class SuppressionScope(StrEnum):
    """Which streams a suppression stops."""

    MARKETING = "marketing"
    """Campaign messages and test sends, in the whole account."""
    ALL = "all"
    """Every path."""


class SuppressionReason(StrEnum):
    """The fact that suppressed an address or a domain."""

    UNSUBSCRIBED = "unsubscribed"
    """By one click, by the API, or by a reply that asks for it."""
    HARD_BOUNCE = "hard_bounce"
    """The address does not exist, its server says."""
    COMPLAINT = "complaint"
    """The recipient reported the mail as unwanted."""
    MANUAL = "manual"
    """Somebody of the account, or an operator, put it on the list."""


class SuppressionKind(StrEnum):
    """What a suppression names."""

    ADDRESS = "address"
    DOMAIN = "domain"
    """Every address at exactly this domain; its subdomains are others."""


SCOPE_OF: dict[SuppressionReason, SuppressionScope] = {
    SuppressionReason.UNSUBSCRIBED: SuppressionScope.MARKETING,
    SuppressionReason.HARD_BOUNCE: SuppressionScope.ALL,
    SuppressionReason.COMPLAINT: SuppressionScope.ALL,
    SuppressionReason.MANUAL: SuppressionScope.ALL,
}
"""Law 5's table: how far each fact reaches."""

BLOCKED_STREAMS: dict[SuppressionScope, frozenset[Stream]] = {
    SuppressionScope.MARKETING: frozenset({Stream.CAMPAIGN, Stream.TEST}),
    SuppressionScope.ALL: frozenset(Stream),
}


@dataclass(frozen=True, slots=True)
class SuppressionKey:
    """What is hashed and looked up: an address identity or a domain, both lower-case with the domain in A-labels."""

    kind: SuppressionKind
    value: str


def blocks(scope: SuppressionScope, stream: Stream) -> bool:
    """Whether a suppression of this scope stops a message of this stream."""
    return stream in BLOCKED_STREAMS[scope]


def stronger(first: SuppressionScope, second: SuppressionScope) -> SuppressionScope:
    """The scope that stops more: what is kept when two facts meet on one address, so that none is weakened."""
    return max(first, second, key=lambda scope: len(BLOCKED_STREAMS[scope]))


def keys_of(identity: str) -> tuple[SuppressionKey, SuppressionKey]:
    """The two keys under which an address may be suppressed: its own and its domain's.

    `identity` is an address identity (`ampout.lib.addresses`); a quoted local part may hold an @, the domain never
    does. Raises ValueError when there is no @.
    """
    local, separator, domain = identity.rpartition("@")
    if not (separator and local and domain):
        raise ValueError("An address identity has the form local@domain.")
    return SuppressionKey(SuppressionKind.ADDRESS, identity), SuppressionKey(SuppressionKind.DOMAIN, domain)
