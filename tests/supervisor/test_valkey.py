import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from ampout.supervisor.errors import StartError
from ampout.supervisor.valkey import ValkeyServer


@pytest.fixture
def valkey(tmp_path: Path, run_dir: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(tmp_path / "valkey", run_dir)
    yield server
    server.stop()


def client(server: ValkeyServer) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(server.socket_path))


@pytest.mark.parametrize("way", ["stop", "kill9"])
def test_what_it_was_given_outlives_every_way_to_stop(valkey: ValkeyServer, way: str) -> None:
    valkey.start()
    with client(valkey) as connection:
        connection.set("kept", "42")
    getattr(valkey, way)()
    valkey.start()
    with client(valkey) as connection:
        assert connection.get("kept") == b"42"


def test_it_forgets_nothing_to_make_room(valkey: ValkeyServer) -> None:
    valkey.start()
    with client(valkey) as connection:
        assert connection.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_only_its_owner_can_connect(valkey: ValkeyServer) -> None:
    valkey.start()
    status = valkey.socket_path.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o700, os.getuid())


def test_an_option_it_refuses_is_reported_with_the_log(valkey: ValkeyServer) -> None:
    valkey.options["no-such-option"] = "1"
    with pytest.raises(StartError, match=rf"^Valkey did not start; see {valkey.log_path}\.$"):
        valkey.start()
