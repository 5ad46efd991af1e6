"""Clocks of single programs that can be stepped while they run, by libfaketime; their monotonic clocks stay right."""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from ampout.supervisor.children import is_running

LIBRARIES = Path("/usr/lib")
STEPS = (3 * 86_400, -6 * 3_600, 5, -5, 90, -90)
"""How far the nemesis steps a clock, in seconds."""
ABLE_TO_SLEEP = Path(__file__).with_name("stepped_clock")
"""What Python needs on its path to sleep with libfaketime."""
SHARED_MEMORY = Path("/dev/shm")


def libfaketime() -> Path | None:
    """Where libfaketime is, on any architecture; None where it is not."""
    return next(iter(sorted(LIBRARIES.glob("*/faketime/libfaketime.so.1"))), None)


def why_missing() -> str:
    """Why no clock can be stepped here; empty where it can."""
    return "" if libfaketime() else "libfaketime is not installed (Debian: faketime)"


def require() -> None:
    """Skip the test where no clock can be stepped; where that can be installed, CI may not go without."""
    reason = why_missing()
    if reason and os.environ.get("CI") == "true" and shutil.which("apt-get") is not None and os.getuid() == 0:
        pytest.fail(f"{reason}, and .ci/run could have installed it.")
    if reason:
        pytest.skip(reason)


class FakeClock:
    """The clock of one program and its children: right, until it is stepped. `path` is the file it is told by."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.step(0)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a program has to be started with."""
        return {
            "LD_PRELOAD": str(libfaketime()),
            "FAKETIME_TIMESTAMP_FILE": str(self.path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": os.pathsep.join([str(ABLE_TO_SLEEP), *filter(None, [os.environ.get("PYTHONPATH")])]),
        }

    def step(self, seconds: float) -> None:
        """From now on it is so many seconds fast (negative: slow); 0 sets it right."""
        written = self.path.with_suffix(".new")
        written.write_text(f"{seconds:+.3f}\n")
        written.replace(self.path)


def remove_leftovers() -> None:
    """Remove the shared memory of processes that were killed: one of the same id could not start any more."""
    for path in [*SHARED_MEMORY.glob("faketime_shm_*"), *SHARED_MEMORY.glob("sem.faketime_sem_*")]:
        pid = path.name.rpartition("_")[2]
        if pid.isdigit() and not is_running(int(pid)):
            with suppress(OSError):
                path.unlink()
