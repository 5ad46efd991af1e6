"""What happened in a run, by everybody who saw it: nemesis, SMTP server, mailboxes, receivers, the API, the ledger.

Whoever sees something notes an Entry, on disk at once, as a run may be killed too. When all is quiet the tables are
read once, as the Ledger. Both together are the History that tests/faults/checker.py judges.
"""

import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]
"""A row of a table, by the names of its columns."""


class Kind(StrEnum):
    """What an entry tells."""

    STRIKE = "strike"
    """The nemesis did something. Facts: action, target, detail; in_doubt: SMTP connections open at that moment."""
    DELIVERED = "delivered"
    """A body was completed and answered 250, or left unanswered. Facts: those of the oracle's log."""
    ANSWERED = "answered"
    """An API call was answered 2xx. Facts: call (a name), account, and what it did: contact, enrollment, campaign…"""
    MAILED = "mailed"
    """A mail was put into a mailbox. Facts: mailbox, behaviour (reply, bounce, absence), message_id it answers."""
    CALLED = "called"
    """A webhook call was answered 2xx. Facts: account, webhook_id, type, data, body (its digest)."""
    STOPPED = "stopped"
    """A stop fact is known to be committed: it was answered. Facts: account, contact or campaign, reason."""
    RESUMED = "resumed"
    """A pause was lifted: from here on. Facts: account, campaign."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was seen. `at` is in seconds since the epoch, by the clock of the machine, not by a faked one."""

    at: float
    kind: Kind
    facts: Row


@dataclass(frozen=True, slots=True)
class Ledger:
    """The tables, read in one snapshot when all is quiet, over all accounts."""

    messages: tuple[Row, ...] = ()
    attempts: tuple[Row, ...] = ()
    enrollments: tuple[Row, ...] = ()
    events: tuple[Row, ...] = ()
    usage: tuple[Row, ...] = ()
    feedback: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """A whole run. `audit` are the words of `manage.py audit`, and `leaks` where a canary secret was found."""

    seed: int
    entries: tuple[Entry, ...]
    ledger: Ledger
    audit: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()
    facts: Row = field(default_factory=dict)
    """What the run was made of: steps, daily limits by credential, accounts by person."""


class Recorder:
    """Notes entries as JSON lines, O_APPEND, from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._lock = threading.Lock()

    def note(self, kind: Kind, **facts: Any) -> None:
        """Something was seen just now."""
        line = json.dumps({"at": time.time(), "kind": kind.value, "facts": facts}, default=str)
        with self._lock:
            os.write(self._file, line.encode() + b"\n")

    def close(self) -> None:
        """No more entries."""
        os.close(self._file)


def read_entries(path: Path) -> list[Entry]:
    """The entries of a file, in the order of their times."""
    lines = (json.loads(line) for line in path.read_text().splitlines())
    entries = [Entry(line["at"], Kind(line["kind"]), line["facts"]) for line in lines]
    return sorted(entries, key=lambda entry: entry.at)
