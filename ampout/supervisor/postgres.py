"""A PostgreSQL server of our own: one data folder, one Unix socket, no network."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from shutil import rmtree
from urllib.parse import quote

from ampout.supervisor import identity
from ampout.supervisor.children import Identity, Pause, descendants, end, is_running, kill_family, spawn
from ampout.supervisor.errors import StartError
from ampout.supervisor.programs import PostgresPrograms, find_postgres

DATABASE = USER = "ampout"
LONGEST_SOCKET = ".s.PGSQL.5432.lock"
WITHOUT_FSYNC = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For data that a crash of the machine may take, such as a test run's."""

_STOP_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_STARTUP_SECONDS = 60.0
"""Recovery after a crash is included; a large one may need longer, and the next start goes on with it."""


class PostgresServer:
    """A server that can be started, stopped and killed again and again on the same data.

    `data_dir` is made at the first start and belongs to the server alone, `run_dir` (an existing, short path) gets the
    socket, `options` are server settings such as `{"fsync": "off"}`.
    """

    def __init__(
        self,
        data_dir: Path,
        run_dir: Path,
        options: Mapping[str, str] | None = None,
        *,
        log_path: Path | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.run_dir = run_dir
        self.options = dict(options or {})
        self.log_path = log_path or data_dir.with_name(f"{data_dir.name}.log")
        self._process: subprocess.Popen[bytes] | None = None

    name = "PostgreSQL"

    @property
    def url(self) -> str:
        """What DATABASE_URL has to be."""
        return f"postgres://{USER}@/{DATABASE}?host={quote(str(self.run_dir))}"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self, pause: Pause = time.sleep) -> None:
        """Return once connections are accepted; raises StartError with the reason where that does not happen.

        1. Find the programs: of the version that made the data, if there is any.
        2. Wait for a server that is still ending on this data (after a kill of its supervisor).
        3. Find whom it can run as, making the data where there is none.
        4. Start it and wait until it says it is ready.
        """
        programs = find_postgres(self._recorded_major())
        self._await_predecessor(pause)
        who = self._prepare(programs)
        arguments: list[str | Path] = [programs.folder / "postgres", "-D", self.data_dir]
        for name, value in self._settings().items():
            arguments += ["-c", f"{name}={value}"]
        with self.log_path.open("ab") as log:
            # A supervisor that is killed takes the server down at once; SIGQUIT also ends what it is doing just now.
            self._process = spawn(
                arguments, output=log, folder=self.data_dir, identity=who, death_signal=signal.SIGQUIT
            )
        self._await_ready(self._process, pause)

    def stop(self, mode: str = "fast", seconds: float = 15) -> None:
        """Stop it: `fast` writes everything out, `immediate` leaves a crash to recover from."""
        if self._process is not None:
            end(self._process, _STOP_SIGNALS[mode], seconds)
            self._process = None

    def kill9(self) -> None:
        """Kill the server and all its backends with SIGKILL."""
        if self._process is not None:
            family = descendants(self._process.pid)
            self._process.kill()
            self._process.wait()
            kill_family(self._process.pid, family)
            self._process = None

    def _settings(self) -> dict[str, str]:
        return {
            "listen_addresses": "",
            "unix_socket_directories": f'"{self.run_dir}"',
            "unix_socket_permissions": "0700",
            **self.options,
        }

    def _recorded_major(self) -> int | None:
        try:
            return int((self.data_dir / "PG_VERSION").read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            raise StartError(
                f"{self.data_dir} is not readable as a database. Set AMPOUT_DATA to a new folder."
            ) from None

    def _await_predecessor(self, pause: Pause) -> None:
        deadline = time.monotonic() + 20
        while (pid := self._lock_holder()) is not None:
            if time.monotonic() > deadline:
                raise StartError(f"Another PostgreSQL (process {pid}) runs on {self.data_dir}. Stop it first.")
            pause(0.05)

    def _lock_holder(self) -> int | None:
        """The process named by the server's lock file, if it runs and is the server of this data.

        A lock file that names a process of something else is removed: ids are used again, and the server would refuse.
        """
        lock = self.data_dir / "postmaster.pid"
        try:
            pid = int(lock.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None
        if is_running(pid) and self._is_served_by(pid):
            return pid
        lock.unlink()
        return None

    def _is_served_by(self, pid: int) -> bool:
        try:
            return str(self.data_dir) in Path(f"/proc/{pid}/cmdline").read_text()
        except OSError:
            return True  # without /proc the lock file is believed

    def _prepare(self, programs: PostgresPrograms) -> Identity:
        """The first identity that can use the data, which is handed over to it, and made where there is none."""
        complaint = ""
        fresh = self._recorded_major() is None
        for who, owner in identity.candidates():
            folder = self.data_dir.with_name(f"{self.data_dir.name}.new") if fresh else self.data_dir
            if fresh:
                rmtree(folder, ignore_errors=True)
                folder.mkdir(mode=0o700, parents=True)
            _hand_over(folder, owner)
            complaint = _probe(programs, [folder, self.run_dir], who)
            if complaint == "" and fresh:
                complaint = self._initialise(programs, folder, who)
            if complaint == "":
                return who
        raise StartError(f"PostgreSQL cannot use {self.data_dir}: {complaint}")

    def _initialise(self, programs: PostgresPrograms, folder: Path, who: Identity) -> str:
        """Make the data beside its place and move it there when complete; a complaint, or an empty string."""
        initdb: list[str | Path] = [programs.folder / "initdb", "-D", folder, "-U", USER, "-E", "UTF8", "--locale=C"]
        initdb += ["--auth-local=trust", "--auth-host=reject"]
        if programs.major >= 17:
            initdb += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if self.options.get("fsync") == "off":
            initdb += ["--no-sync"]
        single: list[str | Path] = [programs.folder / "postgres", "--single", "-D", folder, "postgres"]
        complaint = _run(initdb, who) or _run(single, who, f"CREATE DATABASE {DATABASE}\n")
        if complaint == "":
            folder.rename(self.data_dir)
        return complaint

    def _await_ready(self, process: subprocess.Popen[bytes], pause: Pause) -> None:
        deadline = time.monotonic() + _STARTUP_SECONDS
        while not self._is_ready(process.pid):
            if process.poll() is not None:
                raise StartError(f"PostgreSQL did not start: {_last_words(self.log_path)}")
            if time.monotonic() > deadline:
                self.stop()
                raise StartError(f"PostgreSQL was not ready within {_STARTUP_SECONDS:.0f} s; see {self.log_path}.")
            pause(0.01)

    def _is_ready(self, pid: int) -> bool:
        """Line 8 of the lock file is the server's status (PostgreSQL: src/include/utils/pidfile.h)."""
        try:
            lines = (self.data_dir / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _probe(programs: PostgresPrograms, folders: list[Path], who: Identity) -> str:
    """Whether this identity reaches the programs and may write the folders; a complaint, or an empty string."""
    script = 'for folder; do : > "$folder/.probe" && rm "$folder/.probe" || exit 1; done; exec "$0" --version'
    return _run(["/bin/sh", "-c", script, programs.folder / "initdb", *folders], who)


def _run(arguments: list[str | Path], who: Identity, text: str = "") -> str:
    """Run to the end, with `text` as its input; the last line of a failure, or an empty string."""
    try:
        done = subprocess.run(
            arguments,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            cwd="/",
            preexec_fn=who.enter,  # the supervisor has one thread
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as problem:
        return str(problem)
    words = done.stderr.strip().splitlines() or [f"{arguments[0]} ended with {done.returncode}"]
    return "" if done.returncode == 0 else words[-1]


def _hand_over(folder: Path, owner: int) -> None:
    """Make `owner` own a folder and what is in it; only root ever has to."""
    if folder.stat().st_uid == owner or os.getuid() != 0:
        return
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, owner, -1, follow_symlinks=False)


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"see {log}"
