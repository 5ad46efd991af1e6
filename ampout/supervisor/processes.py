"""The programs of one installation: started, watched, restarted when they end, and stopped in order."""

import signal
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ampout.supervisor.children import Pause, ask, finish, spawn
from ampout.supervisor.errors import StartError

READY_SECONDS = 120.0
"""For one program, from launch to ready; all of it is Python's imports, on a slow or busy machine."""
STOP_SECONDS = 10.0
"""For one program, from the request to its kill; a worker ends its conversations in that time."""
LOG_BYTES = 5_000_000
"""A log larger than this is put aside, as `.1`, at the program's next start."""

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
"""Seconds before a program that ended is started again; doubled each time it ends soon."""
STEADY_SECONDS = 60.0
"""A program that ran this long starts again with the first delay."""


class Service(Protocol):
    """Something that runs as a process of its own, and can be started again after it ended."""

    @property
    def name(self) -> str:
        """What people and logs call it."""

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""

    def start(self, pause: Pause) -> None:
        """Start it; raises StartError."""

    def stop(self) -> None:
        """Ask it to stop, and return when it has, or was killed."""


class Program:
    """One of our own programs; `is_ready` judges by what the program wrote into its log since it was started."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        log_path: Path,
        is_ready: Callable[[str], bool] = bool,
    ) -> None:
        self.name = name
        self.log_path = log_path
        self._arguments = list(arguments)
        self._environment = dict(environment)
        self._folder = folder
        self._is_ready = is_ready
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._family: list[int] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self, pause: Pause = time.sleep) -> None:  # noqa: ARG002  # the protocol's
        """Launch it, without waiting for it."""
        _put_aside(self.log_path)
        self._family = None
        with self.log_path.open("ab") as log:
            self._log_start = log.tell()
            self._process = spawn(self._arguments, output=log, environment=self._environment, folder=self._folder)

    def await_ready(self, pause: Pause = time.sleep) -> None:
        """Return once it is ready; raises StartError with its last words where it ends or takes too long."""
        deadline = time.monotonic() + READY_SECONDS
        while self.pid is None or not self._is_ready(self._words()):
            if self.pid is None:
                raise StartError(f"The {self.name} stopped while starting: {self._last_line()} (log: {self.log_path})")
            if time.monotonic() > deadline:
                raise StartError(f"The {self.name} was not ready in {READY_SECONDS:.0f} s (log: {self.log_path}).")
            pause(0.05)

    def await_end(self, pause: Pause = time.sleep) -> None:
        """Return once it has ended well; raises StartError with its last words where it failed."""
        while self.pid is not None:
            pause(0.05)
        if self._process and self._process.returncode != 0:
            raise StartError(f"The {self.name} failed: {self._last_line()} (log: {self.log_path})")

    def request_stop(self) -> None:
        """Send SIGTERM, once: to some programs a second one means to drop everything."""
        if self._process and self._process.poll() is None and self._family is None:
            self._family = ask(self._process, signal.SIGTERM)

    def stop(self) -> None:
        """Ask it to stop; kill it when it takes longer than STOP_SECONDS."""
        self.request_stop()
        if self._process:
            finish(self._process, self._family or [], STOP_SECONDS)
            self._process = None

    def _words(self) -> str:
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def _last_line(self) -> str:
        return (self._words().strip().splitlines() or ["it said nothing"])[-1]


@dataclass(slots=True)
class _Restart:
    """When an ended service is started again, and how long the next such wait would be."""

    due: float | None = None
    delay: float = FIRST_DELAY
    started: float = 0.0


class Fleet:
    """The running services, in the order of their start. Times are seconds of the monotonic clock.

    `say` gets a sentence about each that ended; `kill_others` gets the process ids that belong here when one has ended.
    """

    def __init__(self, say: Callable[[str], None], kill_others: Callable[[Collection[int]], None]) -> None:
        self._say = say
        self._kill_others = kill_others
        self._services: list[Service] = []
        self._restarts: dict[str, _Restart] = {}

    def start(self, service: Service, pause: Pause) -> None:
        """Start a service and watch it from now on."""
        self._services.append(service)
        self._restarts[service.name] = _Restart(started=time.monotonic())
        service.start(pause)

    def tend(self, now: float, pause: Pause) -> None:
        """Start again what has ended, after a delay that grows while it keeps ending.

        What an ended service left behind is killed first: two of it would get into each other's way.
        """
        for service in self._services:
            restart = self._restarts[service.name]
            if service.pid is None and restart.due is None:
                self._schedule(service, restart, now)
            if restart.due is not None and now >= restart.due:
                self._restart(service, restart, now, pause)

    def states(self) -> dict[str, bool]:
        """Whether each service runs."""
        return {service.name: service.pid is not None for service in self._services}

    def stop(self) -> None:
        """Stop all: our own programs side by side, then the servers they need, the last one started first."""
        programs = [service for service in self._services if isinstance(service, Program)]
        for program in programs:
            program.request_stop()
        servers = [service for service in reversed(self._services) if not isinstance(service, Program)]
        for service in [*programs, *servers]:
            service.stop()
        self._services.clear()
        self._kill_others(())

    def _schedule(self, service: Service, restart: _Restart, now: float) -> None:
        self._kill_others([other.pid for other in self._services if other.pid is not None])
        if now - restart.started > STEADY_SECONDS:
            restart.delay = FIRST_DELAY
        restart.due = now + restart.delay
        self._say(f"{service.name} ended; it is started again in {restart.delay:g} s.")
        restart.delay = min(restart.delay * 2, LONGEST_DELAY)

    def _restart(self, service: Service, restart: _Restart, now: float, pause: Pause) -> None:
        restart.due, restart.started = None, now
        try:
            service.start(pause)
        except StartError as problem:
            self._say(str(problem))


def _put_aside(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.rename(log.with_name(f"{log.name}.1"))
