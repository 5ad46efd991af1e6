"""HTTP through the outbound door, against real servers on loopback."""

import asyncio
import gc
import socket
import time
from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from ampout.lib import http
from ampout.lib.http import HttpFailure, HttpFailureReason, Response, fetch, parse_url, send
from tests.peers.certificates import SERVER_NAME, Certificates, certificates
from tests.peers.dns_server import Behaviour, DnsServer
from tests.peers.webhook_sink import Manner, Reply, WebhookSink, running_webhook_sink, sink, tls_sink

__all__ = ["certificates", "sink", "tls_sink"]


@pytest.fixture(autouse=True)
def trusting(settings: Settings, certificates: Certificates) -> None:
    """The loopback network is allowed and the test authority trusted."""
    settings.ALLOW_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.HTTP_CA_FILE = str(certificates.authority)


def failure(url: str, **options: object) -> HttpFailure:
    with pytest.raises(HttpFailure) as caught:
        fetch(url, **options)  # type: ignore[arg-type]
    return caught.value


# -- Answers


def test_an_answer_is_status_headers_and_body(sink: WebhookSink) -> None:
    sink.reply("/a", Reply(200, (("X-Colour", "blue"),), b"words"))
    answer = fetch(sink.url("/a?q=1"))
    assert (answer.status, answer.header("x-colour"), answer.body, answer.truncated) == (200, "blue", b"words", False)
    assert sink.calls("/a")[0].path == "/a?q=1"


def test_an_absent_header_is_empty() -> None:
    assert Response(200, (), b"", truncated=False).header("Location") == ""


def test_a_body_is_posted_with_its_headers(sink: WebhookSink) -> None:
    asyncio.run(send("POST", sink.url("/hook"), headers={"Content-Type": "application/json"}, body=b"{}"))
    call = sink.calls("/hook")[0]
    assert (call.method, call.body, call.headers["content-type"]) == ("POST", b"{}", "application/json")
    assert call.headers["host"] == f"127.0.0.1:{sink.port}"


def test_any_status_is_an_answer(sink: WebhookSink) -> None:
    sink.reply("/a", Reply(503))
    assert fetch(sink.url("/a")).status == 503


def test_redirects_are_not_followed(sink: WebhookSink) -> None:
    sink.reply("/a", Reply(302, (("Location", sink.url("/b")),)))
    assert fetch(sink.url("/a")).status == 302
    assert sink.calls("/b") == []


def test_proxies_of_the_environment_are_ignored(sink: WebhookSink, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert fetch(sink.url("/a")).status == 204


def test_cookies_are_not_kept(sink: WebhookSink) -> None:
    sink.reply("/a", Reply(200, (("Set-Cookie", "a=b"),)))
    fetch(sink.url("/a"))
    fetch(sink.url("/a"))
    assert "cookie" not in sink.calls("/a")[1].headers


# -- Bounds


def test_no_more_of_the_body_is_kept_than_was_asked_for(sink: WebhookSink) -> None:
    sink.reply("/a", Reply(200, manner=Manner.ENDLESS_BODY))
    answer = fetch(sink.url("/a"), limit_bytes=100_000)
    assert (len(answer.body), answer.truncated) == (100_000, True)


@pytest.mark.parametrize(("length", "truncated"), [(10, False), (11, True)])
def test_a_body_as_long_as_the_limit_is_whole(sink: WebhookSink, length: int, truncated: bool) -> None:
    sink.reply("/a", Reply(200, body=b"x" * length))
    answer = fetch(sink.url("/a"), limit_bytes=10)
    assert (len(answer.body), answer.truncated) == (10, truncated)


def test_a_dripping_body_ends_with_the_deadline_and_the_status_counts(sink: WebhookSink) -> None:
    sink.reply("/a", Reply(200, manner=Manner.DRIP_BODY))
    begun = time.monotonic()
    answer = fetch(sink.url("/a"), timeout=0.5)
    assert (answer.status, answer.truncated) == (200, True)
    assert time.monotonic() - begun < 5


def test_silence_ends_with_the_deadline(sink: WebhookSink) -> None:
    sink.reply("/a", Reply(manner=Manner.HANG))
    problem = failure(sink.url("/a"), timeout=0.3)
    assert (problem.reason, problem.message) == (HttpFailureReason.TIMEOUT, "127.0.0.1 did not answer in time.")


@pytest.mark.parametrize("manner", [Manner.DROP, Manner.GARBAGE, Manner.ENDLESS_HEAD])
def test_what_is_not_http_is_a_protocol_failure(sink: WebhookSink, manner: Manner) -> None:
    sink.reply("/a", Reply(manner=manner))
    assert failure(sink.url("/a")).reason is HttpFailureReason.PROTOCOL


def test_a_closed_port_is_no_connection() -> None:
    problem = failure("http://127.0.0.1:9/secret")
    assert problem.reason is HttpFailureReason.NO_CONNECTION
    assert problem.message == "127.0.0.1 could not be connected to."


# -- TLS


def test_tls_is_verified_with_the_authorities_of_the_setting(tls_sink: WebhookSink) -> None:
    assert fetch(tls_sink.url("/a")).status == 204


def test_an_unknown_authority_is_refused(tls_sink: WebhookSink, settings: Settings) -> None:
    settings.HTTP_CA_FILE = ""
    problem = failure(tls_sink.url("/a"))
    assert problem.reason is HttpFailureReason.TLS
    assert problem.message.startswith("The certificate of 127.0.0.1 could not be verified: ")
    assert tls_sink.calls("/a") == []


@pytest.mark.parametrize("kind", ["wrong_host", "expired", "self_signed"])
def test_a_bad_certificate_is_refused(certificates: Certificates, kind: str) -> None:
    with running_webhook_sink(getattr(certificates, kind).server_context()) as bad:
        assert failure(bad.url("/a")).reason is HttpFailureReason.TLS
        assert bad.calls("/a") == []


def test_silence_within_the_handshake_leaves_no_socket_behind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        problem = failure(f"https://127.0.0.1:{listening.getsockname()[1]}/", timeout=0.3)
    assert problem.reason is HttpFailureReason.TIMEOUT
    gc.collect()  # an unclosed socket would be a warning, and warnings are errors


def test_a_server_without_tls_is_refused(sink: WebhookSink) -> None:
    assert failure(sink.url("/a", scheme="https")).reason is HttpFailureReason.TLS


def test_the_name_is_kept_for_tls_and_host(tls_sink: WebhookSink, dns_server: DnsServer) -> None:
    dns_server.addresses(SERVER_NAME, "127.0.0.1")
    assert fetch(tls_sink.url("/a", host=SERVER_NAME)).status == 204
    assert tls_sink.calls("/a")[0].headers["host"] == f"{SERVER_NAME}:{tls_sink.port}"


# -- The door


def test_the_next_address_is_tried_when_one_is_dead(sink: WebhookSink, dns_server: DnsServer) -> None:
    dns_server.addresses("hooks.peer.test", "127.0.0.2", "127.0.0.1")
    assert fetch(sink.url("/a", host="hooks.peer.test")).status == 204


def test_a_host_is_resolved_once_and_its_checked_address_connected_to(sink: WebhookSink, dns_server: DnsServer) -> None:
    """Between check and connection an attacker's DNS changes its answer; nobody asks it again."""
    dns_server.records("rebind.peer.test", "A", ("127.0.0.1",), ("127.0.0.99",))
    assert fetch(sink.url("/a", host="rebind.peer.test")).status == 204
    assert dns_server.asked("rebind.peer.test", "A") == 1


def test_every_call_checks_anew(sink: WebhookSink, dns_server: DnsServer) -> None:
    dns_server.records("rebind.peer.test", "A", ("127.0.0.1",), ("10.0.0.1",))
    fetch(sink.url("/a", host="rebind.peer.test"))
    assert failure(sink.url("/a", host="rebind.peer.test")).reason is HttpFailureReason.REFUSED
    assert len(sink.calls("/a")) == 1


def test_a_name_without_addresses_is_unresolved(dns_server: DnsServer) -> None:
    assert failure("https://nowhere.peer.test/").reason is HttpFailureReason.UNRESOLVED


def test_silence_of_the_dns_is_told_apart_from_absence(dns_server: DnsServer) -> None:
    dns_server.behave("slow.peer.test", Behaviour.SERVFAIL)
    assert failure("https://slow.peer.test/").reason is HttpFailureReason.DNS_SILENT


def test_plain_http_is_refused_outside_allowed_networks() -> None:
    problem = failure("http://1.1.1.1/")
    assert (problem.reason, problem.message) == (HttpFailureReason.REFUSED, "The URL must begin with https://.")


def test_other_ports_are_refused_outside_allowed_networks() -> None:
    assert failure("https://1.1.1.1:22/").reason is HttpFailureReason.REFUSED


def test_a_loop_can_hold_many_calls(sink: WebhookSink) -> None:
    sink.reply("/a", Reply(200, wait_seconds=0.5))

    async def crowd() -> list[Response]:
        return await asyncio.gather(*(send("POST", sink.url("/a")) for _ in range(100)))

    begun = time.monotonic()
    assert {answer.status for answer in asyncio.run(crowd())} == {200}
    assert time.monotonic() - begun < 10


# -- URLs


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port", "target", "host_header"),
    [
        ("https://example.com", "https", "example.com", 443, "/", "example.com"),
        ("HTTPS://Example.COM/A?b=C", "https", "example.com", 443, "/A?b=C", "example.com"),
        ("https://example.com:8443/", "https", "example.com", 8443, "/", "example.com:8443"),
        ("https://example.com?x", "https", "example.com", 443, "/?x", "example.com"),
        ("http://example.com:80/", "http", "example.com", 80, "/", "example.com"),
        ("http://example.com:443/", "http", "example.com", 443, "/", "example.com:443"),
        ("https://[2606:4700::1]/a", "https", "2606:4700::1", 443, "/a", "[2606:4700::1]"),
        ("https://[2606:4700::1]:8443/", "https", "2606:4700::1", 8443, "/", "[2606:4700::1]:8443"),
    ],
)
def test_a_url_is_taken_apart(text: str, scheme: str, host: str, port: int, target: str, host_header: str) -> None:
    url = parse_url(text)
    assert (url.scheme, url.host, url.port, url.target, url.host_header) == (scheme, host, port, target, host_header)


BAD_URLS = [
    *("", "example.com", "//example.com/", "https:/example.com", "https:example.com", "https://", "https:///path"),
    *("ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_", "javascript:alert(1)", "data:,x"),
    *("https://user@example.com/", "https://user:pass@example.com/", "https://@example.com/"),
    *("https://example.com#@evil.test/", "https://example.com/#x", "https://example.com:/", "https://example.com:x/"),
    *("https://example.com:123456/", "https://example.com:-1/", "https://a:1:2/", "https://[example.com]/"),
    *("https://[127.0.0.1]/", "https://[::1/", "https://::1/", "https://[::1]x/", "https://[fe80::1%25eth0]/"),
    *("https://exam ple.com/", " https://example.com/", "https://example.com/ ", "https://example.com/\n"),
    *("https://exa\tmple.com/", "https://example.com\r\nX: y/", "https://example.com\\@evil.test/", "https:\\\\a.com"),
    *("https://exämple.com/", "https://１２７.0.0.1/", "https://127。0。0。1/", "https://example.com/\x00"),
    *("https://example.com/ä", "https://example.com/\u2028", "https://" + "a" * 2_000 + ".com/"),
]


@pytest.mark.parametrize("text", BAD_URLS)
def test_an_odd_url_is_refused(text: str) -> None:
    with pytest.raises(HttpFailure) as caught:
        parse_url(text)
    assert caught.value.reason is HttpFailureReason.BAD_URL


def test_paths_and_queries_are_kept_out_of_repr() -> None:
    assert "s3cret" not in repr(parse_url("https://example.com/s3cret?token=s3cret"))


@pytest.fixture
def fresh_contexts() -> Iterator[None]:
    http._make_tls_context.cache_clear()
    yield
    http._make_tls_context.cache_clear()


def test_authorities_are_read_once(tls_sink: WebhookSink, fresh_contexts: None) -> None:
    fetch(tls_sink.url("/a"))
    fetch(tls_sink.url("/a"))
    assert http._make_tls_context.cache_info().misses == 1
