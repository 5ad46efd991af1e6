"""The settings of a running installation, kept in its data folder for a `manage.py` that is started by hand."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from ampout.supervisor.private_files import write_privately

PROJECT = Path(__file__).resolve().parent.parent.parent
DEFAULT_DATA = PROJECT / ".data"
NAME = "environment.json"


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
