"""Labs for fault tests: servers once a run, programs and a database for each test."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.dispatch.conftest import Engine, chaos, engine
from tests.faults.lab import Lab, Shape
from tests.faults.loops import Nursery, StartLoop, loops_of
from tests.faults.servers import Servers
from tests.peers.certificates import Certificates, certificates
from tests.servers import SHARED

__all__ = ["certificates", "chaos", "engine"]

StartLab = Callable[..., Lab]


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """PostgreSQL and Valkey that keep what they were told, in the run's own folder, which is removed with it."""
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir=os.environ[SHARED]))
    started = Servers(folder)
    try:
        started.start(dict(os.environ))
        yield started
    finally:
        started.stop()


@pytest.fixture
def start_lab(
    servers: Servers, tmp_path: Path, certificates: Certificates, django_db_blocker: DjangoDbBlocker
) -> Iterator[StartLab]:
    """Starts the test's lab, given the fields of its Shape; everything is killed after the test, however it ends."""
    labs: list[Lab] = []

    def start(**shape: object) -> Lab:
        servers.restore()
        lab = Lab(servers, tmp_path, certificates, Shape(**shape))  # type: ignore[arg-type]  # the caller's are checked
        labs.append(lab)
        lab.start()
        return lab

    with django_db_blocker.unblock():
        yield start
    for lab in labs:
        lab.stop()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where deliver loops come from."""
    with Nursery(Path(os.environ[SHARED]) / f"nursery-{os.getpid()}.log") as started:
        yield started


@pytest.fixture
def start_loop(nursery: Nursery, engine: Engine) -> Iterator[StartLoop]:
    """Starts deliver loops on the engine's database; those that still run are killed after the test."""
    with loops_of(nursery, engine) as start:
        yield start
