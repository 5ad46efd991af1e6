"""The release before this one: its tree, taken out of the repository's history, and its programs."""

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ampout.supervisor.folder import DataFolder
from ampout.supervisor.kept_environment import PROJECT
from ampout.supervisor.ports import HOST
from ampout.supervisor.processes import Program
from ampout.supervisor.services import web_answers

PREVIOUS_RELEASE = "1fec02e70bf3e7a498cc60f49d0c222f209fa459"
"""The commit that installations run before they upgrade to this release: the last one without row-level security,
tallies and monthly limits. At each release it moves on."""

# Its own makers of test data call its own services.
SEED = """
import contextlib, json, sys, types
import django
django.setup()
from tests.faults.seeding import seed
smtp_port, recipients, options = json.loads(sys.argv[1])
lab = types.SimpleNamespace(smtp_port=smtp_port, django=contextlib.nullcontext)
print(seed(lab, recipients, **options).key)
"""


@dataclass(frozen=True, slots=True)
class Release:
    """A tree of code. Its programs are started as its guide to deployment says, by this release's Python packages."""

    tree: Path

    def migrate(self, environment: Mapping[str, str]) -> None:
        """Bring the database to this release."""
        self._run(["manage.py", "migrate", "--verbosity", "0"], environment)

    def seed(self, environment: Mapping[str, str], smtp_port: int, recipients: Sequence[str], **options: int) -> str:
        """Make an account with one campaign, and release it; returns a key of the account."""
        facts = json.dumps([smtp_port, recipients, options])
        return self._run(["-c", SEED, facts], {**environment, "DJANGO_SETTINGS_MODULE": "ampout.settings"}).strip()

    def worker(self, name: str, environment: Mapping[str, str], folder: DataFolder) -> Program:
        """Plans and sends."""
        options = ["--without-gossip", "--without-mingle", "--concurrency", "6", "--loglevel", "INFO"]
        arguments = ["celery", "-A", "ampout", "worker", *options]
        return self._program(name, arguments, environment, folder, lambda words: " ready." in words)

    def beat(self, name: str, environment: Mapping[str, str], folder: DataFolder) -> Program:
        """Wakes the workers in time."""
        options = ["--schedule", str(folder.beat_schedule), "--pidfile", "", "--loglevel", "WARNING"]
        return self._program(name, ["celery", "-A", "ampout", "beat", *options], environment, folder, lambda _: True)

    def web(self, name: str, environment: Mapping[str, str], folder: DataFolder, port: int) -> Program:
        """The API."""
        options = ["--bind", f"{HOST}:{port}", "--worker-class", "gthread", "--threads", "8", "--no-control-socket"]
        arguments = ["gunicorn", "ampout.wsgi", *options]
        return self._program(name, arguments, environment, folder, lambda _: web_answers(port))

    def _program(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: DataFolder,
        is_ready: Callable[[str], bool],
    ) -> Program:
        return Program(
            name,
            [sys.executable, "-m", *arguments],
            environment=environment,
            folder=self.tree,
            log_path=folder.logs / f"{name}.log",
            is_ready=is_ready,
        )

    def _run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> str:
        """What a command of the tree says."""
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, env=dict(environment), cwd=self.tree, capture_output=True, text=True, check=False, timeout=240
        )
        assert done.returncode == 0, f"{arguments[:2]}: {done.stdout}{done.stderr}"
        return done.stdout


def export_previous(folder: Path) -> Release:
    """The previous release's tree in this new folder; skips the test where the repository does not have it."""
    command = ["git", "-C", str(PROJECT), "archive", "--format=tar", PREVIOUS_RELEASE]
    try:
        made = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("git is not installed, so the previous release cannot be had")
    if made.returncode != 0:
        words = made.stderr.decode(errors="replace").strip()
        pytest.skip(f"the previous release is not in this copy of the repository (a shallow clone?): {words}")
    with tarfile.open(fileobj=io.BytesIO(made.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return Release(folder)
