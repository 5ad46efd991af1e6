"""The settings of a running installation, kept in its data folder for a `manage.py` that is started by hand."""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from ampout.supervisor.private_files import write_privately

PROJECT = Path(__file__).resolve().parent.parent.parent
DEFAULT_DATA = PROJECT / ".data"
NAME = "environment.json"
PLACEHOLDERS = {
    "SECRET_KEY": secrets.token_urlsafe(48),
    "DIGEST_KEY": "placeholder",
    "FIELD_KEYS": "A" * 43 + "=",
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing",
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
}
"""What the settings cannot do without, for a command that uses no key and connects to nothing."""


def keep_environment(data: Path, settings: Mapping[str, str]) -> None:
    """Write the settings into the data folder, readable by nobody else."""
    write_privately(data / NAME, json.dumps(dict(settings), indent=1))


def adopt_environment() -> None:
    """Give a `manage.py` started by hand the settings of the installation in the data folder.

    Nothing happens where DATABASE_URL is set, or where `make run` has not been used; what is set already stays.
    """
    path = Path(os.environ.get("AMPOUT_DATA") or DEFAULT_DATA) / NAME
    if "DATABASE_URL" in os.environ or not path.is_file():
        return
    for name, value in json.loads(path.read_text()).items():
        os.environ.setdefault(name, value)


def fill_placeholders() -> None:
    """Let a command that uses no key and connects to nothing run where nothing is installed yet; what is set stays."""
    for name, value in PLACEHOLDERS.items():
        os.environ.setdefault(name, value)
