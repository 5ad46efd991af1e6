import json
import socket
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
        web_port(text)


def test_a_taken_web_port_is_refused_with_what_to_do(taken: int) -> None:
    with pytest.raises(StartError, match=rf"^Port {taken} is in use by another program\. Set AMPOUT_PORT to a free"):
        web_port(str(taken))


def test_a_free_web_port_is_taken_as_asked(taken: int) -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
    assert web_port(str(port)) == port


def test_sandbox_ports_go_past_taken_ones(tmp_path: Path, taken: int) -> None:
    assert sandbox_ports(tmp_path / "ports.json", taken - 25).smtp > taken


def test_sandbox_ports_are_remembered_when_the_web_port_changes(tmp_path: Path) -> None:
    first = sandbox_ports(tmp_path / "ports.json", 20_000)
    assert sandbox_ports(tmp_path / "ports.json", 30_000) == first


def test_a_remembered_port_that_is_taken_is_refused_because_credentials_name_it(tmp_path: Path, taken: int) -> None:
    (tmp_path / "ports.json").write_text(json.dumps({"smtp": taken, "dns": 1}))
    with pytest.raises(StartError, match=f"^Port {taken}, which the sandbox of this data folder uses, is taken"):
        sandbox_ports(tmp_path / "ports.json", 8000)


@pytest.mark.parametrize("text", ["", "[]", '{"smtp": 1}', "{}"])
def test_a_damaged_memory_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "ports.json").write_text(text)
    with pytest.raises(StartError, match=r"ports\.json is damaged\. Remove it to have new ports chosen\.$"):
        sandbox_ports(tmp_path / "ports.json", 8000)


def test_ports_are_two_different_ones(tmp_path: Path) -> None:
    ports = sandbox_ports(tmp_path / "ports.json", 20_000)
    assert isinstance(ports, SandboxPorts)
    assert ports.smtp != ports.dns
