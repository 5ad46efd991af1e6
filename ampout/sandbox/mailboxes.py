"""The senders' mailboxes: folders of files, one a message, named by its UID in the order of arrival.

A folder's UIDVALIDITY is written down when the folder is made, so that it outlives restarts, as the UIDs do. What lies
in a folder never changes: mail is added at the end, and nothing marks, moves or removes it.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Protocol

INBOX, JUNK, SENT = "INBOX", "Junk", "Sent"
SPECIAL_USE = {INBOX: None, JUNK: b"Junk", SENT: b"Sent"}
"""The folders of every mailbox, with what they are for (RFC 6154)."""

LARGEST_MAIL = 256 * 1024
"""Bytes of a mail that is kept; sending programs' larger ones are accepted, and seen by nobody."""
MOST_BOUNDARIES = 200
"""Lines of a kept mail that could begin a part, so that showing its structure costs little."""

_VALIDITY = "uidvalidity"
_SUFFIX = ".eml"


@dataclass(frozen=True, slots=True)
class StoredMail:
    """One mail in a folder."""

    uid: int
    path: Path
    arrived_at: datetime


class Listener(Protocol):
    """Who wants to know that a folder has new mail."""

    def set(self) -> None:
        """Called after each arrival."""


@dataclass(slots=True)
class Folder:
    """One folder, as far as it has been written; `mails` are in order of their UIDs."""

    path: Path
    uid_validity: int
    mails: list[StoredMail] = field(default_factory=list)
    next_uid: int = 1
    listeners: list[Listener] = field(default_factory=list)

    @property
    def identifier(self) -> str:
        """A name of its own among all folders, the same over restarts."""
        return sha256(f"{self.path.parent.name}/{self.path.name}/{self.uid_validity}".encode()).hexdigest()[:32]


class Mailboxes:
    """All mailboxes below one folder of the file system; for one process, and there for one event loop."""

    def __init__(self, root: Path, now: datetime) -> None:
        """`now` is what the UIDVALIDITY of folders made by this process comes from."""
        self._root = root
        self._now = now
        self._folders: dict[tuple[str, str], Folder] = {}
        # One thread, so that mails become visible in the order of their UIDs.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-mailboxes")

    def folder(self, login: str, name: str) -> Folder:
        """The folder ``name`` of a login, made where missing. Raises KeyError for other names, and OSError."""
        if name not in SPECIAL_USE:
            raise KeyError(name)
        if (login, name) not in self._folders:
            self._folders[login, name] = _open_folder(self._root / login / name, self._now)
        return self._folders[login, name]

    async def deliver(self, login: str, name: str, raw: bytes, now: datetime) -> bool:
        """Add a mail to a folder; False where it is too large or has too many parts. Raises OSError."""
        if not is_kept(raw):
            return False
        folder = self.folder(login, name)
        uid, folder.next_uid = folder.next_uid, folder.next_uid + 1
        path = folder.path / f"{uid:010}{_SUFFIX}"
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, _write, path, raw, now.timestamp())
        folder.mails.append(StoredMail(uid, path, now))
        for listener in folder.listeners:
            listener.set()
        return True

    def close(self) -> None:
        """Let what is being written reach its file."""
        self._thread.shutdown()


def is_kept(raw: bytes) -> bool:
    """Whether mailboxes and recipients look at a mail at all."""
    return len(raw) <= LARGEST_MAIL and raw.count(b"\n--") <= MOST_BOUNDARIES


def _open_folder(path: Path, now: datetime) -> Folder:
    path.mkdir(parents=True, exist_ok=True)
    note = path / _VALIDITY
    if not note.exists():
        _write(note, str(int(now.timestamp())).encode("ascii"), now.timestamp())
    folder = Folder(path, int(note.read_text("ascii")))
    for file in sorted(path.glob(f"*{_SUFFIX}")):
        uid = int(file.stem)
        folder.mails.append(StoredMail(uid, file, datetime.fromtimestamp(file.stat().st_mtime, UTC)))
        folder.next_uid = uid + 1
    return folder


def _write(path: Path, data: bytes, timestamp: float) -> None:
    """Write the whole file or nothing."""
    beside = path.with_name(path.name + ".new")
    beside.write_bytes(data)
    os.utime(beside, (timestamp, timestamp))
    beside.replace(path)
