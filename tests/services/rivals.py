"""Races caused on purpose: a rival thread holds its transaction open until somebody waits for it."""

import threading
from collections.abc import Callable
from typing import Any, Self

from django.db import connection, transaction

SECONDS = 20

_WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
"""


class Rival:
    """Runs `act` in a transaction of its own thread; `commit` once `until_waited_for` has seen who waits for it."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act
        self._acted, self._may_commit = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._acted.wait(SECONDS), "the rival never acted"
        return self

    def __exit__(self, *exc: object) -> None:
        self._may_commit.set()
        self._thread.join(SECONDS)

    def _run(self) -> None:
        try:
            with transaction.atomic():
                self._act()
                self._acted.set()
                self._may_commit.wait(SECONDS)
        finally:
            connection.close()

    def commit_once_waited_for(self) -> None:
        """Let the rival commit as soon as another connection waits for a lock."""
        pause = threading.Event()
        for _ in range(SECONDS * 100):
            with connection.cursor() as cursor:
                cursor.execute(_WAITING)
                if cursor.fetchone()[0]:
                    break
            pause.wait(0.01)
        else:
            raise AssertionError("nobody waited for the rival")
        self._may_commit.set()


class Late:
    """Runs `act` in another thread, so that it may wait for a rival; `result` joins it."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act
        self._outcome: Any = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome = self._act()
        except Exception as error:
            self._outcome = error
        finally:
            connection.close()

    def result(self) -> Any:
        """What it returned, or the exception that it raised."""
        self._thread.join(SECONDS)
        assert not self._thread.is_alive(), "it never came back"
        return self._outcome
