"""The submission server: who may speak, over what, and what it offers."""

import smtplib
import ssl
from base64 import b64encode

import pytest

from tests.sandbox.running import PASSWORD, SENDER, RunningSandbox, make_message, send


def start_tls(sandbox: RunningSandbox, client: smtplib.SMTP) -> None:
    assert client.starttls(context=ssl.create_default_context(cafile=str(sandbox.ca_file)))[0] == 220


def test_it_greets_and_offers_what_it_does(sandbox: RunningSandbox) -> None:
    with sandbox.connect() as client:
        client.ehlo()
        assert set(client.esmtp_features) == {"size", "8bitmime", "smtputf8", "starttls", "pipelining", "help"}
        assert client.esmtp_features["size"] == "10485760"
        start_tls(sandbox, client)
        client.ehlo()
        assert "starttls" not in client.esmtp_features
        assert client.esmtp_features["auth"].split() == ["LOGIN", "PLAIN"]


@pytest.mark.parametrize("command", ["AUTH PLAIN AAAA", "MAIL FROM:<a@b.test>", "RCPT TO:<a@b.test>", "DATA", "VRFY a"])
def test_nothing_is_done_before_tls(sandbox: RunningSandbox, command: str) -> None:
    with sandbox.connect() as client:
        client.ehlo()
        assert client.docmd(command) == (530, b"Must issue a STARTTLS command first")


@pytest.mark.parametrize("command", ["MAIL FROM:<a@b.test>", "RCPT TO:<a@b.test>", "DATA"])
def test_nothing_is_done_before_auth(sandbox: RunningSandbox, command: str) -> None:
    with sandbox.connect() as client:
        start_tls(sandbox, client)
        client.ehlo()
        assert client.docmd(command) == (530, b"5.7.0 Authentication required")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("login", ["sender1@sandbox.test", "sender27@sandbox.test", "sender999@sandbox.test"])
def test_every_sandbox_login_works_with_the_password(sandbox: RunningSandbox, mechanism: str, login: str) -> None:
    with sandbox.connect() as client:
        start_tls(sandbox, client)
        client.ehlo()
        client.user, client.password = login, PASSWORD
        mechanism_steps = client.auth_plain if mechanism == "PLAIN" else client.auth_login
        assert client.auth(mechanism, mechanism_steps) == (235, b"2.7.0 Authentication successful")


@pytest.mark.parametrize(
    ("login", "password"),
    [
        (SENDER, "wrong"),
        (SENDER, ""),
        ("sender0@sandbox.test", PASSWORD),
        ("sender1000@sandbox.test", PASSWORD),
        ("sender1@sandbox.test\n", PASSWORD),
        ("xsender1@sandbox.test", PASSWORD),
        ("anna@sandbox.test", PASSWORD),
        ("", PASSWORD),
    ],
)
def test_other_logins_and_passwords_are_refused(sandbox: RunningSandbox, login: str, password: str) -> None:
    with sandbox.connect() as client:
        start_tls(sandbox, client)
        client.ehlo()
        code, text = client.docmd("AUTH", "PLAIN " + b64encode(f"\0{login}\0{password}".encode()).decode())
        assert (code, text) == (535, b"5.7.8 Authentication credentials invalid")
        assert client.docmd("MAIL FROM:<a@b.test>")[0] == 530


def test_a_client_that_does_not_know_the_authority_refuses_the_server(sandbox: RunningSandbox) -> None:
    client = sandbox.connect()
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer certificate"):
        client.starttls(context=ssl.create_default_context())
    client.close()


def test_what_was_sent_before_the_handshake_is_discarded(sandbox: RunningSandbox) -> None:
    client = sandbox.connect()
    client.ehlo()
    client.send(b"STARTTLS\r\nNOOP\r\n")
    assert client.getreply()[0] == 220
    assert client.sock is not None
    context = ssl.create_default_context(cafile=str(sandbox.ca_file))
    with context.wrap_socket(client.sock, server_hostname="localhost") as secure:
        secure.sendall(b"EHLO me\r\n")
        assert secure.recv(1000).startswith(b"250-")


def test_pipelined_commands_are_answered_in_order(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        client.send(b"MAIL FROM:<sender1@sandbox.test>\r\nRCPT TO:<a+unknown@x.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\n")
        assert [client.getreply()[0] for _ in range(4)] == [250, 550, 250, 354]
        client.send(make_message() + b".\r\nMAIL FROM:<sender1@sandbox.test>\r\nRCPT TO:<c@x.test>\r\n")
        assert [client.getreply()[0] for _ in range(3)] == [250, 250, 250]
    assert [line["recipient"] for line in sandbox.accepted] == ["b@x.test"]


def test_a_message_above_the_size_limit_is_refused(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        assert client.docmd(f"MAIL FROM:<{SENDER}> SIZE=10485761")[0] == 552
        big = make_message() + b"0123456789012345678901234567890123456789012345678901234567890123456789\r\n" * 146_000
        assert send(client, "anna@sandbox.test", big) == (552, "Error: Too much mail data")
        assert send(client, "anna@sandbox.test")[0] == 250
    assert len(sandbox.accepted) == 1


def test_a_hundred_recipients_are_the_limit(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        client.mail(SENDER)
        assert {client.rcpt(f"a{number}@sandbox.test")[0] for number in range(100)} == {250}
        assert client.rcpt("one.more@sandbox.test") == (452, b"4.5.3 Too many recipients")


def test_an_internationalised_address_is_taken_and_logged(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        client.ehlo()
        client.send(f"MAIL FROM:<{SENDER}> SMTPUTF8\r\nRCPT TO:<jürgen@sandbox.test>\r\n".encode())
        assert [client.getreply()[0] for _ in range(2)] == [250, 250]
        assert client.data(make_message())[0] == 250
    assert sandbox.accepted[0]["recipient"] == "jürgen@sandbox.test"
