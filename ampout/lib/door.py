"""The outbound door: every host that a user names passes here before a connection is made.

A name is resolved once, every address that it has must be allowed, and the addresses that were checked are the ones
to connect to: a second look-up could answer something else (DNS rebinding). TLS still verifies the name.

What is refused is an explicit list, not `ipaddress.is_global`, which calls 192.0.0.8 global on Python 3.11. The setting
ALLOW_PRIVATE_NETWORKS opens parts of it. Every refusal comes before a connection and is worded alike, so that nothing
can be learned about what listens inside.
"""

import asyncio
import functools
import ipaddress
import os
import re
import socket
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings

from ampout.lib import dns
from ampout.lib.errors import AmpoutError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

REFUSED_NETWORKS: tuple[IpNetwork, ...] = tuple(
    ipaddress.ip_network(text)
    for text in [
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carriers' shared space, and some clouds' metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's platform address, public by its number only
        "169.254.0.0/16",  # link-local, with the clouds' metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        # Of IPv6 only 2000::/3 is in public use. The rest holds ::, ::1, IPv4 in disguise (::/96, ::ffff:0:0/96,
        # 64:ff9b::/96, 64:ff9b:1::/48), 100::/64, unique local, link-local, site-local and multicast addresses.
        "::/3",
        "4000::/2",
        "8000::/1",
        "2001::/23",  # protocol assignments, with Teredo, ORCHID and benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: IPv4 in disguise
        "3fff::/20",  # documentation
    ]
)
"""Never connected to unless the operator says so. Source: IANA's special-purpose address registries."""

SMTP_PORTS = frozenset({25, 26, 80, 443, 465, 587, 588, 2465, 2525, 2526, 2587, 8025, 8465, 10025})
"""Ports on which mail providers take submissions (see credentials/data/presets.toml)."""
IMAP_PORTS = frozenset({143, 993})

RESOLVER_THREADS = 32
"""Look-ups that may wait side by side; one conversation in opening needs one."""

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class RefusalReason(StrEnum):
    """Why a target is refused."""

    BAD_HOST = "bad_host"
    """Not a host name or an address in its plain spelling."""
    BAD_PORT = "bad_port"
    """Not a port, or not one of those that serve the purpose."""
    PRIVATE_ADDRESS = "private_address"
    """At least one of its addresses is not public, or is our own."""


class TargetRefused(AmpoutError):
    """The host or port must not be connected to; asking again does not help. `message` is a sentence for the user."""

    def __init__(self, reason: RefusalReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class TargetUnresolved(AmpoutError):
    """The host has no address; `temporary` when the DNS was silent rather than certain."""

    def __init__(self, message: str, *, temporary: bool) -> None:
        super().__init__(message)
        self.temporary = temporary


@dataclass(frozen=True, slots=True)
class CheckedTarget:
    """A host that may be connected to, by one of `addresses` and no other; `host` is the name for TLS to verify."""

    host: str
    port: int
    addresses: tuple[str, ...]


def check_target(
    host: str,
    port: int,
    *,
    allow: Iterable[str] | None = None,
    ports: Collection[int] | None = None,
) -> CheckedTarget:
    """Resolve `host` once and return what may be connected to.

    `allow` names networks (CIDR) that are open besides the public ones; None means the setting ALLOW_PRIVATE_NETWORKS.
    `ports` are those that serve the purpose (None: any); hosts that lie wholly in allowed networks may use any port.
    Raises TargetRefused or TargetUnresolved. Blocks for the look-up.
    """
    networks = _networks(settings.ALLOW_PRIVATE_NETWORKS if allow is None else allow)
    name = _checked_name(host)
    if not 0 < port < 65_536:
        raise TargetRefused(RefusalReason.BAD_PORT, f"Port {port} is not a port. Use a number from 1 to 65535.")
    addresses = _resolve(name)
    in_allowed = [_is_in(address, networks) for address in addresses]
    if not all(opened or _is_public(address) for opened, address in zip(in_allowed, addresses, strict=True)):
        raise TargetRefused(
            RefusalReason.PRIVATE_ADDRESS,
            f"{name} is not in the public internet, or is this server itself. Use a public host, or ask the operator "
            "to allow its network (ALLOW_PRIVATE_NETWORKS).",
        )
    if ports is not None and port not in ports and not all(in_allowed):
        usual = ", ".join(str(number) for number in sorted(ports))
        raise TargetRefused(RefusalReason.BAD_PORT, f"Port {port} is not allowed here. Use one of {usual}.")
    return CheckedTarget(host=name, port=port, addresses=tuple(str(address) for address in addresses))


async def check_target_async(
    host: str,
    port: int,
    *,
    allow: Iterable[str] | None = None,
    ports: Collection[int] | None = None,
) -> CheckedTarget:
    """`check_target` for an event loop: the look-up waits in a thread."""
    check = functools.partial(check_target, host, port, allow=allow, ports=ports)
    return await asyncio.get_running_loop().run_in_executor(_executor(os.getpid()), check)


def is_declared_insecure(target: CheckedTarget) -> bool:
    """Whether the operator named this host, or a network that all its addresses lie in, in SMTP_INSECURE_HOSTS.

    Only then may a login go out in the clear, and certificates stay unverified.
    """
    addresses = [ipaddress.ip_address(text) for text in target.addresses]
    for declared in settings.SMTP_INSECURE_HOSTS:
        if declared.lower() == target.host:
            return True
        try:
            network = ipaddress.ip_network(declared)
        except ValueError:
            continue  # another host's name
        if addresses and all(address in network for address in addresses):
            return True
    return False


@functools.lru_cache(maxsize=1)
def _executor(_process: int) -> ThreadPoolExecutor:
    """This process's threads; a forked child gets its own, since threads do not survive a fork."""
    return ThreadPoolExecutor(max_workers=RESOLVER_THREADS, thread_name_prefix="door")


def _networks(texts: Iterable[str]) -> list[IpNetwork]:
    return [ipaddress.ip_network(text) for text in texts]


# -- Names


def _checked_name(host: str) -> str:
    """The lower-cased name, or the address in its canonical spelling.

    Strict on purpose: what parsers read in different ways (127.1, 0x7f.1, a final dot, full-width dots, brackets,
    user@host) is refused rather than interpreted.
    """
    name = host.lower() if host.isascii() else ""
    address = _literal(name)
    if address is not None:
        return str(address)
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels) or _NUMBER.fullmatch(labels[-1]):
        raise TargetRefused(
            RefusalReason.BAD_HOST,
            "The host is not a host name. Use a plain name such as smtp.example.com, or an IP address, without "
            "a scheme, brackets, port, blanks or final dot; international names in their xn-- form.",
        )
    return name


def _literal(name: str) -> IpAddress | None:
    """The address that `name` spells plainly; zones (fe80::1%eth0) are not plain."""
    try:
        return None if "%" in name else ipaddress.ip_address(name)
    except ValueError:
        return None


def _resolve(name: str) -> list[IpAddress]:
    """Every address of a checked name. Raises TargetUnresolved."""
    address = _literal(name)
    if address is not None:
        return [address]
    if name == "localhost" or name.endswith(".localhost"):
        return [ipaddress.IPv4Address("127.0.0.1")]  # never asked of the DNS (RFC 6761, 6.3)
    try:
        found = dns.look_up_addresses(name) if settings.DNS_SERVERS else _ask_system(name)
    except dns.NameNotFound:
        raise TargetUnresolved(f"{name} has no address in the DNS. Check its spelling.", temporary=False) from None
    except dns.NoCertainAnswer:
        raise TargetUnresolved(f"The DNS did not answer for {name}. Try again later.", temporary=True) from None
    return [ipaddress.ip_address(text) for text in found]


def _ask_system(name: str) -> tuple[str, ...]:
    """What the system's resolver and hosts file say. Raises NameNotFound or NoCertainAnswer."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        certain = error.errno in {socket.EAI_NONAME, socket.EAI_NODATA}
        raise (dns.NameNotFound if certain else dns.NoCertainAnswer)(name) from None
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


# -- Addresses


def _is_in(address: IpAddress, networks: Iterable[IpNetwork]) -> bool:
    return any(address in network for network in networks)


def _is_public(address: IpAddress) -> bool:
    return not _is_in(address, REFUSED_NETWORKS) and not _is_own(address)


def _is_own(address: IpAddress) -> bool:
    """Whether this machine holds the address: behind a public one of ours lie ports meant for the inside.

    Only own addresses can be bound; nothing is sent. One that a gateway translates to us cannot be seen from here.
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
