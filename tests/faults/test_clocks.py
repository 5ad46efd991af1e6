"""The nemesis steps the clock of a program that runs, and of no other."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults import clocks
from tests.faults.clocks import FakeClock

TELL = """
import sys, time
for _ in sys.stdin:
    began = time.monotonic()
    time.sleep(0.05)
    print(time.time(), time.monotonic() - began, flush=True)
"""


@pytest.fixture(autouse=True)
def _steppable() -> None:
    clocks.require()


class Teller:
    """A program that tells its clocks when it is asked."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def tell(self) -> tuple[float, float]:
        """The time, and how long 50 milliseconds of sleep took by the monotonic clock."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        now, slept = self._process.stdout.readline().split()
        return float(now), float(slept)


@contextmanager
def telling(clock: FakeClock) -> Iterator[Teller]:
    program = subprocess.Popen(
        [sys.executable, "-c", TELL],
        env=dict(clock.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with program:
        yield Teller(program)
        program.stdin.close()  # type: ignore[union-attr]  # it is a pipe


@pytest.mark.parametrize("step", clocks.STEPS)
def test_a_clock_is_stepped_while_its_program_runs(tmp_path: Path, step: float) -> None:
    clock, other = FakeClock(tmp_path / "clock"), FakeClock(tmp_path / "other")
    with telling(clock) as program, telling(other) as neighbour:
        before, began = program.tell()[0], neighbour.tell()[0]
        assert before == pytest.approx(began, abs=2)
        clock.step(step)
        (stepped, slept), (right, _) = program.tell(), neighbour.tell()
        clock.step(0)
        assert stepped - right == pytest.approx(step, abs=2)
        assert 0.05 <= slept < 2
        assert program.tell()[0] == pytest.approx(neighbour.tell()[0], abs=2)


def test_what_killed_programs_leave_behind_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "SHARED_MEMORY", tmp_path)
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    pid = int(ended.stdout)
    left = [tmp_path / f"faketime_shm_{pid}", tmp_path / f"sem.faketime_sem_{pid}"]
    kept = [tmp_path / "faketime_shm_1", tmp_path / "PostgreSQL.1"]
    for path in [*left, *kept]:
        path.touch()
    clocks.remove_leftovers()
    assert sorted(tmp_path.iterdir()) == sorted(kept)
