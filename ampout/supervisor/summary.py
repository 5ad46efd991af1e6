"""What the person in front of the terminal sees: lines that stay, and one line that is drawn again and again."""

import shutil
import sys
import time
from collections.abc import Mapping

import psycopg

from ampout.lib import clock

REDRAW_SECONDS, REPEAT_SECONDS = 2.0, 30.0
"""Between two states of the live line on a terminal, and between two lines anywhere else."""
COUNT_MILLISECONDS = 1000
"""How long the database may take to count; on a very large ledger the line then goes without counts."""
COUNT_SHARE = 20
"""Of its time the database spends at most a twentieth on counting for the line."""
CLEAR = "\r\x1b[2K"


class Summary:
    """Writes to standard output; when nobody reads it any more, it goes silent."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._next = started
        self._is_terminal = sys.stdout.isatty()
        self._is_drawn = False

    def say(self, text: str) -> None:
        """A line that stays."""
        self._write(f"{CLEAR if self._is_drawn else ''}{text}\n")
        self._is_drawn = False

    def note(self, text: str) -> None:
        """A line that stays, with its time."""
        self.say(f"{clock.utc_now():%H:%M:%S} UTC  {text}")

    def is_due(self, now: float) -> bool:
        """Whether it is time for the next state of the live line."""
        return now >= self._next

    def show(self, now: float, services: Mapping[str, bool], counts: Mapping[str, int]) -> None:
        """The live line: how long, what runs, and what the ledger holds."""
        self._next = now + (REDRAW_SECONDS if self._is_terminal else REPEAT_SECONDS)
        line = f"{clock.utc_now():%H:%M:%S} UTC  {live_line(now - self._started, services, counts)}"
        if self._is_terminal:
            self._write(f"{CLEAR}{line[: shutil.get_terminal_size().columns - 1]}")
            self._is_drawn = True
        else:
            self._write(f"{line}\n")

    def _write(self, text: str) -> None:
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except OSError:
            self._next = float("inf")


def live_line(seconds: float, services: Mapping[str, bool], counts: Mapping[str, int]) -> str:
    """`up 3 min · all 6 run · messages: 120 accepted, 40 planned`."""
    down = [name for name, runs in services.items() if not runs]
    state = f"DOWN: {', '.join(down)}" if down else f"all {len(services)} run"
    messages = ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"
    return f"up {duration(seconds)} · {state} · messages: {messages}"


def duration(seconds: float) -> str:
    """`42 s`, `3 min`, `5 h 02 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


class MessageCounts:
    """The ledger's messages by state, counted again when that costs little."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._counts: dict[str, int] = {}
        self._next = 0.0

    def at(self, now: float) -> dict[str, int]:
        """The counts, as fresh as they may be."""
        if now >= self._next:
            began = time.monotonic()
            self._counts = count_messages(self._database_url)
            self._next = now + COUNT_SHARE * (time.monotonic() - began)
        return self._counts


def count_messages(database_url: str) -> dict[str, int]:
    """Messages by state, the largest number first; empty where the database doesn't say in time."""
    try:
        with psycopg.connect(
            database_url, connect_timeout=2, options=f"-c statement_timeout={COUNT_MILLISECONDS}"
        ) as link:
            rows = link.execute(
                "SELECT state, count(*) FROM dispatch_message GROUP BY state ORDER BY 2 DESC, 1"
            ).fetchall()
    except psycopg.Error:
        return {}
    return {str(state): int(count) for state, count in rows}
