"""What mail programs, proxies and scanners fetch: decided here, and done over loopback to one port alone.

A visit goes to Ampout's own web process or nowhere: the links of a mail may name any place of the world, and the
sandbox must never reach it.
"""

import http.client
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import urlsplit

VISIT_SECONDS = 10.0
"""How long a server may take for each step of its answer."""
LONGEST_ANSWER = 65_536
"""Bytes of an answer that are read."""


class Agent(StrEnum):
    """How visitors present themselves (User-Agent)."""

    CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
    """A person's browser, or a mail program built on it."""
    FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Thunderbird/144.0"
    """A person's mail program."""
    APPLE_PROXY = "Mozilla/5.0"
    """Apple's Mail Privacy Protection says no more than that."""
    GMAIL_PROXY = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
    """Gmail's image proxy."""
    SCANNER = "Mozilla/5.0 (compatible; Barracuda Sentinel (EE); +https://www.barracuda.com)"
    """A mail security product."""
    PROVIDER = "Mozilla/5.0 (compatible; MailProviderUnsubscribe/1.0)"
    """A mail provider that unsubscribes for a person."""


PEOPLE = (Agent.CHROME, Agent.FIREFOX)
PROXIES = (Agent.APPLE_PROXY, Agent.GMAIL_PROXY)


@dataclass(frozen=True, slots=True)
class Visit:
    """One request."""

    url: str
    agent: Agent
    method: str = "GET"
    form: str = ""
    """The body of a POST, as a form."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes: a loopback address, with the path and the name that the server is asked by."""

    address: str
    port: int
    path: str


def find_target(url: str, web_port: int) -> Target | None:
    """Where ``url`` leads if that is port ``web_port`` of this machine; None for the rest of the world."""
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError:
        return None
    if parts.scheme != "http" or port != web_port or not parts.hostname:
        return None
    address = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
    if not _is_loopback(address):
        return None
    return Target(address, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def make_visit(visit: Visit, web_port: int, visitor: str) -> int | None:
    """Do it, as ``visitor`` (whose network is made up); the answer's status, or None where there was none.

    Redirects are not followed: they lead into the real internet.
    """
    target = find_target(visit.url, web_port)
    if target is None:
        return None
    for source in (network_of(visitor), None):
        try:
            return _request(visit, target, source)
        except ConnectionRefusedError:
            return None
        except (OSError, http.client.HTTPException, ValueError):
            continue  # not every system has more loopback addresses than one
    return None


def network_of(visitor: str) -> str:
    """The loopback address of a visitor: people sit in networks of their own, 127.16.0.0/12 has room for all."""
    digest = sha256(visitor.lower().encode("utf-8", "surrogateescape")).digest()
    return f"127.{16 + digest[0] % 16}.{digest[1]}.{1 + digest[2] % 254}"


def _request(visit: Visit, target: Target, source: str | None) -> int:
    connection = http.client.HTTPConnection(
        target.address, target.port, timeout=VISIT_SECONDS, source_address=(source, 0) if source else None
    )
    host = urlsplit(visit.url).netloc.rpartition("@")[2]
    headers = {"Host": host, "User-Agent": visit.agent.value, "Accept": "*/*"}
    if visit.form:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    try:
        connection.request(visit.method, target.path, body=visit.form or None, headers=headers)
        answer = connection.getresponse()
        answer.read(LONGEST_ANSWER)
        return answer.status
    finally:
        connection.close()


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
