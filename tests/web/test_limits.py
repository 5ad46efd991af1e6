"""Requests made to hurt, as bytes on the wire: one answer of the contract each, and little memory (promise F5)."""

import json

import pytest

from ampout.accounts.models import Account, ApiKey
from campaigns.models import Contact, ContactImport
from tests.web.server import WebServer

JSON = "Content-Type: application/json"
FORM = "Content-Type: multipart/form-data; boundary=b"
MEGABYTE = 1024 * 1024
PACKED = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00C\xbf\xa6\xa3\x02\x00\x00\x00"


def request(line: str, key: str, *headers: str, body: bytes = b"") -> bytes:
    """A request to our host that closes its connection."""
    lines = [f"{line} HTTP/1.1", f"Authorization: Bearer {key}", "Connection: close", *headers]
    if not any(header.startswith("Host:") for header in headers):
        lines.append("Host: localhost")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


REFUSED: dict[str, tuple[str, list[str], bytes, int, str]] = {
    "a body that ends early": ("POST /api_keys", [JSON, "Content-Length: 100"], b"{}", 400, "bad_request"),
    "a chunked body": (
        *("POST /api_keys", [JSON, "Transfer-Encoding: chunked"], b"2\r\n{}\r\n0\r\n\r\n"),
        *(400, "bad_request"),
    ),
    "a length beyond all memory": (
        "POST /api_keys",
        [JSON, f"Content-Length: {10**26}"],
        b"{}",
        413,
        "payload_too_large",
    ),
    "a packed body": (
        *("POST /api_keys", [JSON, "Content-Encoding: gzip", f"Content-Length: {len(PACKED)}"], PACKED),
        *(415, "unsupported_media_type"),
    ),
    "another type": (
        "POST /api_keys",
        ["Content-Type: text/xml", "Content-Length: 4"],
        b"<a/>",
        415,
        "unsupported_media_type",
    ),
    "TRACE": ("TRACE /contacts", [], b"", 405, "method_not_allowed"),
    "PUT": ("PUT /contacts", [JSON, "Content-Length: 2"], b"{}", 405, "method_not_allowed"),
    "a method of nobody": ("BREW /contacts", [], b"", 405, "method_not_allowed"),
    "OPTIONS": ("OPTIONS /contacts", [], b"", 405, "method_not_allowed"),
    "a slash at the end": ("GET /contacts/", [], b"", 404, "not_found"),
    "two slashes": ("GET //contacts", [], b"", 404, "not_found"),
    "a path that is no UTF-8": ("GET /contacts/%ff%00%c0%ae", [], b"", 404, "contact_not_found"),
    "a path of four thousand letters": (f"GET /{'x' * 4_000}", [], b"", 404, "not_found"),
    "too many parameters": (f"GET /contacts?{'a&' * 1_500}", [], b"", 400, "bad_request"),
    "another host": ("GET /contacts", ["Host: attacker.example"], b"", 400, "bad_request"),
    "two hosts in one": ("GET /contacts", ["Host: localhost, attacker.example"], b"", 400, "bad_request"),
    "a host with a path": ("GET /contacts", ["Host: localhost/@attacker.example"], b"", 400, "bad_request"),
    "a host that somebody forwards": (
        *("GET /nothing", ["Host: attacker.example", "X-Forwarded-Host: localhost"], b""),
        *(400, "bad_request"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_gets_one_answer_of_the_contract(server: WebServer, key: str, name: str) -> None:
    line, headers, body, status, code = REFUSED[name]
    reply = server.ask(request(line, key, *headers, body=body), half_close=True)
    answer = json.loads(reply.body)
    assert (reply.status, answer["code"]) == (status, code)
    assert sorted(answer) == ["code", "details", "message", "type"]
    assert reply.headers["content-type"] == "application/json"
    assert ("allow" in reply.headers) or status != 405
    assert ApiKey.everywhere.count() == 1


BY_THE_SERVER = {
    "a negative length": (["Content-Length: -1"], 400),
    "two lengths": (["Content-Length: 2", "Content-Length: 3"], 400),
    "a length and chunks": (["Content-Length: 2", "Transfer-Encoding: chunked"], 400),
    "a second host": (["Host: localhost", "Host: attacker.example"], 400),
    "a header of nine thousand letters": ([f"X-Long: {'x' * 9_000}"], 431),
    "very many headers": (["X-Many: x"] * 200, 431),
    "a line end in a header": (["X-Split: a\rb"], 400),
}


@pytest.mark.parametrize("name", BY_THE_SERVER)
def test_what_is_no_http_does_not_even_reach_us(server: WebServer, key: str, name: str) -> None:
    headers, status = BY_THE_SERVER[name]
    reply = server.ask(request("POST /api_keys", key, JSON, *headers, body=b"{}"), half_close=True)
    assert (reply.status, reply.headers["connection"]) == (status, "close")
    assert key not in reply.body.decode()
    assert ApiKey.everywhere.count() == 1


@pytest.mark.parametrize(
    "path", ["/contacts", "/nothing", "/healthz", "/u/x", "/o/x", "/admin/login/", "/openapi.json"]
)
def test_head_has_the_headers_of_get_and_no_body(server: WebServer, key: str, path: str) -> None:
    get, head = (server.ask(request(f"{method} {path}", key)) for method in ("GET", "HEAD"))
    assert (head.status, head.headers["content-length"]) == (get.status, get.headers["content-length"])
    assert (head.body, len(get.body)) == (b"", int(get.headers["content-length"]))


def upload(key: str, content: bytes, *headers: str) -> bytes:
    """A CSV file as a form."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="people.csv"\r\n\r\n'
    body = head + content + b"\r\n--b--\r\n"
    return request("POST /contact_imports", key, FORM, f"Content-Length: {len(body)}", *headers, body=body)


def rows(size: int) -> bytes:
    """So many bytes: one row that can be used, and then some that cannot."""
    row = b"nobody," + b"x" * 150_000 + b"\n"
    return (b"email,note\nanna@recipient.example,\n" + row * (size // len(row) + 1))[:size]


def test_a_file_of_fifty_megabytes_is_read_as_a_stream(server: WebServer, key: str, tenant: Account) -> None:
    server.ask(upload(key, b"email\nbert@recipient.example"))
    before = server.start_measuring()
    reply = server.ask(upload(key, rows(50 * MEGABYTE)))
    assert (reply.status, json.loads(reply.body)["record_count"]) == (201, 1)
    assert server.most_memory() - before < 24 * MEGABYTE
    assert Contact.objects.of(tenant).count() == 2


@pytest.mark.parametrize("size", [50 * MEGABYTE + 1, 60 * MEGABYTE])
def test_a_larger_file_is_refused_in_words_that_arrive(server: WebServer, key: str, tenant: Account, size: int) -> None:
    server.ask(upload(key, b"email\nbert@recipient.example"))
    before = server.start_measuring()
    reply = server.ask(upload(key, rows(size)))
    assert (reply.status, json.loads(reply.body)["code"]) == (413, "payload_too_large")
    assert server.most_memory() - before < 24 * MEGABYTE
    assert ContactImport.objects.of(tenant).count() == 1


def test_half_a_file_is_no_file(server: WebServer, key: str, tenant: Account) -> None:
    whole = upload(key, b"email\n" + b"\n".join(b"a%d@recipient.example" % number for number in range(1_000)))
    reply = server.ask(whole[: len(whole) // 2], half_close=True)
    assert (reply.status, json.loads(reply.body)["code"]) == (400, "bad_request")
    assert not ContactImport.objects.of(tenant).exists()


@pytest.mark.parametrize("size", [3 * MEGABYTE, 30 * MEGABYTE])
def test_a_large_json_body_is_refused_in_words_that_arrive(server: WebServer, key: str, size: int) -> None:
    body = b'{"label": "' + b"x" * size + b'"}'
    reply = server.ask(request("POST /api_keys", key, JSON, f"Content-Length: {len(body)}", body=body))
    assert (reply.status, json.loads(reply.body)["code"]) == (413, "payload_too_large")


@pytest.mark.parametrize("unit", [b"[", b"[],", b'{"":0},', b'{"a":', b"0,", b"9"])
def test_two_megabytes_of_json_cost_little_memory(server: WebServer, key: str, unit: bytes) -> None:
    body = (b"[" + unit * (2 * MEGABYTE // len(unit)))[: 2 * MEGABYTE]
    before = server.start_measuring()
    reply = server.ask(request("POST /api_keys", key, JSON, f"Content-Length: {len(body)}", body=body))
    assert (reply.status, json.loads(reply.body)["code"]) == (400, "bad_request")
    assert server.most_memory() - before < 24 * MEGABYTE
