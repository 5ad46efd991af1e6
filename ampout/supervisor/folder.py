"""The data folder: what lies where, who holds it, and whether it can be used at all."""

import errno
import fcntl
import hashlib
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path

from ampout.supervisor.errors import StartError
from ampout.supervisor.postgres import LONGEST_SOCKET

SOCKET_PATH_BYTES = 103
"""The longest path of a Unix socket: 107 bytes on Linux, 103 on macOS (sun_path in unix(7), without its final NUL)."""
FIRST_START_BYTES, LATER_START_BYTES = 300_000_000, 50_000_000
"""Free disk space without which a start would fail halfway: the databases take 60 MB when new."""


class DataFolder:
    """The folder of one installation, held until it is closed or this process ends.

    Raises StartError when another supervisor holds it, or it can't be written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.postgres = self.path / "postgres"
        self.valkey = self.path / "valkey"
        self.sandbox = self.path / "sandbox"
        self.logs = self.path / "log"
        self.keys = self.path / "secrets.json"
        self.installation_id = self.path / "installation-id"
        self.ports = self.path / "ports.json"
        self.prepared = self.path / "prepared.json"
        self.first_start = self.path / "first-start.json"
        self.beat_schedule = self.path / "beat-schedule"
        self._make()
        self._hold()
        try:
            self._check_space()
            self.run = _run_dir(self.path)
        except StartError:
            self.close()
            raise

    @property
    def has_database(self) -> bool:
        """Whether PostgreSQL was started here before."""
        return (self.postgres / "PG_VERSION").exists()

    def close(self) -> None:
        """Let go of the folder."""
        self._lock.close()

    def _make(self) -> None:
        try:
            for folder in (self.path, self.logs, self.sandbox):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as problem:
            raise StartError(f"The data folder {self.path} cannot be made: {_reason(problem)}") from None

    def _hold(self) -> None:
        """Lock the folder; the lock ends with this process, however it ends."""
        try:
            self._lock = (self.path / "lock").open("a+")
        except OSError as problem:
            raise StartError(f"The data folder {self.path} cannot be written to: {_reason(problem)}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.seek(0)
            holder = self._lock.read().strip()
            self._lock.close()
            raise StartError(
                f"Another Ampout (process {holder}) runs on {self.path}. Stop it, or set AMPOUT_DATA to another folder."
            ) from None
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()

    def _check_space(self) -> None:
        needed = LATER_START_BYTES if self.has_database else FIRST_START_BYTES
        free = shutil.disk_usage(self.path).free
        if free < needed:
            raise StartError(
                f"The disk of {self.path} has {free // 1_000_000} MB left and {needed // 1_000_000} MB are needed. "
                "Free some space, or set AMPOUT_DATA to a folder on another disk."
            )


def _run_dir(data: Path) -> Path:
    """A folder for sockets: within the data folder, or where that path is too long or too odd, a private short one."""
    inside = data / "run"
    is_short = len(os.fsencode(inside / LONGEST_SOCKET)) <= SOCKET_PATH_BYTES
    # Both go into URLs and configuration files, whose readers disagree about escapes.
    if is_short and re.fullmatch(r"[\w./-]+", str(inside), re.ASCII):
        inside.mkdir(mode=0o700, exist_ok=True)
        return inside
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    outside = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"ampout-{digest}"
    outside.mkdir(mode=0o700, exist_ok=True)
    status = outside.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o077 or status.st_uid != os.getuid():
        raise StartError(f"{outside} belongs to somebody else. Set AMPOUT_DATA to a folder with a shorter path.")
    return outside


def _reason(problem: OSError) -> str:
    if problem.errno == errno.ENOSPC:
        return "the disk is full. Free some space, or set AMPOUT_DATA to a folder on another disk."
    return f"{(problem.strerror or str(problem)).lower()}. Set AMPOUT_DATA to a folder of your own."
