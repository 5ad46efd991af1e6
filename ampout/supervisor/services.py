"""The command lines of our own programs, and how each shows that it is ready."""

import http.client
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from ampout.supervisor.folder import DataFolder
from ampout.supervisor.kept_environment import PROJECT
from ampout.supervisor.ports import HOST, SandboxPorts
from ampout.supervisor.processes import Program

WEB_THREADS = 8
WORKER_PROCESSES = 6
"""Three are taken by the loops that deliver, poll and call webhooks."""


class Programs:
    """Makes the programs of one installation, with one environment and one place for logs."""

    def __init__(self, folder: DataFolder, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = dict(environment)

    def bootstrap(self, password: str, sandbox: SandboxPorts | None) -> Program:
        """Migrations, operator, key and demo: runs to its end. The password stays out of the argument list."""
        arguments = [str(self._folder.first_start)]
        if sandbox:
            arguments += ["--sandbox-host", HOST, "--sandbox-port", str(sandbox.smtp)]
            arguments += ["--sandbox-imap-port", str(sandbox.imap)]
        return self._program(
            "bootstrap", ["ampout.supervisor.bootstrap", *arguments], extra={"AMPOUT_OPERATOR_PASSWORD": password}
        )

    def web(self, port: int) -> Program:
        """API and admin; ready when it answers."""
        options = [
            "-c",
            "python:ampout.supervisor.web_hooks",
            "--bind",
            f"{HOST}:{port}",
            "--worker-class",
            "gthread",
            "--threads",
            str(WEB_THREADS),
        ]
        # The control socket would lie in the home folder, which may be read-only.
        options += ["--no-control-socket", "--graceful-timeout", "5", "--log-level", "warning"]
        return self._program("web", ["gunicorn", "ampout.wsgi", *options], is_ready=lambda _words: web_answers(port))

    def worker(self) -> Program:
        """Plans and sends."""
        # Without gossip and mingle it finds its way back after a restart of the broker.
        options = ["--without-gossip", "--without-mingle", "--concurrency", str(WORKER_PROCESSES), "--loglevel", "INFO"]
        return self._program(
            "worker", ["celery", "-A", "ampout", "worker", *options], is_ready=lambda words: " ready." in words
        )

    def beat(self) -> Program:
        """Wakes the worker in time."""
        options = ["--schedule", str(self._folder.beat_schedule), "--pidfile", "", "--loglevel", "WARNING"]
        return self._program("beat", ["celery", "-A", "ampout", "beat", *options], is_ready=lambda _words: True)

    def sandbox(self, ports: SandboxPorts, web_port: int) -> Program:
        """The pretend internet, whose people visit the web process."""
        options = ["--host", HOST, "--port", str(ports.smtp), "--dns-port", str(ports.dns)]
        options += ["--imap-port", str(ports.imap), "--web-port", str(web_port)]
        options += ["--log", str(self.sandbox_log), "--state-dir", str(self._folder.sandbox)]
        return self._program("sandbox", ["ampout.sandbox", *options], is_ready=lambda words: "ready smtp=" in words)

    @property
    def sandbox_log(self) -> Path:
        """One JSON line for every message that the simulated recipients accepted."""
        return self._folder.sandbox / "accepted.jsonl"

    def _program(
        self,
        name: str,
        module: list[str],
        *,
        extra: Mapping[str, str] | None = None,
        is_ready: Callable[[str], bool] = bool,
    ) -> Program:
        return Program(
            name,
            [sys.executable, "-m", *module],
            environment={**self._environment, **(extra or {})},
            folder=PROJECT,
            log_path=self._folder.logs / f"{name}.log",
            is_ready=is_ready,
        )


def web_answers(port: int) -> bool:
    """Whether the web process answers that it is alive."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status < http.client.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
