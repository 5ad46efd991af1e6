import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from ampout.supervisor.errors import StartError
from ampout.supervisor.folder import FIRST_START_BYTES, SOCKET_PATH_BYTES, DataFolder
from ampout.supervisor.postgres import LONGEST_SOCKET

HOLDS = """
import pathlib, sys, time
from ampout.supervisor.folder import DataFolder
held = DataFolder(pathlib.Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="amp") as folder:
        yield Path(folder)


def test_the_folder_is_made_for_its_owner_alone(short: Path) -> None:
    with closing(DataFolder(short / "data")) as folder:
        assert (folder.path.stat().st_mode & 0o777, folder.has_database) == (0o700, False)


def test_a_folder_that_another_supervisor_holds_is_refused_with_its_process(short: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDS, short], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(
            StartError, match=rf"^Another Ampout \(process {holder.pid}\) runs on {short}\. Stop it, or"
        ):
            DataFolder(short)
        holder.kill()
    DataFolder(short).close()


def test_sockets_lie_inside_where_the_path_is_short(short: Path) -> None:
    with closing(DataFolder(short)) as folder:
        assert folder.run == short / "run"


@pytest.mark.parametrize("name", ["x" * 90, "with space", "with'quote", "ünï"])
def test_sockets_of_a_long_or_odd_path_lie_in_a_private_folder_elsewhere(short: Path, name: str) -> None:
    with closing(DataFolder(short / name)) as folder:
        run = folder.run
    try:
        assert len(os.fsencode(run / LONGEST_SOCKET)) <= SOCKET_PATH_BYTES
        assert (run.name[:7], run.stat().st_mode & 0o777) == ("ampout-", 0o700)
    finally:
        run.rmdir()


def test_a_folder_for_sockets_that_others_can_enter_is_refused(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    with closing(DataFolder(short / ("x" * 90))) as folder:
        folder.run.chmod(0o755)
    with pytest.raises(StartError, match="belongs to somebody else"):
        DataFolder(short / ("x" * 90))


def test_a_full_disk_is_refused_before_anything_starts(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(1, 1, FIRST_START_BYTES - 1))
    with pytest.raises(StartError, match=r"has 299 MB left and 300 MB are needed\. Free some space, or"):
        DataFolder(short)


def test_a_folder_that_cannot_be_made_is_refused_with_the_reason(short: Path) -> None:
    (short / "file").write_text("")
    with pytest.raises(StartError, match=r"cannot be made: not a directory\. Set AMPOUT_DATA to a folder of your own"):
        DataFolder(short / "file" / "data")
