"""A disk that is small enough to be filled: a tmpfs of its own, and ballast."""

import errno
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from ampout.supervisor.children import is_running

SOURCE = "ampout-small-disk-"
"""How /proc/mounts names our disks; the id of the process that made one follows."""
CHUNK = bytes(1 << 16)


def why_missing() -> str:
    """Why no disk can be made here; empty where one can."""
    if shutil.which("mount") is None:
        return "there is no mount"
    if os.getuid() != 0:
        return "only root can mount a disk"
    return "" if _is_permitted() else "mounting is not permitted here"


def _is_permitted() -> bool:
    """Whether we may mount, which root in a container often may not (CAP_SYS_ADMIN, capabilities(7): bit 21)."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    return bool(int(status["CapEff"], 16) >> 21 & 1)


class SmallDisk:
    """A tmpfs on `folder`, of so many megabytes; a context manager."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self._megabytes = megabytes
        self._ballast = folder / "ballast"

    def __enter__(self) -> Self:
        unmount_abandoned()
        self.folder.mkdir(mode=0o755)
        options = f"size={self._megabytes}m,mode=0755"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, f"{SOURCE}{os.getpid()}", self.folder], check=True)
        return self

    def __exit__(self, *exc: object) -> None:
        # Lazily: a process that is just ending may still hold a file.
        subprocess.run(["umount", "-l", self.folder], check=True)
        self.folder.rmdir()

    @property
    def free_bytes(self) -> int:
        """What can still be written."""
        return shutil.disk_usage(self.folder).free

    def fill(self) -> None:
        """Take all that is free; nobody can write any more."""
        with self._ballast.open("ab", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(CHUNK)
            except OSError as problem:
                if problem.errno != errno.ENOSPC:
                    raise

    @contextmanager
    def kept_full(self) -> Iterator[None]:
        """Full until the block ends: what others give up meanwhile is taken as well."""
        over = threading.Event()

        def keep() -> None:
            while not over.wait(0.1):
                self.fill()

        keeper = threading.Thread(target=keep, name="ballast")
        self.fill()
        keeper.start()
        try:
            yield
        finally:
            over.set()
            keeper.join()
            self.free()

    def free(self) -> None:
        """Give back what `fill` took."""
        self._ballast.unlink(missing_ok=True)


def unmount_abandoned() -> None:
    """Unmount the disks of runs that were killed."""
    for line in Path("/proc/mounts").read_text().splitlines():
        source, folder = line.split()[:2]
        pid = source.removeprefix(SOURCE)
        if source.startswith(SOURCE) and pid.isdigit() and not is_running(int(pid)):
            subprocess.run(["umount", "-l", folder], check=False)
            with suppress(OSError):
                Path(folder).rmdir()
