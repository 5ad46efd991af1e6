"""Folders and servers of these tests' own."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ampout.supervisor.postgres import WITHOUT_FSYNC, PostgresServer


@pytest.fixture
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short, private folder for sockets."""
    folder = tmp_path_factory.mktemp("run", numbered=True)
    folder.chmod(0o700)
    return folder


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a server that was made, started and stopped: copying it is quicker than making it."""
    folder = tmp_path_factory.mktemp("cluster")
    server = PostgresServer(folder / "postgres", folder, WITHOUT_FSYNC)
    server.start()
    server.stop()
    return server.data_dir


@pytest.fixture
def fresh_postgres(tmp_path: Path, run_dir: Path) -> Iterator[PostgresServer]:
    """A server that has never been started; it is stopped after the test."""
    server = PostgresServer(tmp_path / "postgres", run_dir, WITHOUT_FSYNC)
    yield server
    server.stop("immediate")


@pytest.fixture
def postgres(fresh_postgres: PostgresServer, cluster: Path) -> PostgresServer:
    """A server that has data and does not run; it is stopped after the test."""
    shutil.copytree(cluster, fresh_postgres.data_dir)
    return fresh_postgres


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing, in a session of its own, killed after the test."""
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
