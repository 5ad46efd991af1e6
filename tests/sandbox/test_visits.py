"""Recipients reach Ampout's own web process, and nothing else in the world."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampout.sandbox.visits import Agent, Visit, find_target, make_visit, network_of


@pytest.mark.parametrize(
    ("url", "address", "path"),
    [
        ("http://127.0.0.1:8000/o/x", "127.0.0.1", "/o/x"),
        ("http://localhost:8000/c/x?u=https%3A%2F%2Fexample.com", "127.0.0.1", "/c/x?u=https%3A%2F%2Fexample.com"),
        ("http://LOCALHOST:8000", "127.0.0.1", "/"),
        ("http://127.3.2.1:8000/#here", "127.3.2.1", "/"),
        ("http://[::1]:8000/", "::1", "/"),
    ],
)
def test_the_web_process_is_found(url: str, address: str, path: str) -> None:
    target = find_target(url, 8000)
    assert target is not None
    assert (target.address, target.port, target.path) == (address, 8000, path)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com:8000/",
        "http://127.0.0.1/",
        "http://127.0.0.1:5432/",
        "http://127.0.0.1:8000@example.com/",
        "http://localhost.example.com:8000/",
        "http://192.0.2.1:8000/",
        "http://0.0.0.0:8000/",
        "http://2130706433:8000/",
        "http://[::ffff:192.0.2.1]:8000/",
        "https://127.0.0.1:8000/",
        "ftp://127.0.0.1:8000/",
        "file:///etc/passwd",
        "mailto:anna@sandbox.test",
        "//127.0.0.1:8000/",
        "http://127.0.0.1:port/",
        "http://[::1:8000/",
        "",
    ],
)
def test_the_rest_of_the_world_is_not(url: str) -> None:
    assert find_target(url, 8000) is None
    assert make_visit(Visit(url, Agent.CHROME), 8000, "anna@sandbox.test") is None


@given(st.text())
def test_no_address_is_too_much(url: str) -> None:
    find_target(url, 8000)


class Server(ThreadingHTTPServer):
    """Keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, str, str, str, str]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        facts = (self.headers["Host"], self.headers["User-Agent"], body, self.client_address[0])
        self.server.asked.append((self.command, self.path, *facts))
        self.send_response(302 if self.path == "/away" else 200)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_HEAD = do_GET  # noqa: N815 -- named by the standard library

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def web() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


def test_a_visit_says_who_comes_and_from_where(web: Server) -> None:
    url = f"http://localhost:{web.server_port}/u/token?a=b"
    visit = Visit(url, Agent.PROVIDER, "POST", "List-Unsubscribe=One-Click")
    assert make_visit(visit, web.server_port, "Anna@sandbox.test") == 200
    host, agent = f"localhost:{web.server_port}", Agent.PROVIDER.value
    assert web.asked == [
        ("POST", "/u/token?a=b", host, agent, "List-Unsubscribe=One-Click", network_of("anna@sandbox.test"))
    ]


def test_a_redirect_is_an_answer_and_not_followed(web: Server) -> None:
    assert make_visit(Visit(f"http://127.0.0.1:{web.server_port}/away", Agent.CHROME), web.server_port, "a") == 302
    assert [path for _, path, *_ in web.asked] == ["/away"]


@pytest.mark.parametrize("path", ["/a b", "/ä", "/\x7f"])
def test_an_odd_path_is_no_visit_and_no_error(web: Server, path: str) -> None:
    assert make_visit(Visit(f"http://127.0.0.1:{web.server_port}{path}", Agent.CHROME), web.server_port, "a") is None
    assert web.asked == []


def test_a_server_that_is_down_gives_no_answer(web: Server) -> None:
    port = web.server_port
    web.server_close()
    assert make_visit(Visit(f"http://127.0.0.1:{port}/o/x", Agent.CHROME), port, "a") is None


def test_people_sit_in_networks_of_their_own() -> None:
    networks = {network_of(f"person{number}@sandbox.test").rpartition(".")[0] for number in range(200)}
    assert len(networks) > 180
