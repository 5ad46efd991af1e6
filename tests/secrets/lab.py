"""A lab whose keys and passwords are canaries, and whose programs say all they can."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import redis

from ampout.supervisor.folder import DataFolder
from ampout.supervisor.kept_environment import PROJECT
from ampout.supervisor.postgres import USER
from ampout.supervisor.processes import Program
from ampout.supervisor.services import Programs
from tests.faults.lab import Lab, Shape, free_port
from tests.faults.servers import Servers
from tests.peers.certificates import Certificates
from tests.secrets.canaries import Canaries

SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "tests.secrets.sabotaged",
    "ALLOW_SIGNUP": "1",
    "POLL_EVERY_SECONDS": "2",
    "SIGNUP_LIMIT_PER_HOUR": "1000",
}
VERBOSE = {"worker0", "beat0", "web-debug"}
"""Programs that run with DEBUG on and log at the level DEBUG; the others as they are shipped."""
BROKER_USER = "canaries"
OPERATOR = "operator"

COMMANDS = """
import json, sys, django
django.setup()
from django.core.management import call_command
for command in json.load(sys.stdin):
    try:
        call_command(*command)
    except BaseException as problem:
        print(repr(problem))
"""


class CanaryLab(Lab):
    """Web as shipped, web in debug mode, worker and beat; one broker, one database."""

    def __init__(self, servers: Servers, folder: Path, certificates: Certificates, canaries: Canaries) -> None:
        self.canaries = canaries
        keys = {name: canaries[name] for name in ("SECRET_KEY", "DIGEST_KEY", "FIELD_KEYS")}
        broker = f"redis+socket://{BROKER_USER}:{canaries['broker password']}@{servers.valkey.socket_path}"
        settings = {**SETTINGS, **keys, "CELERY_BROKER_URL": broker}
        super().__init__(servers, folder, certificates, Shape(delay_ms=0, settings=settings))
        self.database_url = self.database_url.replace(f"{USER}@", f"{USER}:{canaries['database password']}@", 1)
        self.debug_port = free_port()
        with self.broker() as client:
            client.flushall()
            rights = {"keys": ["*"], "channels": ["*"], "categories": ["+@all"]}
            client.acl_setuser(BROKER_USER, enabled=True, passwords=[f"+{canaries['broker password']}"], **rights)
        servers_logs = (servers.postgres.log_path, servers.valkey.log_path)
        self._server_logs = {path: path.stat().st_size for path in servers_logs}

    def start(self) -> None:
        """Start everything."""
        self._launch("web-debug", self._programs("web-debug").web(self.debug_port))
        super().start()

    def stop(self) -> None:
        """Kill everything, and take the broker's user away."""
        super().stop()
        with self.broker() as client:
            client.acl_deluser(BROKER_USER)

    def _programs(self, name: str) -> Programs:
        if name not in VERBOSE:
            return super()._programs(name)
        folder = DataFolder(self.folder / name)
        self._folders.append(folder)
        return VerbosePrograms(folder, self.environment() | {"CANARY_VERBOSE": "1"})

    def broker(self) -> "redis.Redis":
        """The broker, as its owner."""
        return redis.Redis(unix_socket_path=str(self.servers.valkey.socket_path))

    def run_commands(self, *commands: tuple[str, ...], **environment: str) -> bytes:
        """All that management commands say, one after the other in one process."""
        done = subprocess.run(
            [sys.executable, "-c", COMMANDS],
            input=json.dumps(commands).encode(),
            env=self.environment() | environment,
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=True,
        )
        return done.stdout

    def server_logs(self) -> dict[str, bytes]:
        """What PostgreSQL and Valkey logged since the lab was made."""
        return {path.name: path.read_bytes()[start:] for path, start in self._server_logs.items()}


class VerbosePrograms(Programs):
    """The same programs with their logs turned up."""

    def _program(self, name: str, module: list[str], **options: Any) -> Program:
        louder = {"INFO": "DEBUG", "WARNING": "DEBUG", "warning": "debug"}
        return super()._program(name, [louder.get(word, word) for word in module], **options)
