"""Starting programs that cannot outlive us, and finding what a program has started itself.

A parent-death signal is bound to the thread that started the child, so programs are started from the main thread only.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from ampout.lib.parent_death import die_with_parent

Pause = Callable[[float], None]
"""Waits for so many seconds; may raise to give up waiting."""

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)


class Identity(Protocol):
    """Who a child is to be. `enter` runs in the child, before the program."""

    def enter(self) -> None:
        """Become this user; raises OSError where that is not possible."""


class Ourselves:
    """The user who started the supervisor."""

    def enter(self) -> None:
        """Nothing changes."""


def spawn(
    argv: Sequence[str | Path],
    *,
    output: int | IO[bytes],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    identity: Identity | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own; it gets `death_signal` when the calling thread ends, however it ends."""
    parent = os.getpid()

    def prepare() -> None:
        if identity is not None:
            identity.enter()
        # A shell starts background jobs with SIGINT ignored, and that would be inherited.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        # Last: a change of user clears it.
        die_with_parent(death_signal, parent)

    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
        cwd=folder,
        start_new_session=True,
        preexec_fn=prepare,  # noqa: PLW1509  # the supervisor has one thread
    )


def end(child: subprocess.Popen[bytes], stop_signal: signal.Signals, seconds: float) -> None:
    """Ask a child to stop, and wait for it as `finish` does."""
    family = ask(child, stop_signal)
    finish(child, family, seconds)


def ask(child: subprocess.Popen[bytes], stop_signal: signal.Signals) -> list[int]:
    """Send a child the signal that stops it; returns its family, which can't be found once it has ended."""
    family = descendants(child.pid)
    child.send_signal(stop_signal)
    return family


def finish(child: subprocess.Popen[bytes], family: Sequence[int], seconds: float) -> None:
    """Wait for a child that was asked to stop; after so many seconds kill it, and in any case what it left behind."""
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    kill_family(child.pid, family)


def kill_family(leader: int, family: Sequence[int]) -> None:
    """Kill what an ended program left behind: its process group, and those of `family` that still run."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
    for pid in family:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while any(is_running(pid) for pid in family) and time.monotonic() < deadline:
        time.sleep(0.01)


def adopt_orphans() -> None:
    """Become the parent of whatever our children leave behind, so that it can be found (Linux)."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_orphans(known: Collection[int]) -> None:
    """Kill and collect all children of ours that are not `known`: what others left behind, if all of ours are."""
    for pid in set(_children(os.getpid())) - set(known):
        for orphan in [pid, *descendants(pid)]:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(orphan, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def descendants(pid: int) -> list[int]:
    """The process ids of all children, grandchildren … of a process (Linux; elsewhere an empty list)."""
    return [below for child in _children(pid) for below in (child, *descendants(child))]


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # the process ended meanwhile
            found += [int(word) for word in listing.read_text().split()]
    return found


def is_running(pid: int) -> bool:
    """Whether a process of this id runs; one that has ended but was not yet collected does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return sys.platform != "linux"
