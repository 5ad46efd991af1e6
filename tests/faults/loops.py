"""Deliver loops as processes of their own, on the test's database, beside the engine of the test itself."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from django.db import connection
from django.db.models.functions import Now

from ampout.lib.parent_death import die_with_parent
from ampout.supervisor.children import is_running
from ampout.supervisor.kept_environment import PROJECT
from dispatch.models import DeliveryWorker
from dispatch.services import plan
from tests.dispatch.conftest import Engine
from tests.faults.waiting import wait_for


class Loop:
    """A deliver loop in a process."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self.pid = pid
        self._nursery = nursery
        self._ended: int | None = None

    def send_signal(self, number: signal.Signals) -> None:
        """Freeze, thaw, stop or kill it; nothing happens where it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, however."""
        return self._ended is not None or not is_running(self.pid)

    def wait(self, seconds: float = 60) -> int:
        """How it ended; negative: by that signal."""
        if self._ended is None:
            wait_for("the deliver loop ends", lambda: not is_running(self.pid), seconds, self._nursery.words)
            self._ended = int(self._nursery.ask({"wait": self.pid}))
        return self._ended

    def kill(self) -> None:
        """Kill it where it still runs."""
        if self._ended is None:
            self.send_signal(signal.SIGKILL)
            self.wait()


class Nursery:
    """Starts deliver loops quickly (tests/faults/nursery.py); a context manager."""

    def __init__(self, log_path: Path) -> None:
        self._log_path = log_path

    def __enter__(self) -> Self:
        parent = os.getpid()
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.nursery"],
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                preexec_fn=lambda: die_with_parent(signal.SIGKILL, parent),  # noqa: PLW1509  # started from the main thread
            )
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.communicate()

    def start(self, engine: Engine, name: str = "a loop of its own", **settings: Any) -> Loop:
        """A loop that sends through the engine's SMTP server; `settings` are values, by their names in Django."""
        given = {"SMTP_CA_FILE": engine.smtp.ca_file, "ALLOW_PRIVATE_NETWORKS": ["127.0.0.0/8"], **settings}
        database = connection.settings_dict["NAME"]
        return Loop(self, int(self.ask({"start": name, "database": database, "settings": given})))

    def ask(self, request: dict[str, Any]) -> Any:
        """The answer to one request."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, self.words()
        return json.loads(answer)

    def words(self) -> str:
        """The end of what the loops wrote."""
        return self._log_path.read_text(errors="replace")[-5_000:]


class StartLoop:
    """Starts loops for one test, and kills those that still run at its end."""

    def __init__(self, nursery: Nursery, engine: Engine) -> None:
        self._nursery, self._engine = nursery, engine
        self._loops: list[Loop] = []

    def __call__(self, name: str = "a loop of its own", **settings: Any) -> Loop:
        loop = self._nursery.start(self._engine, name, **settings)
        self._loops.append(loop)
        return loop

    def end(self) -> None:
        """Kill what still runs."""
        for loop in self._loops:
            loop.kill()


@contextlib.contextmanager
def loops_of(nursery: Nursery, engine: Engine) -> Iterator[StartLoop]:
    """The loops of one test."""
    start = StartLoop(nursery, engine)
    try:
        yield start
    finally:
        start.end()


def database_url() -> str:
    """The test's database, for connections beside Django's: the servers are those of this run."""
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


def let_leases_run_out() -> None:
    """As if a lease's time had passed: the loops that live are reaped by the next reconcile."""
    DeliveryWorker.objects.filter(ended_at__isnull=True).update(lease_until=Now())


def plan_until(done: Callable[[], bool], seconds: float = 60) -> None:
    """Tick the planner, while loops of other processes deliver, until `done`."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "the loops did not get there in time"
        plan.plan()
        time.sleep(0.05)
