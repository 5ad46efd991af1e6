"""The recipients' logs: one JSON line a message, on disk before the sender is told, so that a ledger can be held to it.

A line is written and flushed to the disk before the 250 is answered. Hence: every 250 has its line; a line without a
250 means the sender vanished, or this machine died, in between, and the sender must call that message ``unknown``.
"""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

Record = Mapping[str, str | int | None]


class LogNotWrittenError(Exception):
    """The log could not be written (a full disk, for one), and is as it was before; the text is the system's."""


def refused_log_path(log_path: Path) -> Path:
    """Where the refusals go: ``accepted.jsonl`` → ``accepted.refused.jsonl``, in the same folder."""
    return log_path.with_suffix(".refused.jsonl")


def behaviours_log_path(log_path: Path) -> Path:
    """Where the acts of the recipients go: ``behaviours.jsonl``, in the same folder."""
    return log_path.with_name("behaviours.jsonl")


class JsonLinesLog:
    """An append-only file of JSON lines in ASCII; many waiting writers share one flush to the disk."""

    def __init__(self, path: Path) -> None:
        """Open or create the file (mode 0600); raises OSError. A last line torn by a crash is taken away."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        _remove_torn_line(self._file)
        _flush_folder(path.parent)
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-log")

    async def append(self, records: Sequence[Record]) -> None:
        """Write one line a record, all or none; returns once they are on the disk. Raises LogNotWrittenError."""
        loop = asyncio.get_running_loop()
        lines = "".join(json.dumps(record) + "\n" for record in records)
        written: asyncio.Future[None] = loop.create_future()
        self._waiting.append((lines.encode("ascii"), written))
        if self._flusher is None or self._flusher.done():
            self._flusher = loop.create_task(self._flush())
        await written

    async def close(self) -> None:
        """Let what is being written reach the disk, then close the file."""
        if self._flusher is not None:
            await self._flusher
        self._thread.shutdown()
        os.close(self._file)

    async def _flush(self) -> None:
        """Write whatever waits, in one flush, until nothing does; a failed flush fails those who waited for it."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            failure: LogNotWrittenError | None = None
            try:
                await loop.run_in_executor(self._thread, _write, self._file, b"".join(lines for lines, _ in batch))
            except OSError as error:
                failure = LogNotWrittenError(str(error))
            _settle([written for _, written in batch], failure)


def _settle(waiting: list[asyncio.Future[None]], failure: LogNotWrittenError | None) -> None:
    """Tell every waiting writer how its flush ended; one whose sender vanished meanwhile no longer listens."""
    for written in waiting:
        if written.cancelled():
            continue
        if failure is None:
            written.set_result(None)
        else:
            written.set_exception(failure)


def _write(file: int, data: bytes) -> None:
    """Append ``data`` and flush it; raises OSError and leaves the file as it was when that fails (a full disk)."""
    size_before = os.fstat(file).st_size
    try:
        while data:
            data = data[os.write(file, data) :]
        os.fsync(file)
    except OSError:
        os.ftruncate(file, size_before)
        raise


def _remove_torn_line(file: int) -> None:
    """Cut the file behind its last line end: what follows was never flushed, so nobody was told it was accepted."""
    size = os.fstat(file).st_size
    kept = size
    while kept > 0:
        start = max(0, kept - 65_536)
        line_end = os.pread(file, kept - start, start).rfind(b"\n")
        if line_end >= 0:
            kept = start + line_end + 1
            break
        kept = start
    if kept < size:
        os.ftruncate(file, kept)


def _flush_folder(folder: Path) -> None:
    """Make a newly created file survive a power cut, too: its name lives in the folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
