"""Who calls us: the client's address, and the network it belongs to."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest

APPLE = ipaddress.ip_network("17.0.0.0/8")
"""Apple's own addresses, from which its mail proxy asks (ARIN: APPLE-WWNET)."""


def client_address(request: HttpRequest) -> str:
    """The address of who called: the one our own proxy saw, when BEHIND_PROXY says that there is one."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if settings.BEHIND_PROXY and forwarded:
        # Only the last entry was written by our proxy; what stands before it came from the client.
        return str(forwarded.rpartition(",")[2].strip()[:100])
    return str(request.META.get("REMOTE_ADDR", ""))


def client_network(address: str, *, ipv4: int = 32, ipv6: int = 64) -> str:
    """The network of so many bits that holds an address; a single address without its length; what is none as it is."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    bits = ipv4 if parsed.version == 4 else ipv6
    network = ipaddress.ip_network((int(parsed) if parsed.version == 6 else str(parsed), bits), strict=False)
    return str(parsed) if bits == parsed.max_prefixlen else str(network)


def is_apple(address: str) -> bool:
    """Whether an address belongs to Apple."""
    try:
        return ipaddress.ip_address(address) in APPLE
    except ValueError:
        return False
