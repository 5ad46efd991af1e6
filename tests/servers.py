"""A private PostgreSQL and Valkey for this test run, named in `addopts`: pytest-django reads the settings very early.

Workers of pytest-xdist inherit the environment and so share the servers of their controller; pytest-django gives each
its own database. A run that is killed takes its servers along; the next run removes its folder.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from ampout.supervisor.postgres import WITHOUT_FSYNC, PostgresServer
from ampout.supervisor.valkey import IN_MEMORY, ValkeyServer

SHARED = "AMPOUT_TEST_SERVERS"
PREFIX = "ampout-test-"


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Start the servers before any other plugin's hook of this name reads the settings."""
    if SHARED not in os.environ:
        start(early_config)
    return (yield)


def start(config: pytest.Config) -> None:
    """Start both servers, point the settings at them, and have them stopped when the run ends."""
    remove_abandoned_folders()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    keep_locked(folder, config)
    run = folder / "run"
    run.mkdir(mode=0o700)
    valkey = ValkeyServer(folder / "valkey", run, IN_MEMORY)
    durable = os.environ.get("AMPOUT_TEST_FSYNC") == "1"
    postgres = PostgresServer(folder / "postgres", run, {} if durable else WITHOUT_FSYNC)
    config.add_cleanup(valkey.stop)
    config.add_cleanup(lambda: postgres.stop("immediate"))
    valkey.launch()
    postgres.start()
    valkey.await_ready()
    os.environ.update(environment(postgres, valkey), **{SHARED: str(folder)})


def environment(postgres: PostgresServer, valkey: ValkeyServer) -> dict[str, str]:
    """The settings of a test run: our servers, fresh keys, loopback only, and a resolver that never answers."""
    return {
        "AMPOUT_TEST": "1",
        "DATABASE_URL": postgres.url,
        "CELERY_BROKER_URL": valkey.url,
        "SECRET_KEY": "a key for one test run",
        "FIELD_KEYS": Fernet.generate_key().decode(),
        "DIGEST_KEY": "a digest key for one test run",
        "ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8",
        "DNS_SERVERS": "127.0.0.1:9",
    }


def keep_locked(folder: Path, config: pytest.Config) -> None:
    """Hold a lock on the folder for as long as this process lives."""
    lock = (folder / "lock").open("w")
    config.add_cleanup(lock.close)
    fcntl.flock(lock, fcntl.LOCK_EX)


def remove_abandoned_folders() -> None:
    """Remove the folders of killed runs: those that nobody holds the lock of."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/lock"):
        with contextlib.suppress(OSError), path.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.parent, ignore_errors=True)
