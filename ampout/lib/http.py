"""HTTP through the outbound door: for every URL that a user or a stranger names.

1. The URL is read strictly: what parsers understand in different ways is refused, not interpreted.
2. The door resolves the host once and checks every address; only those are connected to. Host and SNI keep the name.
3. HTTPS with a verified certificate; plain HTTP only towards networks that the operator allowed.
4. No redirects, no proxies, no cookies, no decompression, nothing from the environment.
5. The whole call has one deadline, and no more of the answer is read than was asked for.

Each call has a connection of its own, so that no answer can come from an address that was not checked for it.
Neither errors nor logs hold a path or a query: webhook URLs carry secrets there.
"""

import asyncio
import functools
import ipaddress
import re
import ssl
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import httpcore2
from django.conf import settings

from ampout.lib.door import CheckedTarget, TargetRefused, TargetUnresolved, check_target, check_target_async
from ampout.lib.errors import AmpoutError

LONGEST_URL = 2_000
"""Characters."""
CONNECT_SECONDS = 10.0
MOST_ADDRESSES = 4
"""Addresses of a host that are tried one after the other; they share CONNECT_SECONDS."""

HTTPS_PORTS = frozenset({443})

_URL = re.compile(r"(https?)://([^/?#]*)(/[^?#]*)?(\?[^#]*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@]+)(?::([0-9]{1,5}))?")
_VISIBLE = re.compile(r"[!-~]*")


class HttpFailureReason(StrEnum):
    """Why there is no answer."""

    BAD_URL = "bad_url"
    """Not a URL that can be called at all."""
    REFUSED = "refused"
    """The door does not let us go there."""
    UNRESOLVED = "unresolved"
    """The host has no address."""
    DNS_SILENT = "dns_silent"
    """Nobody said whether the host has an address: that is no verdict about the URL."""
    NO_CONNECTION = "no_connection"
    TLS = "tls"
    """No TLS, or a certificate that cannot be verified."""
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    """The connection ended early, or what came is not HTTP."""


class HttpFailure(AmpoutError):
    """There is no answer; `message` is a sentence for the URL's owner that names the host at most."""

    def __init__(self, reason: HttpFailureReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class WebUrl:
    """A URL taken apart. `host` has no brackets; `target` is path and query, kept out of repr as it may be secret."""

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)

    @property
    def host_header(self) -> str:
        """The Host field: brackets around IPv6, the port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == _usual_port(self.scheme)
        return host if usual else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. `truncated` when more of the body was to come than is kept here, or its end never came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    truncated: bool

    def header(self, name: str) -> str:
        """The first value of that name, in any case; "" when absent."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


# -- URLs


def parse_url(text: str) -> WebUrl:
    """Take a URL apart. Raises HttpFailure (BAD_URL): only plain http(s) URLs without user names and fragments pass."""
    if len(text) > LONGEST_URL:
        raise _bad_url(f"The URL is longer than {LONGEST_URL} characters.")
    if not _VISIBLE.fullmatch(text) or "\\" in text:
        raise _bad_url(
            "The URL holds blanks, backslashes or other characters that URLs must not hold. Percent-encode them; "
            "international host names go in their xn-- form."
        )
    if "#" in text:
        raise _bad_url("The URL has a fragment (#…), which is never sent. Remove it.")
    match = _URL.fullmatch(text)
    if match is None:
        raise _bad_url("The URL must look like https://example.com/path.")
    scheme, authority, path, query = match[1].lower(), match[2], match[3] or "/", match[4] or ""
    host, port = _split_authority(authority, _usual_port(scheme))
    return WebUrl(scheme=scheme, host=host, port=port, target=path + query)


def _split_authority(authority: str, usual_port: int) -> tuple[str, int]:
    if "@" in authority:
        raise _bad_url("The URL holds a user name or password. Remove them.")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise _bad_url("The URL has no host, or one that cannot be read.")
    host = match[1].lower()
    if host.startswith("["):
        host = host[1:-1]
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise _bad_url("Only IPv6 addresses stand in brackets.") from None
    return host, int(match[2]) if match[2] else usual_port


def _usual_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _bad_url(sentence: str) -> HttpFailure:
    return HttpFailure(HttpFailureReason.BAD_URL, sentence)


# -- Targets


def check_url(text: str, *, ports: Collection[int] = HTTPS_PORTS) -> WebUrl:
    """The URL, if it may be called at present. Raises HttpFailure. Blocks for one look-up; nothing is connected to."""
    url = parse_url(text)
    try:
        target = check_target(url.host, url.port, ports=_ports_for(url, ports))
    except (TargetRefused, TargetUnresolved) as error:
        raise _failure_of(error) from None
    _check_scheme(url, target)
    return url


async def _open_door(url: WebUrl, ports: Collection[int]) -> CheckedTarget:
    try:
        target = await check_target_async(url.host, url.port, ports=_ports_for(url, ports))
    except (TargetRefused, TargetUnresolved) as error:
        raise _failure_of(error) from None
    _check_scheme(url, target)
    return target


def _ports_for(url: WebUrl, ports: Collection[int]) -> Collection[int] | None:
    """Plain HTTP is refused outside allowed networks, and those have any port: its scheme is the better complaint."""
    return ports if url.scheme == "https" else None


def _check_scheme(url: WebUrl, target: CheckedTarget) -> None:
    if url.scheme == "http" and not _is_in_allowed_networks(target):
        raise HttpFailure(HttpFailureReason.REFUSED, "The URL must begin with https://.")


def _is_in_allowed_networks(target: CheckedTarget) -> bool:
    networks = [ipaddress.ip_network(text) for text in settings.ALLOW_PRIVATE_NETWORKS]
    addresses = [ipaddress.ip_address(text) for text in target.addresses]
    return all(any(address in network for network in networks) for address in addresses)


def _failure_of(error: TargetRefused | TargetUnresolved) -> HttpFailure:
    if isinstance(error, TargetRefused):
        return HttpFailure(HttpFailureReason.REFUSED, error.message)
    reason = HttpFailureReason.DNS_SILENT if error.temporary else HttpFailureReason.UNRESOLVED
    return HttpFailure(reason, error.message)


class _CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to the checked addresses, whatever name it is given; `close` ends what it opened.

    httpcore2 itself forgets a socket when it is cancelled within a TLS handshake.
    """

    def __init__(self, target: CheckedTarget) -> None:
        self._addresses = target.addresses[:MOST_ADDRESSES]
        self._port = target.port
        self._backend = httpcore2.AnyIOBackend()
        self._opened: list[httpcore2.AsyncNetworkStream] = []

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002  # the interface's; the checked addresses stand for it
        port: int,  # noqa: ARG002
        timeout: float | None = None,  # noqa: ARG002, ASYNC109  # CONNECT_SECONDS, shared
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """The first connection that comes about. Raises httpcore2.ConnectError or ConnectTimeout, the last one's."""
        share = CONNECT_SECONDS / len(self._addresses)
        for address in self._addresses[:-1]:
            with suppress(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                return await self._connect(address, share, local_address, socket_options)
        return await self._connect(self._addresses[-1], share, local_address, socket_options)

    async def _connect(
        self, address: str, seconds: float, local_address: str | None, socket_options: Iterable[Any] | None
    ) -> httpcore2.AsyncNetworkStream:
        stream = await self._backend.connect_tcp(
            address, self._port, timeout=seconds, local_address=local_address, socket_options=socket_options
        )
        self._opened.append(stream)
        return stream

    async def close(self) -> None:
        """Close every connection, whatever state it is in; closing twice does no harm."""
        for stream in self._opened:
            await stream.aclose()


# -- Calls


def fetch(
    url: str, *, ports: Collection[int] = HTTPS_PORTS, limit_bytes: int = 65_536, timeout: float = 15
) -> Response:
    """GET a URL; blocks for `timeout` seconds at most. Raises HttpFailure; any status is an answer.

    For code outside event loops. Look at `truncated` where the body must be whole.
    """
    return asyncio.run(send("GET", url, ports=ports, limit_bytes=limit_bytes, timeout=timeout))


async def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    ports: Collection[int] = HTTPS_PORTS,
    limit_bytes: int = 65_536,
    timeout: float = 15,  # noqa: ASYNC109  # one deadline for look-up, connection and answer is the point
) -> Response:
    """Make one call. `limit_bytes` is how much of the answer's body is read, `timeout` the seconds for everything.

    Raises HttpFailure. Once the status has come it counts, even if the rest of the answer never does.
    """
    parsed = parse_url(url)
    fields = {"Host": parsed.host_header, "User-Agent": "Ampout", "Accept-Encoding": "identity", **(headers or {})}
    answer = _Answer(limit_bytes)
    try:
        async with asyncio.timeout(timeout):
            target = await _open_door(parsed, ports)
            await _exchange(_Call(method, parsed, fields, body), target, answer)
    except TimeoutError:
        if not answer.status:
            raise HttpFailure(HttpFailureReason.TIMEOUT, f"{parsed.host} did not answer in time.") from None
    except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as error:
        if not answer.status:
            raise _explain(error, parsed.host) from None
    return answer.as_response()


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    url: WebUrl
    fields: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class _Answer:
    """What has come so far; `status` is 0 before anything has."""

    limit: int
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    complete: bool = False

    async def read(self, response: httpcore2.Response) -> None:
        """Take the head, then the body until it ends or is longer than wanted."""
        self.headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers)
        self.status = response.status
        async for chunk in response.aiter_stream():
            room = self.limit - len(self.body)
            self.body += chunk[:room]
            if len(chunk) > room:
                return
        self.complete = True

    def as_response(self) -> Response:
        return Response(self.status, self.headers, self.body, truncated=not self.complete)


async def _exchange(call: _Call, target: CheckedTarget, answer: _Answer) -> None:
    url = httpcore2.URL(
        scheme=call.url.scheme.encode(),
        host=call.url.host.encode(),
        port=call.url.port,
        target=call.url.target.encode(),
    )
    tls = _tls_context() if call.url.scheme == "https" else None
    limits = {"timeout": {"connect": CONNECT_SECONDS}}  # here: for the TLS handshake
    backend = _CheckedBackend(target)
    pool = httpcore2.AsyncConnectionPool(ssl_context=tls, network_backend=backend)
    try:
        async with (
            pool,
            pool.stream(
                call.method, url, headers=list(call.fields.items()), content=call.body, extensions=limits
            ) as response,
        ):
            await answer.read(response)
    finally:
        await backend.close()


def _explain(error: Exception, host: str) -> HttpFailure:
    """One sentence; system errors of the connection are worded alike."""
    cause = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        problem = cause.verify_message.rstrip(".")
        return HttpFailure(HttpFailureReason.TLS, f"The certificate of {host} could not be verified: {problem}.")
    if isinstance(cause, ssl.SSLError):
        return HttpFailure(HttpFailureReason.TLS, f"{host} does not speak TLS 1.2 or later on this port.")
    if isinstance(error, httpcore2.TimeoutException):
        return HttpFailure(HttpFailureReason.TIMEOUT, f"{host} did not answer in time.")
    if isinstance(error, httpcore2.ConnectError):
        return HttpFailure(HttpFailureReason.NO_CONNECTION, f"{host} could not be connected to.")
    return HttpFailure(HttpFailureReason.PROTOCOL, f"{host} closed the connection without an answer in HTTP.")


def _tls_context() -> ssl.SSLContext:
    """The context of all calls, kept: loading the authorities costs tens of milliseconds."""
    ca_file = settings.HTTP_CA_FILE
    return _make_tls_context(ca_file, Path(ca_file).stat().st_mtime_ns if ca_file else 0)


@functools.lru_cache(maxsize=4)
def _make_tls_context(ca_file: str, _changed: int) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        context.load_verify_locations(ca_file)
    return context
