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
    """The nemesis did something. Facts: action, target, detail; in_doubt: SMTP connections open at that moment;
    clock_skew: by how many seconds it made a clock wrong."""
    DELIVERED = "delivered"
    """A body was completed and answered 250, or left unanswered. Facts: those of the oracle's log, made into entries by
    reading.delivered_entries."""
    ANSWERED = "answered"
    """An API call was answered 2xx. Facts: call (a name), account, and what has to be in the tables from then on:
    contact or contacts (addresses), enrollment or enrollments (ids), campaign (id). A call that changed a daily limit
    has login and limit."""
    MAILED = "mailed"
    """A mail was put into a mailbox. Facts: mailbox (its login), account (whose mailbox that is), behaviour (reply,
    bounce, absence, unsubscribe, delay, complaint), message_id it answers (with angle brackets; none where it names
    nothing of ours), mail_id (its own Message-ID)."""
    CALLED = "called"
    """A webhook call was answered 2xx. Facts: account (whose endpoint that is), endpoint (its id), webhook_id, type,
    data, body (its digest)."""
    STOPPED = "stopped"
    """A stop fact is known to be committed: it was answered. Facts: account, reason (paused; for good: unsubscribed or
    manual; …), and whom it stops: any of contact (an address), campaign, login; none of them is the whole account. What
    was asked for and not answered is asked for again until it is known to hold."""
    RESUMED = "resumed"
    """What was STOPPED under the same account, contact, campaign and login goes on: noted before the call is made, as
    that may take effect before its answer comes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was seen. `at` is in seconds since the epoch, by the clock of the machine, not by a faked one."""

    at: float
    kind: Kind
    facts: Row


@dataclass(frozen=True, slots=True)
class Ledger:
    """The tables, read in one snapshot when all is quiet, over all accounts; reading.read_ledger makes one.

    Ids are texts and times are seconds since the epoch. `account`, `campaign` and `enrollment` are ids, `contact` and
    `recipient` addresses, `login` is the credential's user name at the SMTP server, which no two have in common, `step`
    a position from 1, and `message_id` a Message-ID with its angle brackets. The columns stand in
    tests/faults/reading.py.
    """

    messages: tuple[Row, ...] = ()
    attempts: tuple[Row, ...] = ()
    enrollments: tuple[Row, ...] = ()
    events: tuple[Row, ...] = ()
    usage: tuple[Row, ...] = ()
    feedback: tuple[Row, ...] = ()
    contacts: tuple[Row, ...] = ()
    campaigns: tuple[Row, ...] = ()
    suppressions: tuple[Row, ...] = ()
    endpoints: tuple[Row, ...] = ()
    credentials: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """A whole run. `audit` are the words of `manage.py audit`, and `leaks` where a canary secret was found."""

    seed: int
    entries: tuple[Entry, ...]
    ledger: Ledger
    audit: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()
    facts: Row = field(default_factory=dict)
    """What the run was made of. limits: by login, the daily limit it began with; folder: where all of it lies."""


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
