"""An installation on its way from the previous release to this one, each program of its own release."""

import subprocess
import sys
from pathlib import Path

import psycopg

from ampout.supervisor.folder import DataFolder
from ampout.supervisor.kept_environment import PROJECT
from ampout.supervisor.postgres import USER
from ampout.supervisor.processes import Program
from tests.faults.lab import Lab, Shape, free_port
from tests.faults.previous_release import Release
from tests.faults.seeding import Seeded
from tests.faults.servers import Servers
from tests.faults.waiting import wait_for
from tests.peers.certificates import Certificates

_SENT = """
SELECT count(*) FROM dispatch_attempt attempt JOIN dispatch_deliveryworker worker ON worker.id = attempt.worker_id
WHERE attempt.state = 'accepted' AND NOT attempt.is_evidence AND {}
"""
_BY_OLD_LOOPS = _SENT.format("worker.started_at < %s")
_BY_NEW_LOOPS = _SENT.format("worker.started_at >= %s")
DATABASE = "upgrading"
SECONDS = 180
"""For a stretch of the way, on a busy machine."""
STOP_SECONDS = 60
"""What the guide to deployment gives a worker to end its conversations."""


class UpgradingLab(Lab):
    """Starts with the previous release alone; the programs of both have their release's name in front.

    `user` is PostgreSQL's: one that is no superuser is bound by row-level security, which old workers know nothing of.
    """

    def __init__(
        self, servers: Servers, folder: Path, certificates: Certificates, shape: Shape, previous: Release, user: str
    ) -> None:
        super().__init__(servers, folder, certificates, shape)
        self.database_url = self._make_database(user)
        self.releases = {"old": previous, "new": Release(PROJECT)}
        self.in_doubt = 0

    def _make_database(self, user: str) -> str:
        """One without tables, that belongs to this user; returns its URL."""
        with psycopg.connect(self.servers.url_of("postgres"), autocommit=True) as server:
            server.execute(f"DROP DATABASE IF EXISTS {DATABASE}".encode())
            if not server.execute("SELECT FROM pg_roles WHERE rolname = %s", [user]).fetchall():
                server.execute(f"CREATE ROLE {user} LOGIN".encode())
            server.execute(f"CREATE DATABASE {DATABASE} OWNER {user}".encode())
        return self.servers.url_of(DATABASE).replace(f"//{USER}@", f"//{user}@")

    def start(self) -> None:
        """The SMTP server, the previous release's tables and its programs."""
        self.smtp_port = self._start_smtp()
        self.migrate("old")
        self.launch("old")

    def migrate(self, release: str) -> None:
        """Run its migrations."""
        self.releases[release].migrate(self.environment())
        self.note(f"the {release} release has migrated")

    def break_off_migrations(self) -> None:
        """`kill -9` the new release's migrations once they have begun, as an impatient host would."""
        applied = self._applied()
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        with subprocess.Popen(command, env=self.environment(), cwd=PROJECT) as migrating:
            try:
                wait_for("the migrations begin", lambda: self._applied() > applied + 3, SECONDS, self.report)
            finally:
                migrating.kill()
        self.note(f"the migrations were killed after {self._applied() - applied}")

    def _applied(self) -> int:
        return int(self.ask("SELECT count(*) FROM django_migrations")[0][0])

    def launch(self, release: str, *kinds: str) -> None:
        """Its workers, beats and web, or only those kinds; returns once they are ready."""
        self.new_loops_since = self.ask("SELECT clock_timestamp()")[0][0]
        made = self.releases[release]
        counts = {"worker": self.shape.workers, "beat": self.shape.beats, "web": int(self.shape.web)}
        names = [f"{release} {kind}{number}" for kind in kinds or counts for number in range(counts[kind])]
        for name in names:
            folder = DataFolder(self.folder / name)
            self._folders.append(folder)
            self._launch(name, self._make(made, name, folder))
        for name in names:
            self.programs[name].await_ready()
        self.note(f"the {release} release runs: {', '.join(names)}")

    def _make(self, release: Release, name: str, folder: DataFolder) -> Program:
        if "worker" in name:
            return release.worker(name, self.environment(), folder)
        if "beat" in name:
            return release.beat(name, self.environment(), folder)
        self.web_port = free_port()
        return release.web(name, self.environment(), folder, self.web_port)

    def seed(self, recipients: list[str], *, credentials: int, daily_limit: int) -> Seeded:
        """A campaign of two steps that the previous release makes and releases."""
        options = {"credentials": credentials, "steps": 2, "daily_limit": daily_limit}
        key = self.releases["old"].seed(self.environment(), self.smtp_port, recipients, **options)
        return Seeded(key, recipients, credentials, options["steps"])

    def allow(self, daily_limit: int, *, awaited: int = 0) -> None:
        """Let each credential write to more people a day, and wait until so many more messages are out."""
        delivered = self.delivered_count()
        self.ask("UPDATE credentials_smtpcredential SET daily_limit = %s RETURNING id", daily_limit)
        self.note(f"the daily limit is {daily_limit}")
        self.await_delivered(delivered + awaited, SECONDS)

    def crash(self, name: str) -> None:
        """`kill -9` a worker; its open connections are counted, as each may leave a message unknown."""
        self.in_doubt += self.freeze(name)
        self.kill(name)
        self.note(f"{name} was killed")

    def end(self, name: str) -> None:
        """Ask a program to stop, and see that it does so by itself."""
        program = self.programs[name]
        program.request_stop()
        wait_for(f"{name} stops", lambda: program.pid is None, STOP_SECONDS, self.report)
        self.note(f"{name} has stopped")

    @property
    def sent_by_old(self) -> int:
        """How many messages the loops of the previous release have settled as accepted."""
        return int(self.ask(_BY_OLD_LOOPS, self.new_loops_since)[0][0])

    @property
    def sent_by_new(self) -> int:
        """Likewise the loops of this one."""
        return int(self.ask(_BY_NEW_LOOPS, self.new_loops_since)[0][0])
