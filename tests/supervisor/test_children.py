import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ampout.supervisor.children import descendants, end, is_running, kill_family, spawn

STARTS_A_CHILD = """
import subprocess, sys, time
from ampout.supervisor.children import spawn
child = spawn(["sh", "-c", "trap '' TERM; sleep 600"], output=subprocess.DEVNULL)
print(child.pid, flush=True)
time.sleep(600)
"""


def wait_until_gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_running(pid)


def test_a_child_ends_with_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", STARTS_A_CHILD], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    assert wait_until_gone(child)


def test_a_child_leads_a_session_of_its_own() -> None:
    child = spawn(["sleep", "600"], output=subprocess.DEVNULL)
    try:
        assert os.getsid(child.pid) == child.pid
    finally:
        end(child, signal.SIGTERM, 5)


def test_what_ignores_the_request_is_killed() -> None:
    child = spawn(["sh", "-c", "trap '' TERM; echo ready; sleep 600 & wait; wait"], output=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout:
        child.stdout.readline()
        end(child, signal.SIGTERM, 0.1)
    assert child.returncode == -signal.SIGKILL


def test_grandchildren_are_found_and_killed_with_the_child(tmp_path: Path) -> None:
    # The grandchild leaves the session, as PostgreSQL's backends do.
    child = spawn(["sh", "-c", "setsid sleep 600 & echo up; wait"], output=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout:
        child.stdout.readline()
        [grandchild] = descendants(child.pid)
        end(child, signal.SIGTERM, 5)
    assert not is_running(grandchild)


def test_an_ended_process_is_not_running(sleeper: "subprocess.Popen[bytes]") -> None:
    assert is_running(sleeper.pid)
    kill_family(sleeper.pid, [sleeper.pid])
    assert not is_running(sleeper.pid)
