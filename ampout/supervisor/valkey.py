"""A Valkey server of our own: one data folder, one Unix socket, no network."""

import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from ampout.supervisor.children import Pause, end, spawn
from ampout.supervisor.errors import StartError
from ampout.supervisor.programs import find_valkey

SOCKET = "valkey.sock"
IN_MEMORY = {"appendonly": "no"}
"""For a run whose queue may be lost with it."""

_STARTUP_SECONDS = 60.0


class ValkeyServer:
    """A server that can be started, stopped and killed again and again on the same data.

    `data_dir` is made where missing, `run_dir` (an existing, short path) gets the socket, `options` are its settings.
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
        self.socket_path = run_dir / SOCKET
        self.options = dict(options or {})
        self.log_path = log_path or data_dir.with_name(f"{data_dir.name}.log")
        self._process: subprocess.Popen[bytes] | None = None

    name = "Valkey"

    @property
    def url(self) -> str:
        """What CELERY_BROKER_URL has to be."""
        return f"redis+socket://{self.socket_path}"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def launch(self) -> None:
        """Start the program without waiting for it."""
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A socket left behind by a kill would look like a server.
        self.socket_path.unlink(missing_ok=True)
        arguments: list[str | Path] = [find_valkey()]
        for name, value in self._settings().items():
            arguments += [f"--{name}", value]
        with self.log_path.open("ab") as log:
            self._process = spawn(arguments, output=log, folder=self.data_dir)

    def await_ready(self, pause: Pause = time.sleep) -> None:
        """Return once it answers, which it does when its data is loaded; raises StartError where it does not."""
        deadline = time.monotonic() + _STARTUP_SECONDS
        while not self._answers():
            if self.pid is None:
                raise StartError(f"Valkey did not start; see {self.log_path}.")
            if time.monotonic() > deadline:
                self.stop()
                raise StartError(f"Valkey was not ready within {_STARTUP_SECONDS:.0f} s; see {self.log_path}.")
            pause(0.01)

    def start(self, pause: Pause = time.sleep) -> None:
        """Launch it and wait until it is ready."""
        self.launch()
        self.await_ready(pause)

    def stop(self, seconds: float = 10) -> None:
        """Stop it after it has written everything out."""
        if self._process is not None:
            end(self._process, signal.SIGTERM, seconds)
            self._process = None

    def kill9(self) -> None:
        """Kill the server with SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _settings(self) -> dict[str, str]:
        return {
            "port": "0",
            "unixsocket": str(self.socket_path),
            "unixsocketperm": "700",
            "dir": str(self.data_dir),
            "appendonly": "yes",
            "save": "",
            # A queue must refuse what it cannot hold, never forget what it holds.
            "maxmemory-policy": "noeviction",
            **self.options,
        }

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            try:
                client.connect(str(self.socket_path))
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
            except OSError:
                return False
