"""Ampout as an operator runs it for real: by `make run`'s program, without the sandbox, settings in the environment."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ampout.supervisor.children import end, spawn
from ampout.supervisor.kept_environment import PROJECT
from tests.faults.waiting import wait_for

START_SECONDS = 120
STOP_SECONDS = 20
# What this test run has set for itself; an operator's machine has none of it.
OURS = re.compile(r"AMPOUT_|DATABASE_URL|CELERY_|SECRET_KEY|FIELD_KEYS|DIGEST_KEY|ALLOW_|DNS_|DJANGO_|SMTP_")


class Installation:
    """All programs on one data folder."""

    def __init__(self, folder: Path, port: int, settings: Mapping[str, str]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / "run.log"
        given = {name: value for name, value in os.environ.items() if not OURS.match(name)}
        self.environment = {**given, "AMPOUT_DATA": str(folder / "data"), "AMPOUT_PORT": str(port), **settings}

    def start(self) -> None:
        """Start everything; it answers once this returns."""
        with self._log.open("wb") as log:
            arguments = [sys.executable, "-m", "ampout.supervisor"]
            self._process = spawn(
                arguments,
                output=log,
                environment=self.environment,
                folder=PROJECT,
                death_signal=signal.SIGTERM,
            )
        wait_for("everything runs", lambda: "\nAPI: " in self.log or self._has_ended(), START_SECONDS, lambda: self.log)
        assert not self._has_ended(), self.log

    def stop(self) -> None:
        """Stop it as Ctrl-C does."""
        end(self._process, signal.SIGINT, STOP_SECONDS)

    @property
    def log(self) -> str:
        """What it printed so far."""
        return self._log.read_text()

    def ask(self, method: str, path: str, key: str, body: object = None) -> Any:
        """What the API answers to a call with this key; fails where it refuses."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def audit(self) -> str:
        """What `manage.py audit` prints; fails where a law is broken."""
        done = subprocess.run(
            [sys.executable, "manage.py", "audit"],
            check=False,
            env=self.environment,
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _has_ended(self) -> bool:
        return self._process.poll() is not None
