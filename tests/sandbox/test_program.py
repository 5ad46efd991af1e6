"""``python -m ampout.sandbox`` as the supervisor starts it."""

import signal
import smtplib
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.message
import dns.query
import pytest
from imapclient import IMAPClient

from tests.sandbox.running import make_message, read_lines, send


@contextmanager
def started(folder: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """The program with its files in ``folder``; killed if it is still there at the end."""
    command = [sys.executable, "-m", "ampout.sandbox", "--log", f"{folder}/log.jsonl", "--state-dir", f"{folder}/state"]
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, *more], stdout=pipe, stderr=pipe, text=True) as program:
        try:
            yield program
        finally:
            program.kill()


def read_ready(program: subprocess.Popen[str]) -> dict[str, tuple[str, int]]:
    """``ready smtp=127.0.0.1:2525`` → {"smtp": ("127.0.0.1", 2525)}."""
    assert program.stdout is not None
    word, *servers = program.stdout.readline().split()
    assert word == "ready"
    pairs = (server.partition("=")[::2] for server in servers)
    return {name: (address.rpartition(":")[0], int(address.rpartition(":")[2])) for name, address in pairs}


def deliver(address: tuple[str, int], ca_file: Path, recipient: str) -> tuple[int, str]:
    with smtplib.SMTP(*address, timeout=10) as client:
        client.starttls(context=ssl.create_default_context(cafile=str(ca_file)))
        client.login("sender1@sandbox.test", "sandbox")
        return send(client, recipient, make_message())


def test_it_says_ready_serves_and_stops_at_once_with_clients_connected(tmp_path: Path) -> None:
    with started(tmp_path, "--dns-port", "0") as program:
        servers = read_ready(program)
        assert deliver(servers["smtp"], tmp_path / "state" / "ca.pem", "anna@sandbox.test")[0] == 250
        query = dns.message.make_query("sandbox.test", "MX")
        assert dns.query.udp(query, servers["dns"][0], port=servers["dns"][1], timeout=5).answer
        with smtplib.SMTP(*servers["smtp"], timeout=10):
            program.send_signal(signal.SIGTERM)
            assert program.wait(5) == 0
        assert program.stderr is not None
        assert program.stderr.read() == ""
    assert [line["recipient"] for line in read_lines(tmp_path / "log.jsonl")] == ["anna@sandbox.test"]


def read_inbox(address: tuple[str, int], ca_file: Path) -> list[tuple[int, bytes]]:
    """UIDs and subjects of sender1's mails."""
    context = ssl.create_default_context(cafile=str(ca_file))
    with IMAPClient(address[0], port=address[1], ssl_context=context, timeout=10) as client:
        client.login("sender1@sandbox.test", "sandbox")
        client.select_folder("INBOX", readonly=True)
        fetched = client.fetch(client.search("ALL"), ["ENVELOPE"])
        return [(uid, fetched[uid][b"ENVELOPE"].subject) for uid in sorted(fetched)]


def test_what_came_back_outlives_a_kill(tmp_path: Path) -> None:
    ca_file = tmp_path / "state" / "ca.pem"
    inbox: list[tuple[int, bytes]] = []
    with started(tmp_path, "--answer-seconds", "0.1") as program:
        servers = read_ready(program)
        assert deliver(servers["smtp"], ca_file, "anna+dsn-qmail@sandbox.test")[0] == 250
        deadline = time.monotonic() + 10
        while not inbox and time.monotonic() < deadline:
            inbox = read_inbox(servers["imap"], ca_file)
        program.kill()
        program.wait(5)
    with started(tmp_path) as program:
        assert read_inbox(read_ready(program)["imap"], ca_file) == inbox == [(1, b"failure notice")]
    assert [line["kind"] for line in read_lines(tmp_path / "behaviours.jsonl")] == ["bounce_hard"]


def test_without_a_dns_port_there_is_no_dns(tmp_path: Path) -> None:
    with started(tmp_path) as program:
        assert list(read_ready(program)) == ["smtp", "imap"]


def test_a_restart_after_kill_keeps_log_and_authority(tmp_path: Path) -> None:
    for recipient in ("anna@sandbox.test", "otto@sandbox.test"):
        with started(tmp_path) as program:
            address = read_ready(program)["smtp"]
            ca_file = tmp_path / "state" / "ca.pem"
            ca_copy = tmp_path / "ca-of-first-start.pem"
            if not ca_copy.exists():
                ca_copy.write_bytes(ca_file.read_bytes())
            assert deliver(address, ca_copy, recipient)[0] == 250
            program.kill()
            program.wait(5)
    assert [line["recipient"] for line in read_lines(tmp_path / "log.jsonl")] == [
        "anna@sandbox.test",
        "otto@sandbox.test",
    ]


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with started(tmp_path) as first:
        port = read_ready(first)["smtp"][1]
        with started(tmp_path, "--port", str(port)) as second:
            assert second.wait(10) == 1
            assert second.stderr is not None
            complaint = second.stderr.read()
    assert complaint.startswith("The sandbox cannot start: ")
    assert f"('127.0.0.1', {port})" in complaint
    assert len(complaint.splitlines()) == 1


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("--host", "0.0.0.0", "0.0.0.0 is not a loopback address; the sandbox listens on loopback only"),
        ("--host", "example.com", "'example.com' is not an IP address; use 127.0.0.1"),
        ("--port", "70000", "'70000' is not a port number (0 to 65535)"),
        ("--port", "-1", "'-1' is not a port number (0 to 65535)"),
    ],
)
def test_a_wrong_option_is_explained(tmp_path: Path, option: str, value: str, complaint: str) -> None:
    with started(tmp_path, f"{option}={value}") as program:
        assert program.wait(10) == 2
        assert program.stderr is not None
        assert complaint in program.stderr.read()
    assert list(tmp_path.iterdir()) == []
