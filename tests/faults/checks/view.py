"""A history with its indexes, made once for all checks."""

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from tests.faults.history import Entry, History, Kind, Row


class View:
    """What the checks look things up in."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.ledger = history.ledger
        self.skew = max((entry.facts.get("clock_skew", 0.0) for entry in self.of_kind(Kind.STRIKE)), default=0.0)
        """By how many seconds the ledger's times may be wrong; the SMTP server's own clock is always right."""

    def of_kind(self, *kinds: Kind) -> list[Entry]:
        """The entries of these kinds, in the order of their times."""
        return [entry for entry in self._by_time if entry.kind in kinds]

    @cached_property
    def _by_time(self) -> list[Entry]:
        return sorted(self.history.entries, key=lambda entry: entry.at)

    @cached_property
    def delivered(self) -> list[Entry]:
        """The oracle's entries, oldest first."""
        return self.of_kind(Kind.DELIVERED)

    @cached_property
    def deliveries_of(self) -> dict[str, list[Entry]]:
        """The oracle's entries by Message-ID."""
        return grouped(self.delivered, "message_id")

    @cached_property
    def messages(self) -> dict[str, Row]:
        """The ledger's messages by Message-ID."""
        return {row["message_id"]: row for row in self.ledger.messages}

    @cached_property
    def attempts_of(self) -> dict[str, list[Row]]:
        """The ledger's attempts by Message-ID."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.ledger.attempts:
            found[row["message_id"]].append(row)
        return found

    @cached_property
    def enrollments(self) -> dict[str, Row]:
        """The ledger's enrollments by id."""
        return {row["id"]: row for row in self.ledger.enrollments}

    @cached_property
    def messages_of(self) -> dict[str, dict[int, Row]]:
        """The messages of each enrollment by step."""
        found: dict[str, dict[int, Row]] = defaultdict(dict)
        for row in self.ledger.messages:
            if row["enrollment"] is not None:
                found[row["enrollment"]][row["step"]] = row
        return found


def grouped(entries: Iterable[Entry], name: str) -> dict[Any, list[Entry]]:
    """Entries by one of their facts, in their order; None where they lack it."""
    found: dict[Any, list[Entry]] = defaultdict(list)
    for entry in entries:
        found[entry.facts.get(name)].append(entry)
    return found


def same_address(first: str | None, second: str | None) -> bool:
    """Whether two spellings are one address (design: Address identity)."""
    return (first or "").lower() == (second or "").lower()
