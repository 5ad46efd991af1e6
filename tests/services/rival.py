"""A second connection to the same database: races are caused with it, line by line, not waited for."""

import threading
from collections.abc import Callable
from typing import Any, Self

import psycopg
from django.db import connection, transaction

PATIENCE_SECONDS = 10


class Rival:
    """Somebody else's open transaction. Leaving the block rolls back what was not committed."""

    def __init__(self) -> None:
        facts = connection.get_connection_params()
        wanted = {name: facts[name] for name in ("dbname", "user", "password", "host", "port") if facts.get(name)}
        self._connection: psycopg.Connection[Any] = psycopg.connect(**wanted)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._connection.close()

    def run(self, statement: str, *facts: Any) -> list[Any]:
        """Run a statement inside the open transaction; its rows, if it has any."""
        cursor = self._connection.execute(statement, facts)
        return list(cursor.fetchall()) if cursor.description else []

    def commit(self) -> None:
        """Let everybody else see it."""
        self._connection.commit()


def _somebody_waits() -> bool:
    """Whether a connection to this database waits for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with connection.cursor() as cursor:
        cursor.execute(query)
        return bool(cursor.fetchone()[0])


class Waiting:
    """A call in a thread of its own, with a connection of its own, that is expected to wait for somebody's lock."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._call()
        except BaseException as error:
            self._error = error
        finally:
            connection.close()

    def until_it_waits(self) -> Self:
        """Return once a connection waits for a lock; fails when the call ended without waiting."""
        for _ in range(PATIENCE_SECONDS * 100):
            if _somebody_waits():
                return self
            assert self._thread.is_alive(), f"it did not wait for anybody: {self._error!r}"
            self._thread.join(0.01)
        raise AssertionError("it waits for nobody and does not end")

    def result(self) -> Any:
        """What the call returned; raises what it raised."""
        self._join()
        if self._error is not None:
            raise self._error
        return self._result

    def outcome(self) -> Any:
        """What the call returned, or the exception that it raised."""
        self._join()
        return self._result if self._error is None else self._error

    def _join(self) -> None:
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "it still waits"


class Held:
    """A call in a transaction of another thread, done but not committed until `commit`; a context manager."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._done = threading.Event()
        self._may_commit = threading.Event()
        self._waiting = Waiting(self._run)

    def _run(self) -> Any:
        with transaction.atomic():
            try:
                result = self._call()
            finally:
                self._done.set()
            assert self._may_commit.wait(PATIENCE_SECONDS), "nobody let it commit"
        return result

    def __enter__(self) -> Self:
        assert self._done.wait(PATIENCE_SECONDS), "it could not even begin"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.commit()

    def commit(self) -> Any:
        """Let it commit; what the call returned."""
        self._may_commit.set()
        return self._waiting.result()

    def commit_once_waited_for(self) -> Any:
        """Let it commit as soon as another connection waits for a lock; what the call returned."""
        pause = threading.Event()
        for _ in range(PATIENCE_SECONDS * 100):
            if _somebody_waits():
                return self.commit()
            pause.wait(0.01)
        raise AssertionError("nobody waited for it")
