"""Labs for fault tests: servers once a run, programs and a database for each test."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.dispatch.conftest import Engine, chaos, engine
from tests.faults import full_disk
from tests.faults.full_disk import SmallDisk
from tests.faults.lab import Lab, Shape
from tests.faults.loops import Nursery, StartLoop, loops_of
from tests.faults.servers import Servers
from tests.peers.certificates import Certificates, certificates
from tests.servers import SHARED

__all__ = ["certificates", "chaos", "engine"]

StartLab = Callable[..., Lab]


SMALL_DISK_MEGABYTES = 400


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """PostgreSQL and Valkey that keep what they were told, in the run's own folder, which is removed with it."""
    with _running_servers() as started:
        yield started


@pytest.fixture(scope="session")
def servers_on_small_disk() -> Iterator[Servers]:
    """Others, whose PostgreSQL has a disk that can be filled; where none can be mounted, `disk` is None."""
    with ExitStack() as stack:
        disk = None
        if not full_disk.why_missing():
            folder = Path(tempfile.mkdtemp(prefix="disk-", dir=os.environ[SHARED]))
            disk = stack.enter_context(SmallDisk(folder / "disk", SMALL_DISK_MEGABYTES))
        yield stack.enter_context(_running_servers(disk))


@contextmanager
def _running_servers(disk: SmallDisk | None = None) -> Iterator[Servers]:
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir=os.environ[SHARED]))
    started = Servers(folder, disk)
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
    with django_db_blocker.unblock(), _labs(servers, tmp_path, certificates) as start:
        yield start


@pytest.fixture
def start_lab_on_small_disk(
    servers_on_small_disk: Servers, tmp_path: Path, certificates: Certificates, django_db_blocker: DjangoDbBlocker
) -> Iterator[StartLab]:
    """The same on servers whose disk can be filled, where that can be had."""
    with django_db_blocker.unblock(), _labs(servers_on_small_disk, tmp_path, certificates) as start:
        yield start


@contextmanager
def _labs(servers: Servers, folder: Path, certificates: Certificates) -> Iterator[StartLab]:
    labs: list[Lab] = []

    def start(**shape: object) -> Lab:
        servers.restore()
        place = folder / f"lab{len(labs)}" if labs else folder
        place.mkdir(exist_ok=True)
        lab = Lab(servers, place, certificates, Shape(**shape))  # type: ignore[arg-type]  # the caller's are checked
        labs.append(lab)
        lab.start()
        return lab

    try:
        yield start
    finally:
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
