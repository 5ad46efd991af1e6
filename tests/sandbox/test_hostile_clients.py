"""Clients that mean no good, or know no better, harm nobody but themselves."""

import smtplib
import socket
import struct
import time

import pytest

from tests.sandbox.running import HOST, SENDER, RunningSandbox, send


def raw_client(sandbox: RunningSandbox) -> socket.socket:
    client = socket.create_connection((HOST, sandbox.port), timeout=10)
    assert client.recv(1000).startswith(b"220 smtp.sandbox.test ")
    return client


def assert_still_serving(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        assert send(client, "anna@sandbox.test")[0] == 250


@pytest.mark.parametrize(
    "garbage",
    [
        b"\r\n",
        b"\xff\xfe\x00\r\n",
        b"EHLO \xff\xfe\r\n",
        b"A" * 5000 + b"\r\n",
        b"MAIL FROM:" + b"(" * 900 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200 + b"\r\n",
    ],
)
def test_garbage_before_tls_is_answered_with_an_error(sandbox: RunningSandbox, garbage: bytes) -> None:
    with raw_client(sandbox) as client:
        client.sendall(garbage)
        assert client.recv(1000)[:1] in {b"5", b"2"}
    assert_still_serving(sandbox)


@pytest.mark.parametrize(
    "address",
    [
        "<" + "(" * 400 + ">",
        "<" + '"' * 300 + "@x>",
        "<a@b",
        "<@@@>",
        "<" + "[" * 400,
        "<\udcff@x.test>",
        "<>",
        "<a@b.test>" + " X" * 200,
        "",
    ],
)
def test_malformed_addresses_are_refused_and_cost_nothing(sandbox: RunningSandbox, address: str) -> None:
    with sandbox.session() as client:
        client.mail(SENDER)
        client.send(b"RCPT TO:" + address.encode("utf-8", "surrogateescape") + b"\r\n")
        assert client.getreply()[0] in {250, 500, 501, 553, 555}
        client.rset()
        assert send(client, "anna@sandbox.test")[0] == 250


def test_garbage_instead_of_a_handshake_ends_that_connection_only(sandbox: RunningSandbox) -> None:
    with raw_client(sandbox) as client:
        client.sendall(b"STARTTLS\r\n")
        assert client.recv(1000).startswith(b"220")
        client.sendall(b"this is no TLS record\r\n" * 10)
        assert b"250" not in client.recv(1000)
    assert_still_serving(sandbox)


def test_a_reset_in_the_middle_of_a_body_logs_nothing(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        client.mail(SENDER)
        client.rcpt("anna@sandbox.test")
        client.docmd("DATA")
        client.send(b"Subject: never finished\r\n")
        assert client.sock is not None
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    assert_still_serving(sandbox)
    assert [line["subject"] for line in sandbox.accepted] == ["Hello"]


def test_a_flood_without_line_ends_is_cut_off(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        client.mail(SENDER)
        client.rcpt("anna@sandbox.test")
        client.docmd("DATA")
        with pytest.raises((OSError, smtplib.SMTPServerDisconnected)):
            client.send(b"x" * 200_000_000)
        client.close()
    assert_still_serving(sandbox)


def test_a_line_above_998_octets_is_refused_and_the_connection_kept(sandbox: RunningSandbox) -> None:
    with sandbox.session() as client:
        code, text = send(client, "anna@sandbox.test", b"Subject: long\r\n\r\n" + b"x" * 1001 + b"\r\n")
        assert (code, text) == (500, "Line too long (see RFC5321 4.5.3.1.6)")
        assert send(client, "anna@sandbox.test")[0] == 250


@pytest.mark.parametrize("ending", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n\x00.\r\n"])
def test_only_crlf_dot_crlf_ends_a_message(sandbox: RunningSandbox, ending: bytes) -> None:
    smuggled = b"MAIL FROM:<evil@x.test>\r\nRCPT TO:<victim@x.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nhi\r\n.\r\n"
    with sandbox.session() as client:
        client.mail(SENDER)
        client.rcpt("anna@sandbox.test")
        client.docmd("DATA")
        client.send(b"Subject: carrier\r\n\r\nbody" + ending + smuggled)
        assert client.getreply()[0] == 250
    assert [(line["recipient"], line["subject"]) for line in sandbox.accepted] == [("anna@sandbox.test", "carrier")]


def test_many_idle_connections_do_not_stand_in_the_way(sandbox: RunningSandbox) -> None:
    idle = [socket.create_connection((HOST, sandbox.port), timeout=10) for _ in range(200)]
    try:
        began = time.monotonic()
        assert_still_serving(sandbox)
        assert time.monotonic() - began < 5
    finally:
        for client in idle:
            client.close()
