"""Folders and servers of these tests' own."""

import os
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


@pytest.fixture
def postgres(tmp_path: Path, run_dir: Path) -> Iterator[PostgresServer]:
    """A server that has not been started; it is stopped after the test."""
    server = PostgresServer(tmp_path / "postgres", run_dir, WITHOUT_FSYNC)
    yield server
    server.stop("immediate")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing, in a session of its own, killed after the test."""
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
