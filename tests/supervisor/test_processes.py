import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ampout.supervisor.errors import StartError
from ampout.supervisor.processes import FIRST_DELAY, LOG_BYTES, LONGEST_DELAY, STEADY_SECONDS, Fleet, Program

RUNS = "import time; print('up', flush=True); time.sleep(600)"
FAILS = "import sys; sys.exit('no disk')"


def program(tmp_path: Path, script: str, name: str = "web") -> Program:
    return Program(
        name, [sys.executable, "-c", script], environment={}, folder=tmp_path, log_path=tmp_path / f"{name}.log"
    )


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def fleet(said: list[str]) -> Iterator[Fleet]:
    fleet = Fleet(said.append, lambda _known: None)
    yield fleet
    fleet.stop()


def start(fleet: Fleet, service: Program) -> None:
    fleet.start(service, time.sleep)
    service.await_ready()


def kill(service: Program) -> None:
    assert service._process is not None
    service._process.kill()
    service._process.wait()


def test_a_program_is_ready_when_it_says_so(tmp_path: Path, fleet: Fleet) -> None:
    service = program(tmp_path, RUNS)
    start(fleet, service)
    assert (fleet.states(), service.log_path.read_text()) == ({"web": True}, "up\n")


def test_a_program_that_ends_while_starting_is_reported_in_its_own_words(tmp_path: Path) -> None:
    service = program(tmp_path, FAILS)
    service.start()
    with pytest.raises(StartError, match=r"^The web stopped while starting: no disk \(log: .*web\.log\)$"):
        service.await_ready()
    service.stop()


def test_words_of_an_earlier_run_do_not_count(tmp_path: Path) -> None:
    service = program(tmp_path, FAILS)
    service.log_path.write_text("up\n")
    service.start()
    with pytest.raises(StartError, match="no disk"):
        service.await_ready()
    service.stop()


def test_a_job_that_fails_is_reported_in_its_own_words(tmp_path: Path) -> None:
    job = program(tmp_path, FAILS, "bootstrap")
    job.start()
    with pytest.raises(StartError, match=r"^The bootstrap failed: no disk"):
        job.await_end()
    job.stop()


def test_an_ended_program_is_started_again_after_the_first_delay(tmp_path: Path, fleet: Fleet, said: list[str]) -> None:
    service = program(tmp_path, RUNS)
    start(fleet, service)
    kill(service)
    now = time.monotonic()
    fleet.tend(now, time.sleep)
    fleet.tend(now + FIRST_DELAY - 0.01, time.sleep)
    assert fleet.states() == {"web": False}
    fleet.tend(now + FIRST_DELAY, time.sleep)
    assert (fleet.states(), said) == ({"web": True}, ["web ended; it is started again in 0.5 s."])


def test_the_delay_doubles_up_to_a_ceiling_while_it_keeps_ending(tmp_path: Path, fleet: Fleet, said: list[str]) -> None:
    service = program(tmp_path, RUNS)
    start(fleet, service)
    now = time.monotonic()
    for _ in range(9):
        kill(service)
        fleet.tend(now, time.sleep)
        now += LONGEST_DELAY
        fleet.tend(now, time.sleep)
    delays = [line.split()[-2] for line in said]
    assert delays == ["0.5", "1", "2", "4", "8", "16", "30", "30", "30"]


def test_a_program_that_ran_for_long_starts_again_with_the_first_delay(
    tmp_path: Path, fleet: Fleet, said: list[str]
) -> None:
    service = program(tmp_path, RUNS)
    start(fleet, service)
    now = time.monotonic()
    for _ in range(2):
        kill(service)
        fleet.tend(now, time.sleep)
        now += STEADY_SECONDS
        fleet.tend(now, time.sleep)
        now += STEADY_SECONDS + 1
    assert [line.split()[-2] for line in said] == ["0.5", "0.5"]


LEAVES_ONE_BEHIND = """
import subprocess, time
p = subprocess.Popen(["sleep", "600"], start_new_session=True)
print(p.pid, flush=True)
time.sleep(600)
"""
SUPERVISES = """
import os, pathlib, signal, sys, time
from ampout.supervisor.children import adopt_orphans, kill_orphans
from ampout.supervisor.processes import Fleet, Program
adopt_orphans()
fleet = Fleet(print, kill_orphans)
log = pathlib.Path(sys.argv[2])
service = Program("web", [sys.executable, "-c", sys.argv[1]], environment={}, folder=log.parent, log_path=log)
fleet.start(service, time.sleep)
service.await_ready()
os.kill(service.pid, signal.SIGKILL)
while service.pid:
    time.sleep(0.01)
fleet.tend(time.monotonic(), time.sleep)
print(pathlib.Path("/proc", log.read_text().strip()).exists())
"""


def test_what_an_ended_program_left_behind_is_killed_before_it_starts_again(tmp_path: Path) -> None:
    # In a process of its own, because every child that the fleet doesn't know counts as left behind.
    arguments = [sys.executable, "-c", SUPERVISES, LEAVES_ONE_BEHIND, str(tmp_path / "web.log")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_stop_ends_every_program(tmp_path: Path, fleet: Fleet) -> None:
    services = [program(tmp_path, RUNS, name) for name in ("web", "worker")]
    for service in services:
        start(fleet, service)
    fleet.stop()
    assert [service.pid for service in services] == [None, None]


def test_a_long_log_is_put_aside_at_the_next_start(tmp_path: Path) -> None:
    service = program(tmp_path, FAILS)
    service.log_path.write_bytes(b"x" * (LOG_BYTES + 1))
    service.start()
    service.stop()
    assert (tmp_path / "web.log.1").stat().st_size == LOG_BYTES + 1
