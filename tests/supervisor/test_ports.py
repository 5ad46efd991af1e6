import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ampout.supervisor.errors import StartError
from ampout.supervisor.ports import HOST, SandboxPorts, sandbox_ports, web_port


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("text", ["", "0", "65536", "-1", "http", "80 80", "²"])
def test_what_is_no_port_is_refused_by_name(text: str) -> None:
    with pytest.raises(StartError, match=rf"^AMPOUT_PORT is '{text}'\. Use a number from 1 to 65535\.$"):
        web_port(text, time.sleep)


def test_a_taken_web_port_is_refused_with_what_to_do(taken: int) -> None:
    with pytest.raises(StartError, match=rf"^Port {taken} is in use by another program\. Set AMPOUT_PORT to a free"):
        web_port(str(taken), time.sleep)


def test_a_free_web_port_is_taken_as_asked(taken: int) -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
    assert web_port(str(port), time.sleep) == port


def test_sandbox_ports_go_past_taken_ones(tmp_path: Path, taken: int) -> None:
    assert sandbox_ports(tmp_path / "ports.json", taken - 25, time.sleep).smtp > taken


def test_sandbox_ports_are_remembered_when_the_web_port_changes(tmp_path: Path) -> None:
    first = sandbox_ports(tmp_path / "ports.json", 20_000, time.sleep)
    assert sandbox_ports(tmp_path / "ports.json", 30_000, time.sleep) == first


def test_a_remembered_port_that_stays_taken_is_replaced(tmp_path: Path, taken: int) -> None:
    (tmp_path / "ports.json").write_text(json.dumps({"smtp": taken, "dns": taken, "imap": taken}))
    ports = sandbox_ports(tmp_path / "ports.json", 20_000, time.sleep)
    assert taken not in {ports.smtp, ports.dns, ports.imap}
    assert sandbox_ports(tmp_path / "ports.json", 20_000, time.sleep) == ports


@pytest.mark.parametrize("text", ["", "[]", '{"smtp": 1}', '{"smtp": 8025, "dns": 8053}', "{}"])
def test_a_damaged_memory_is_made_again(tmp_path: Path, text: str) -> None:
    (tmp_path / "ports.json").write_text(text)
    ports = sandbox_ports(tmp_path / "ports.json", 20_000, time.sleep)
    assert json.loads((tmp_path / "ports.json").read_text()) == {
        "smtp": ports.smtp,
        "dns": ports.dns,
        "imap": ports.imap,
    }


def test_a_port_that_is_freed_meanwhile_is_waited_for() -> None:
    holder = socket.create_server((HOST, 0))
    port = holder.getsockname()[1]

    def free(_seconds: float) -> None:
        holder.close()

    assert web_port(str(port), free) == port


def test_ports_are_three_different_ones(tmp_path: Path) -> None:
    ports = sandbox_ports(tmp_path / "ports.json", 20_000, time.sleep)
    assert isinstance(ports, SandboxPorts)
    assert len({ports.smtp, ports.dns, ports.imap}) == 3
