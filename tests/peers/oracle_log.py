"""An append-only log that is on disk before the peer answers: the ground truth of kill tests."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class OracleLog:
    """JSON lines, O_APPEND. Entries of the same turn of the event loop share one fsync."""

    def __init__(self, path: Path | None) -> None:
        self.entries: list[Entry] = []
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) if path else None
        self._batch: list[tuple[Entry, Callable[[], None]]] = []

    def append(self, entry: Entry, done: Callable[[], None]) -> None:
        """Write `entry`; call `done` once it is on disk. Only from the event loop."""
        if not self._batch:
            asyncio.get_running_loop().call_soon(self._flush)
        self._batch.append((entry, done))

    def _flush(self) -> None:
        batch, self._batch = self._batch, []
        if self._file is not None:
            os.write(self._file, b"".join(json.dumps(entry).encode() + b"\n" for entry, _ in batch))
            os.fsync(self._file)
        self.entries.extend(entry for entry, _ in batch)
        for _, done in batch:
            done()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read_log(path: Path) -> list[Entry]:
    """The entries of a log, oldest first."""
    return [json.loads(line) for line in path.read_text().splitlines()]
