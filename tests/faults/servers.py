"""The servers of a fault run: PostgreSQL with fsync on and Valkey, both made to be killed and started again."""

import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import redis

from ampout.supervisor.folder import DataFolder
from ampout.supervisor.kept_environment import PROJECT
from ampout.supervisor.postgres import USER, PostgresServer
from ampout.supervisor.valkey import IN_MEMORY, ValkeyServer
from tests.faults.full_disk import SmallDisk
from tests.faults.waiting import wait_for

TEMPLATE = "ampout"
"""The migrated database that every fault test gets a copy of."""
SPARING = {"max_wal_size": "48MB", "min_wal_size": "32MB"}
"""For a PostgreSQL on a disk that is small."""


class Servers:
    """Private servers on their own folder, shared by the fault tests of a run, one test at a time.

    Where `disk` is given, PostgreSQL's data lies there, and the log of it does not.
    """

    def __init__(self, folder: Path, disk: SmallDisk | None = None) -> None:
        self.data = DataFolder(folder)
        self.disk = disk
        place = disk.folder / "postgres" if disk else self.data.postgres
        log_path = self.data.logs / "postgres.log"
        self.postgres = PostgresServer(place, self.data.run, SPARING if disk else {}, log_path=log_path)
        self.valkey = ValkeyServer(self.data.valkey, self.data.run)
        self._databases = 0

    def start(self, environment: dict[str, str]) -> None:
        """Start both and make the template."""
        self.valkey.launch()
        self.postgres.start()
        self.valkey.await_ready()
        settings = {**environment, "DATABASE_URL": self.url_of(TEMPLATE), "CELERY_BROKER_URL": self.valkey.url}
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, env=settings, cwd=PROJECT, check=True)

    def stop(self) -> None:
        """Stop both."""
        self.valkey.stop()
        self.postgres.stop("immediate")
        self.data.close()

    def restore(self) -> None:
        """Bring up what a test left down, and empty the broker."""
        if self.disk:
            self.disk.free()
        if self.postgres.pid is None:
            self.postgres.start()
        if self.valkey.pid is None:
            self.valkey.start()
        self.flush_broker()

    # -- Faults

    def restart_postgres(self) -> None:
        """As `pg_ctl restart -m immediate`."""
        self.postgres.stop("immediate")
        self.postgres.start()

    def flush_broker(self) -> None:
        """FLUSHALL."""
        with redis.Redis(unix_socket_path=str(self.valkey.socket_path)) as client:
            client.flushall()

    def shut_broker_down(self) -> None:
        """SHUTDOWN NOSAVE; it is down when this returns."""
        client = redis.Redis(unix_socket_path=str(self.valkey.socket_path))
        with client, suppress(redis.ConnectionError):
            client.shutdown(nosave=True)
        wait_for("the broker is down", lambda: self.valkey.pid is None, 30)

    def lose_broker(self) -> None:
        """`kill -9`, and what it had on disk is gone."""
        self.valkey.kill9()
        shutil.rmtree(self.valkey.data_dir)

    def restart_broker_without_memory(self) -> None:
        """Start it again with `--save "" --appendonly no`: it knows nothing of before, until it is started again."""
        self.valkey.stop()
        self.valkey.options |= IN_MEMORY
        try:
            self.valkey.start()
        finally:
            for name in IN_MEMORY:
                del self.valkey.options[name]

    # -- Databases

    def url_of(self, database: str) -> str:
        """What DATABASE_URL has to be for this database."""
        return f"postgres://{USER}@/{database}?host={quote(str(self.data.run))}"

    def fresh_database(self) -> str:
        """A migrated, empty database of its own; returns its URL."""
        self._databases += 1
        name = f"faults_{self._databases}"
        wait_for("PostgreSQL takes connections", lambda: self._is_copied(name), 30)
        return self.url_of(name)

    def _is_copied(self, name: str) -> bool:
        try:
            with psycopg.connect(self.url_of("postgres"), autocommit=True) as server:
                server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}"')  # our own names
        except psycopg.OperationalError:
            return False
        return True


def ask(url: str, query: str, *facts: Any) -> list[tuple[Any, ...]]:
    """The rows of one query, on a connection of its own; asked again while the database cannot be reached."""
    rows: list[tuple[Any, ...]] = []

    def answered() -> bool:
        try:
            with psycopg.connect(url, autocommit=True) as database:
                rows[:] = database.execute(query.encode(), facts).fetchall()
        except psycopg.OperationalError:
            return False
        return True

    wait_for("the database answers", answered, 30)
    return rows
