"""One installation: its data folder, its ports, its keys, and what all that means for its programs."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from ampout.supervisor.children import Pause
from ampout.supervisor.environment import SCALED_FOR_SANDBOX, base_settings, sandbox_settings
from ampout.supervisor.first_start import FirstStart
from ampout.supervisor.folder import DataFolder
from ampout.supervisor.kept_environment import DEFAULT_DATA, PROJECT, keep_environment
from ampout.supervisor.keys import load_installation_id, load_keys
from ampout.supervisor.ports import DEFAULT_WEB_PORT, HOST, sandbox_ports, web_port
from ampout.supervisor.postgres import PostgresServer
from ampout.supervisor.processes import Service
from ampout.supervisor.services import Programs
from ampout.supervisor.valkey import ValkeyServer


class Installation:
    """Everything that is decided before the first program starts; raises StartError where something is in the way.

    `given` is the environment of the supervisor: AMPOUT_DATA, AMPOUT_PORT, AMPOUT_SANDBOX, and any setting.
    """

    def __init__(self, given: Mapping[str, str], pause: Pause) -> None:
        self._given = dict(given)
        self.folder = DataFolder(Path(given.get("AMPOUT_DATA") or DEFAULT_DATA))
        self.web_port = web_port(given.get("AMPOUT_PORT") or str(DEFAULT_WEB_PORT), pause)
        has_sandbox = given.get("AMPOUT_SANDBOX") != "0"
        self.sandbox_ports = sandbox_ports(self.folder.ports, self.web_port, pause) if has_sandbox else None
        self.first_start = FirstStart(self.folder.first_start)
        self._keys = load_keys(self.folder.keys, may_make=not self.folder.has_database)
        self._postgres = PostgresServer(
            self.folder.postgres, self.folder.run, log_path=self.folder.logs / "postgres.log"
        )
        self._valkey = ValkeyServer(self.folder.valkey, self.folder.run, log_path=self.folder.logs / "valkey.log")
        self.settings = self._make_settings()
        if not self.folder.has_database:
            self.folder.prepared.unlink(missing_ok=True)

    def servers(self) -> Iterator[Service]:
        """The servers of our own: those that no setting names another for."""
        if not self._given.get("DATABASE_URL"):
            yield self._postgres
        if not self._given.get("CELERY_BROKER_URL"):
            yield self._valkey

    def make_programs(self) -> Programs:
        """The programs, with their environment; a `manage.py` started by hand gets the same."""
        keep_environment(self.folder.path, self.settings)
        return Programs(self.folder, {**self._given, **self.settings, "PYTHONUNBUFFERED": "1"})

    def prepare(self, programs: Programs, pause: Pause) -> None:
        """Bring the database up to date; raises StartError with the reason where that fails.

        Python's imports make that slow, so it is left out where this program has prepared this database before. Of a
        database that is not our own we can't know.
        """
        mark = self._mark()
        is_prepared = self.folder.prepared.exists() and self.folder.prepared.read_text() == mark
        if is_prepared and not self._given.get("DATABASE_URL"):
            return
        bootstrap = programs.bootstrap(self._keys.operator_password, self.sandbox_ports)
        try:
            bootstrap.start(pause)
            bootstrap.await_end(pause)
        finally:
            bootstrap.stop()
        self.folder.prepared.write_text(mark)

    def describe(self, programs: Programs) -> Iterator[str]:
        """The lines that tell where everything is."""
        yield f"API: http://{HOST}:{self.web_port}"
        yield f"API to read and try: http://{HOST}:{self.web_port}/docs"
        yield f"Admin: http://{HOST}:{self.web_port}/admin/"
        for name, value in self.first_start.read().items():
            yield f"{name}: {value}"
        if self.sandbox_ports:
            yield f"Sandbox SMTP: {HOST}:{self.sandbox_ports.smtp}"
            yield f"Sandbox IMAP: {HOST}:{self.sandbox_ports.imap}"
            yield f"Sandbox log: {programs.sandbox_log}"
            scaled = ", ".join(f"{name}={self.settings[name]}" for name in SCALED_FOR_SANDBOX)
            yield f"Scaled down for the sandbox, in seconds: {scaled}"

    def _make_settings(self) -> dict[str, str]:
        settings = base_settings(self._keys, self.web_port, self._postgres.url, self._valkey.url)
        settings["AMPOUT_INSTALLATION_ID"] = load_installation_id(self.folder.installation_id)
        settings |= {name: self._given[name] for name in settings if self._given.get(name)}
        if self.sandbox_ports:
            settings |= sandbox_settings(self._given, self.sandbox_ports, self.folder.sandbox / "ca.pem")
        return settings

    def _mark(self) -> str:
        """Differs when there are other migrations, other libraries, or a sandbox where there was none."""
        migrations = [str(path) for depth in ("*", "*/*") for path in PROJECT.glob(f"{depth}/migrations/0*.py")]
        text = "\n".join([*sorted(migrations), (PROJECT / "requirements.lock").read_text(), str(self.sandbox_ports)])
        return hashlib.sha256(text.encode()).hexdigest()
