"""A trial login over IMAP: what works, what failed and in whose words, and what never leaves in the clear."""

import contextlib
import logging
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from credentials.gateways.imap_connection import Limits
from credentials.gateways.imap_login import check_imap_login
from credentials.rules.login_check import LoginCheck
from tests.peers.certificates import Certificates, ServerCertificate
from tests.peers.imap_server import PLENTY, ImapScript, ImapServer, running_imap_server

PASSWORD = "correct-horse-battery"
QUICK = Limits(connect=2, reply=0.3, whole=1)
HASTY = Limits(connect=1, reply=0.05, whole=0.15)
"""For tests whose outcome does not depend on who was too late."""

Serve = Callable[..., ImapServer]


@pytest.fixture(autouse=True)
def trusting(settings: Settings, certificates: Certificates) -> None:
    """Loopback is allowed, and the tests' authority trusted."""
    settings.ALLOW_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.SMTP_CA_FILE = str(certificates.authority)


@pytest.fixture
def serve(certificates: Certificates) -> Iterator[Serve]:
    """Start servers; TLS by the good certificate unless the call says otherwise."""
    with contextlib.ExitStack() as stack:

        def start(certificate: ServerCertificate | None = certificates.good, **changes: Any) -> ImapServer:
            tls = certificate.server_context() if certificate else None
            return stack.enter_context(running_imap_server(ImapScript(tls=tls, **changes)))

        yield start


def check(server: ImapServer, password: str = PASSWORD, username: str = "alice", **changes: Any) -> LoginCheck:
    options: dict[str, Any] = {"starttls": server.script.begins_in_clear, "limits": Limits(5, 5, 20)} | changes
    return check_imap_login("localhost", server.port, username, password, **options)


# -- What works


@pytest.mark.parametrize("begins_in_clear", [False, True])
@pytest.mark.parametrize("capabilities", ["IMAP4rev1 STARTTLS", "IMAP4rev1 STARTTLS AUTH=PLAIN LOGINDISABLED"])
def test_a_good_login_is_good(serve: Serve, begins_in_clear: bool, capabilities: str) -> None:
    server = serve(begins_in_clear=begins_in_clear, capabilities=capabilities)
    result = check(server)
    assert result == LoginCheck(True, "done", None, f"localhost:{server.port} took the login.")
    assert "EXAMINE" in server.heard[-2]
    assert "LOGOUT" in server.heard[-1]


def test_starttls_comes_before_the_login(serve: Serve) -> None:
    server = serve(begins_in_clear=True, capabilities="IMAP4rev1 STARTTLS")
    check(server)
    before, after = server.heard[: server.heard.index("TLS")], server.heard[server.heard.index("TLS") :]
    assert not any("LOGIN" in line for line in before)
    assert any("LOGIN" in line for line in after)


@pytest.mark.parametrize("username", ["alice smith", 'al"ice', "al\\ice", "(alice)", "al*ce%"])
@pytest.mark.parametrize("capabilities", ["IMAP4rev1", "IMAP4rev1 AUTH=PLAIN"])
def test_odd_words_arrive_as_they_are(serve: Serve, username: str, capabilities: str) -> None:
    password = 'p"a\\ss {5} *'
    server = serve(username=username, password=password, capabilities=capabilities)
    assert check(server, password, username).ok


def test_words_beyond_ascii_go_by_authenticate_plain(serve: Serve) -> None:
    server = serve(username="ålice", password="pässwörd")
    assert check(server, "pässwörd", "ålice").ok


# -- What failed, in whose words


@pytest.mark.parametrize("capabilities", ["IMAP4rev1", "IMAP4rev1 AUTH=PLAIN"])
def test_a_wrong_password_fails_in_the_servers_words(serve: Serve, capabilities: str) -> None:
    server = serve(capabilities=capabilities)
    result = check(server, "wrong-password")
    words = "[AUTHENTICATIONFAILED] wrong user name or password"
    assert result == LoginCheck(False, "auth", None, f"localhost:{server.port} refused the login: {words}")


@pytest.mark.parametrize("command", ["LOGIN", "AUTHENTICATE"])
@pytest.mark.parametrize("kind", ["NO", "BAD"])
def test_a_password_that_the_server_echoes_is_blacked_out(
    serve: Serve, caplog: pytest.LogCaptureFixture, command: str, kind: str
) -> None:
    caplog.set_level(logging.DEBUG)
    capabilities = "IMAP4rev1" if command == "LOGIN" else "IMAP4rev1 AUTH=PLAIN"
    server = serve(capabilities=capabilities, answers={command: f"{{tag}} {kind} no {PASSWORD}\x07 here\r\n"})
    result = check(server)
    assert result.stage == "auth"
    assert "[redacted]" in result.message
    assert PASSWORD not in result.message
    assert result.message.isprintable()


def test_the_password_is_not_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    check(serve(capabilities="IMAP4rev1"))
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(("capabilities", "password"), [("IMAP4rev1 LOGINDISABLED", PASSWORD), ("IMAP4rev1", "pä")])
def test_a_server_without_a_fitting_method_gets_no_login(serve: Serve, capabilities: str, password: str) -> None:
    server = serve(capabilities=capabilities)
    result = check(server, password)
    assert (result.ok, result.stage) == (False, "auth")
    assert not server.heard_a_login()


@pytest.mark.parametrize(("username", "password"), [("alice\r\nA1 LOGOUT", PASSWORD), ("alice", "a\nb"), ("a\0", "b")])
def test_control_characters_never_reach_the_server(serve: Serve, username: str, password: str) -> None:
    server = serve()
    result = check(server, password, username)
    assert (result.ok, result.stage) == (False, "auth")
    assert "control character" in result.message
    assert server.heard == []


def test_a_mailbox_without_inbox_says_so(serve: Serve) -> None:
    server = serve(answers={"EXAMINE": "{tag} NO [NONEXISTENT] no such folder\r\n"})
    result = check(server)
    assert result.stage == "inbox"
    assert "no such folder" in result.message


def test_a_server_that_says_bye_is_quoted(serve: Serve) -> None:
    server = serve(answers={"greeting": "* BYE too many connections\r\n"})
    result = check(server)
    assert result.stage == "greeting"
    assert "too many connections" in result.message


# -- Never in the clear, never to the wrong server


@pytest.mark.parametrize("kind", ["wrong_host", "expired", "self_signed"])
@pytest.mark.parametrize("begins_in_clear", [False, True])
def test_a_bad_certificate_gets_no_login(
    serve: Serve, certificates: Certificates, kind: str, begins_in_clear: bool
) -> None:
    capabilities = "IMAP4rev1 STARTTLS AUTH=PLAIN"
    server = serve(getattr(certificates, kind), begins_in_clear=begins_in_clear, capabilities=capabilities)
    result = check(server)
    assert (result.ok, result.stage) == (False, "tls")
    assert "certificate of localhost could not be verified" in result.message
    assert not server.heard_a_login()


def test_stripped_starttls_gets_no_login(serve: Serve) -> None:
    server = serve(begins_in_clear=True)
    result = check(server)
    assert (result.ok, result.stage) == (False, "tls")
    assert "does not offer STARTTLS" in result.message
    assert not server.heard_a_login()


@pytest.mark.parametrize("answer", ["{tag} NO not now\r\n", "{tag} BAD what\r\n", "* BYE no\r\n"])
def test_refused_starttls_gets_no_login(serve: Serve, answer: str) -> None:
    server = serve(begins_in_clear=True, capabilities="IMAP4rev1 STARTTLS", answers={"STARTTLS": answer})
    assert check(server, limits=QUICK).stage == "tls"
    assert not server.heard_a_login()


@pytest.mark.parametrize("begins_in_clear", [False, True])
def test_a_greeting_that_skips_the_login_is_not_believed(serve: Serve, begins_in_clear: bool) -> None:
    server = serve(begins_in_clear=begins_in_clear, answers={"greeting": "* PREAUTH welcome\r\n"})
    result = check(server)
    assert (result.ok, result.stage) == (False, "greeting")
    assert not server.heard_a_login()


def test_what_was_said_before_tls_is_forgotten(serve: Serve) -> None:
    injected = b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\n"
    server = serve(begins_in_clear=True, capabilities="IMAP4rev1 STARTTLS AUTH=PLAIN", after_starttls=injected)
    result = check(server)
    assert result.ok or result.stage == "tls"


def test_tls_towards_a_server_that_speaks_none(serve: Serve) -> None:
    server = serve(None)
    result = check(server, starttls=False, limits=QUICK)
    assert (result.ok, result.stage) == (False, "tls")
    assert not server.heard_a_login()


def test_the_operators_word_allows_plaintext(serve: Serve, settings: Settings) -> None:
    settings.SMTP_INSECURE_HOSTS = ["localhost"]
    assert check(serve(None, begins_in_clear=True)).ok


def test_the_operators_word_allows_a_self_signed_certificate(
    serve: Serve, settings: Settings, certificates: Certificates
) -> None:
    settings.SMTP_INSECURE_HOSTS = ["127.0.0.0/8"]
    assert check(serve(certificates.self_signed)).ok


def test_an_authority_that_cannot_be_read_is_the_operators_problem(serve: Serve, settings: Settings) -> None:
    settings.SMTP_CA_FILE = "/nowhere/authority.pem"
    server = serve()
    result = check(server)
    assert result.stage == "tls"
    assert "SMTP_CA_FILE" in result.message
    assert server.heard == []


# -- Through the door


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "user@imap.example.com"])
def test_a_target_inside_is_refused_before_any_connection(serve: Serve, settings: Settings, host: str) -> None:
    settings.ALLOW_PRIVATE_NETWORKS = []
    server = serve()
    result = check_imap_login(host, server.port, "alice", PASSWORD)
    assert (result.ok, result.stage) == (False, "target")
    assert server.heard == []


@pytest.mark.parametrize("port", [22, 25, 6379])
def test_only_imap_ports_of_public_hosts_are_tried(port: int) -> None:
    assert check_imap_login("1.1.1.1", port, "alice", PASSWORD).stage == "target"


def test_a_closed_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = check_imap_login("localhost", port, "alice", PASSWORD)
    assert result == LoginCheck(False, "connect", None, f"localhost:{port} refused the connection.")


# -- Servers that misbehave


@pytest.mark.parametrize("moment", ["greeting", "CAPABILITY", "AUTHENTICATE", "EXAMINE", "LOGOUT"])
def test_a_server_that_hangs_up_is_named(serve: Serve, moment: str) -> None:
    server = serve(hang_up_at=moment)
    result = check(server)
    assert not result.ok
    assert f"localhost:{server.port}" in result.message


@pytest.mark.parametrize(
    ("moment", "stage"), [("greeting", "greeting"), ("AUTHENTICATE", "auth"), ("EXAMINE", "inbox"), ("LOGOUT", "inbox")]
)
def test_a_server_that_falls_silent_is_left(serve: Serve, moment: str, stage: str) -> None:
    server = serve(silent_at=moment)
    result = check(server, limits=Limits(connect=2, reply=1, whole=30))
    assert result == LoginCheck(False, stage, None, f"localhost:{server.port} did not answer in time.")


@pytest.mark.parametrize("begins_in_clear", [False, True])
def test_a_server_that_drips_is_left_at_the_deadline(serve: Serve, begins_in_clear: bool) -> None:
    server = serve(begins_in_clear=begins_in_clear, drip_seconds=0.05)
    before = time.monotonic()
    result = check(server, limits=QUICK)
    assert result == LoginCheck(False, "greeting", None, f"localhost:{server.port} did not answer in time.")
    assert time.monotonic() - before < 10


@pytest.mark.parametrize(
    "answer",
    [
        "* OK flood\r\n" * (PLENTY // 12),
        "* " + "x" * PLENTY + "\r\n",
        "* 1 FETCH (BODY {10000000000}\r\n",
        "* 1 FETCH (BODY {99}\r\n" * (PLENTY // 30),
    ],
)
def test_a_server_that_floods_is_left(serve: Serve, answer: str) -> None:
    result = check(serve(answers={"AUTHENTICATE": answer}))
    assert (result.ok, result.stage) == (False, "auth")


@pytest.mark.parametrize(
    "answer",
    [
        *("\r\n", "garbage\r\n", "220 mail.example.com ESMTP\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "* OK"),
        *("\x00\x01\x02\r\n", "* \udcff\udcfe\r\n", "+ go on\r\n", "* NO\r\n", "{tag} OK\r\n", "A1 OK done\r\n"),
        *("* CAPABILITY\r\n", "* OK [CAPABILITY é]\r\n", "* OK [\r\n", "{5}\r\nhello"),
    ],
)
@pytest.mark.parametrize("moment", ["greeting", "CAPABILITY", "AUTHENTICATE", "EXAMINE"])
def test_garbage_gets_a_verdict_and_no_exception(serve: Serve, answer: str, moment: str) -> None:
    result = check(serve(answers={moment: answer}), limits=HASTY)
    assert result.message
