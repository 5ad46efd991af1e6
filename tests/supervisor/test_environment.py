import os
from pathlib import Path

import pytest

from ampout.supervisor import environment
from ampout.supervisor.environment import SCALED_FOR_SANDBOX, sandbox_settings
from ampout.supervisor.kept_environment import adopt_environment, keep_environment
from ampout.supervisor.ports import SandboxPorts

PORTS = SandboxPorts(smtp=8025, dns=8053, imap=8093)
AUTHORITY = Path("/data/sandbox/ca.pem")


@pytest.fixture(autouse=True)
def resolver_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "resolv.conf"
    path.write_text("# local\nsearch example.com\nnameserver 192.0.2.53\nnameserver 2001:db8::53\noptions edns0\n")
    monkeypatch.setattr(environment, "RESOLVER_FILE", path)
    return path


def test_the_sandbox_is_asked_before_the_servers_of_this_machine() -> None:
    assert sandbox_settings({}, PORTS, AUTHORITY)["DNS_SERVERS"] == "127.0.0.1:8053,192.0.2.53:53,[2001:db8::53]:53"


def test_servers_that_the_operator_names_replace_those_of_this_machine() -> None:
    settings = sandbox_settings({"DNS_SERVERS": "198.51.100.1:53"}, PORTS, AUTHORITY)
    assert settings["DNS_SERVERS"] == "127.0.0.1:8053,198.51.100.1:53"


def test_without_any_other_server_the_sandbox_is_asked_alone(resolver_file: Path) -> None:
    resolver_file.unlink()
    assert sandbox_settings({}, PORTS, AUTHORITY)["DNS_SERVERS"] == "127.0.0.1:8053"


def test_loopback_is_added_to_the_operators_private_networks() -> None:
    settings = sandbox_settings({"ALLOW_PRIVATE_NETWORKS": "10.0.0.0/8"}, PORTS, AUTHORITY)
    assert settings["ALLOW_PRIVATE_NETWORKS"] == "10.0.0.0/8,127.0.0.0/8"


def test_a_scaled_time_that_the_operator_sets_stays() -> None:
    settings = sandbox_settings({"RETRY_FIRST_SECONDS": "7"}, PORTS, AUTHORITY)
    assert {name: settings[name] for name in SCALED_FOR_SANDBOX} == {**SCALED_FOR_SANDBOX, "RETRY_FIRST_SECONDS": "7"}


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with kept settings, and an environment that names no database."""
    monkeypatch.setattr(os, "environ", {"AMPOUT_DATA": str(tmp_path), "SECRET_KEY": "mine"})
    keep_environment(tmp_path, {"DATABASE_URL": "postgres:///kept", "SECRET_KEY": "kept"})
    return tmp_path


def test_a_command_started_by_hand_gets_the_kept_settings_under_its_own(bare: Path) -> None:
    adopt_environment()
    assert (os.environ["DATABASE_URL"], os.environ["SECRET_KEY"]) == ("postgres:///kept", "mine")


@pytest.mark.usefixtures("bare")
def test_with_a_database_of_its_own_nothing_is_adopted() -> None:
    os.environ["DATABASE_URL"] = "postgres:///other"
    adopt_environment()
    assert os.environ["DATABASE_URL"] == "postgres:///other"


def test_kept_settings_are_private(bare: Path) -> None:
    assert (bare / "environment.json").stat().st_mode & 0o777 == 0o600
