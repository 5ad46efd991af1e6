"""What a look-up of a domain's MX records can tell: plain values, so that pure rules can use them."""

from dataclasses import dataclass
from enum import StrEnum


class MxStatus(StrEnum):
    """The three kinds of answer; "no" and "no answer" are kept apart."""

    PRESENT = "present"
    """At least one MX record names a host."""
    ABSENT = "absent"
    """The DNS said for certain that the domain takes no mail by MX."""
    SILENT = "silent"
    """Nothing certain was heard: this postpones, and never judges."""


class MxReason(StrEnum):
    """Why the status is what it is."""

    FOUND = "found"
    """Present: there are MX records."""
    NXDOMAIN = "nxdomain"
    """Absent: the domain does not exist."""
    NULL_MX = "null_mx"
    """Absent: a lone MX record names "." (RFC 7505), the domain's own word that it takes no mail."""
    NO_MX = "no_mx"
    """Absent: the domain exists without any MX record; an address record is not taken in its place."""
    TIMEOUT = "timeout"
    """Silent: no server answered in time."""
    SERVFAIL = "servfail"
    """Silent: the servers failed, as they do when the zone's own servers or its DNSSEC are broken."""
    REFUSED = "refused"
    """Silent: the servers would not answer us."""
    UNREACHABLE = "unreachable"
    """Silent: no server could be reached, or none is configured."""
    LAME = "lame"
    """Silent: the server pointed to others instead of answering."""
    GARBLED = "garbled"
    """Silent: the answers could not be read, were cut short, or ran in a circle."""


@dataclass(frozen=True, slots=True)
class MxAnswer:
    """One look-up's outcome. `exchanges` are host names in the order of preference, without final dots."""

    status: MxStatus
    reason: MxReason
    exchanges: tuple[str, ...] = ()
