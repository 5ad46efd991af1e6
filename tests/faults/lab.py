"""One installation whose every part is a process of its own: workers, beats, web, and the chaos SMTP server."""

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from django.db import connections
from django.db.utils import load_backend
from environ import Env

from ampout.accounts.wall_building import raise_wall
from ampout.supervisor.children import descendants, is_running
from ampout.supervisor.folder import DataFolder
from ampout.supervisor.kept_environment import PROJECT
from ampout.supervisor.processes import Program
from ampout.supervisor.services import Programs
from tests.faults import clocks
from tests.faults.clocks import FakeClock
from tests.faults.servers import Servers, ask
from tests.faults.waiting import wait_for
from tests.peers.certificates import Certificates
from tests.peers.oracle_log import Entry, read_log

SCALED = {
    "LEASE_SECONDS": "5",
    "PLAN_EVERY_SECONDS": "1",
    "RECONCILE_EVERY_SECONDS": "1",
    "RETRY_FIRST_SECONDS": "1",
    "RETRY_CEILING_SECONDS": "2",
    "UNKNOWN_GRACE_SECONDS": "1",
    "KEEP_CONNECTION_SECONDS": "1",
    "RATE_LIMIT_PER_MINUTE": "100000",
}
"""Times that are minutes and days in the real world; a lease must outlast a busy machine's stalls."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a lab runs. `delay_ms` is how long the SMTP server thinks about every reply.

    With `clocks`, each program gets a clock that can be stepped, where libfaketime is installed.
    """

    workers: int = 1
    beats: int = 1
    web: bool = True
    delay_ms: float = 20
    clocks: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)


class Lab:
    """Starts, kills and restarts the programs, and knows what the oracle saw."""

    def __init__(self, servers: Servers, folder: Path, certificates: Certificates, shape: Shape) -> None:
        self.servers = servers
        self.folder = folder
        self.certificates = certificates
        self.shape = shape
        self.database_url = servers.fresh_database()
        self.oracle_path = folder / "oracle.jsonl"
        self.web_port = free_port()
        self.programs: dict[str, Program] = {}
        self.clocks: dict[str, FakeClock] = {}
        self.happened: list[str] = []
        self._folders: list[DataFolder] = []
        self._began = time.monotonic()

    # -- Life

    def start(self) -> None:
        """Start everything; the SMTP server first, as its port goes into the seed."""
        # A copied database is without the role that calls take, until it is migrated.
        with self.django():
            raise_wall()
        self.smtp_port = self._start_smtp()
        for number in range(self.shape.workers):
            self._launch(f"worker{number}", self._programs(f"worker{number}").worker())
        for number in range(self.shape.beats):
            self._launch(f"beat{number}", self._programs(f"beat{number}").beat())
        if self.shape.web:
            self._launch("web", self._programs("web").web(self.web_port))
        for program in self.programs.values():
            program.await_ready()

    def stop(self) -> None:
        """Kill everything that was started, and what it left behind."""
        for program in self.programs.values():
            if program.pid is not None:
                os.kill(program.pid, signal.SIGKILL)
        for program in self.programs.values():
            program.stop()
        for folder in self._folders:
            folder.close()
        if self.clocks:
            clocks.remove_leftovers()

    def _programs(self, name: str) -> Programs:
        folder = DataFolder(self.folder / name)
        self._folders.append(folder)
        return Programs(folder, {**self.environment(), **self._clock(name, folder)})

    def _clock(self, name: str, folder: DataFolder) -> Mapping[str, str]:
        """What a program needs for a clock of its own."""
        if not self.shape.clocks or clocks.why_missing():
            return {}
        self.clocks[name] = FakeClock(folder.path / "clock")
        return self.clocks[name].environment

    def move(self, database_url: str) -> None:
        """Start the workers and beats, which were killed, anew on another database."""
        self.database_url = database_url
        for name in [name for name in self.programs if name.startswith(("worker", "beat"))]:
            programs = self._programs(f"{name} moved")
            self._launch(name, programs.worker() if name.startswith("worker") else programs.beat())
            self.programs[name].await_ready()

    def environment(self) -> dict[str, str]:
        """The settings of every program of this lab."""
        return {
            **os.environ,
            **SCALED,
            "DATABASE_URL": self.database_url,
            "CELERY_BROKER_URL": self.servers.valkey.url,
            "SMTP_CA_FILE": str(self.certificates.authority),
            "ALLOW_PRIVATE_NETWORKS": "127.0.0.0/8",
            **self.shape.settings,
        }

    def _launch(self, name: str, program: Program) -> None:
        self.programs[name] = program
        program.start()

    def _start_smtp(self) -> int:
        good, log_path = self.certificates.good, self.folder / "smtp.log"
        arguments = ["--log", str(self.oracle_path), "--cert", str(good.chain), "--key", str(good.key)]
        program = Program(
            "smtp",
            [sys.executable, "-m", "tests.peers.chaos_smtp", *arguments, "--delay-ms", str(self.shape.delay_ms)],
            environment=self.environment(),
            folder=PROJECT,
            log_path=log_path,
            is_ready=lambda words: words.strip().isdigit(),
        )
        self._launch("smtp", program)
        program.await_ready()
        return int(log_path.read_text())

    # -- Faults

    def kill(self, name: str) -> None:
        """`kill -9` one program and nothing else: what it started has to end by itself."""
        program = self.programs[name]
        assert program.pid is not None, f"{name} had ended by itself\n{self.report()}"
        family = descendants(program.pid)
        os.kill(program.pid, signal.SIGKILL)
        wait_for(f"the family of {name} ends", lambda: not any(map(is_running, family)), 10, self.report)
        wait_for(f"{name} ends", lambda: program.pid is None, 10, self.report)

    def freeze(self, name: str) -> int:
        """Stop a program and its children in their tracks; returns how many SMTP connections are open just then."""
        program = self.programs[name]
        assert program.pid is not None
        for pid in (program.pid, *descendants(program.pid)):
            os.kill(pid, signal.SIGSTOP)
        return self.open_connections()

    def open_connections(self) -> int:
        """How many connections to the SMTP server are open now."""
        return len(self._client_sockets())

    def is_sending(self, pid: int) -> bool:
        """Whether this process holds one of them."""
        wanted = {f"socket:[{inode}]" for inode in self._client_sockets()}
        with suppress(OSError):
            return any(str(link.readlink()) in wanted for link in Path(f"/proc/{pid}/fd").iterdir())
        return False

    def _client_sockets(self) -> list[str]:
        """The inodes of connections to the SMTP server (proc(5), /proc/net/tcp: state 01 is established)."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        server = f":{self.smtp_port:04X}"
        return [row[9] for row in rows if row[2].endswith(server) and row[3] == "01"]

    def backends(self) -> list[int]:
        """The server's processes for this lab's connections."""
        return [row[0] for row in self.ask(_BACKENDS)]

    def terminate(self, backends: Sequence[int]) -> None:
        """`pg_terminate_backend` of these."""
        self.ask("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", list(backends))

    def want_segment(self) -> None:
        """Have PostgreSQL want a new segment for its log, which it cannot go on without, if it answers at all."""
        with suppress(psycopg.Error), psycopg.connect(self.database_url, autocommit=True) as database:
            database.execute("SELECT pg_switch_wal(), pg_create_restore_point('a segment of its own')")

    def note(self, sentence: str) -> None:
        """Remember what was done, for the report."""
        seconds = time.monotonic() - self._began
        self.happened.append(f"{seconds:6.1f} s {self.delivered_count():5} delivered  {sentence}")

    # -- What is seen from outside

    def delivered_count(self) -> int:
        """How many messages the oracle has on disk."""
        return self.oracle_path.read_bytes().count(b"\n") if self.oracle_path.exists() else 0

    def delivered(self) -> list[Entry]:
        """The oracle's entries, oldest first."""
        return read_log(self.oracle_path) if self.oracle_path.exists() else []

    def ask(self, query: str, *facts: Any) -> list[tuple[Any, ...]]:
        """The rows of a query on this lab's database."""
        return ask(self.database_url, query, *facts)

    def await_delivered(self, count: int, seconds: float) -> None:
        """Wait until the oracle has so many messages."""
        wait_for(f"{count} messages are delivered", lambda: self.delivered_count() >= count, seconds, self.report)

    def wait_for(self, what: str, query: str, seconds: float) -> None:
        """Wait until a query's first value is true."""

        def holds() -> bool:
            return bool(self.ask(query)[0][0])

        wait_for(what, holds, seconds, self.report)

    def report(self) -> str:
        """What happened, where the messages are, and the last words of every program."""
        states = self.ask("SELECT state, reason, count(*) FROM dispatch_message GROUP BY 1, 2 ORDER BY 1, 2")
        self.note("now")
        lines = [*self.happened, *(f"{row}" for row in states)]
        for name, program in self.programs.items():
            lines += [f"--- {name}", *_last_lines(program.log_path)]
        return "\n".join(lines)

    @contextmanager
    def django(self) -> Iterator[None]:
        """Let this thread's Django code work on the lab's database."""
        kept = connections["default"]
        given = Env.db_url_config(self.database_url)
        settings = connections.configure_settings({"default": given})["default"]
        ours = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, "default")
        connections["default"] = ours
        try:
            yield
        finally:
            ours.close()
            connections["default"] = kept


_BACKENDS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY pid"
)


def _last_lines(path: Path, count: int = 12) -> Sequence[str]:
    return path.read_text(errors="replace").splitlines()[-count:] if path.exists() else []


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
