"""What a user may write as the name of a mail server. Where it leads is judged at connect, by the outbound door."""

import ipaddress
import re

LONGEST_HOST = 253
"""Characters (RFC 1035, 2.3.4, less the root's dot)."""

# Letters, digits and inner hyphens (RFC 1123, 2.1). The underscore is no host name's.
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class InvalidHost(ValueError):
    """The text names no server; its message is one sentence that says why."""


def normalise_host(text: str) -> str:
    """The host name in lower case without the root's dot, or the IP address in its shortest form.

    Raises InvalidHost. Numbers that only some resolvers take for addresses (`127.1`, `0x7f.1`) are no host names.
    """
    host = text.strip(" \t").lower().removesuffix(".")
    if not host:
        raise InvalidHost("The host name is empty.")
    if len(host) > LONGEST_HOST:
        raise InvalidHost(f"The host name has more than {LONGEST_HOST} characters.")
    if not host.isascii():
        raise InvalidHost("Write an international host name in its ASCII form (xn--…).")
    return _as_address(host) or _as_name(host)


def _as_address(host: str) -> str | None:
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return None if "%" in bare else str(ipaddress.ip_address(bare))
    except ValueError:
        return None


def _as_name(host: str) -> str:
    labels = host.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise InvalidHost("Enter a host name such as smtp.example.com, or an IP address, and nothing else.")
    # What ends in a number is an address or nothing (WHATWG URL, "ends in a number").
    if labels[-1].isdigit() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        raise InvalidHost("This is not a complete IP address: write all four numbers, such as 192.0.2.1.")
    return host
