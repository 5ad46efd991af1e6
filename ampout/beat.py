"""Beat's clock, for any number of beats: one ticks, the others idle and take over within a second of its end.

Who ticks holds an advisory lock of PostgreSQL in a session of its own, which ends with its process, however that ends.
It holds it in a transaction that asks nothing but whether it is still there: so it works through poolers, and keeps no
VACUUM from its work. One that is frozen, or cut off, is ended by the server after `SILENT_SECONDS`.

Twice a tick would change nothing; this only spares the work, and lets a spare machine run a beat of its own.
"""

import logging
from typing import Any

from celery.beat import PersistentScheduler
from django.db import DatabaseError, InterfaceError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)

BEAT_LOCK = 0x414D504F_55540002
LOOK_AGAIN_SECONDS = 1.0
"""The longest sleep between two looks at the lock."""
SILENT_SECONDS = 15
"""After so long without a look the server takes the lock away."""


class SoleScheduler(PersistentScheduler):
    """Celery's own scheduler, which ticks only while this process holds the lock."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._lock = BeatLock()
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due, or nothing; returns the seconds until the next look."""
        if not self._lock.is_held():
            return LOOK_AGAIN_SECONDS
        return float(min(super().tick(*args, **kwargs), LOOK_AGAIN_SECONDS))

    def close(self) -> None:
        """Let another beat go on."""
        self._lock.let_go()
        super().close()


class BeatLock:
    """The lock, taken where it is free and kept until it is let go or lost."""

    def __init__(self) -> None:
        self._session: BaseDatabaseWrapper | None = None

    def is_held(self) -> bool:
        """Whether this process may tick. Where the database does not answer nobody may: no task could do anything."""
        try:
            return self._take() if self._session is None else _ask(self._session, "SELECT true")
        except (DatabaseError, InterfaceError) as problem:
            logger.warning("Beat has lost its session: %s", " ".join(str(problem).split()), extra={"action": "beat"})
            self.let_go()
            return False

    def let_go(self) -> None:
        """End the session, and the lock with it."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _take(self) -> bool:
        self._session = session = connections.create_connection("default")
        session.set_autocommit(False)
        # Local to the transaction, as poolers lend the session to others.
        _ask(session, f"SELECT set_config('idle_in_transaction_session_timeout', '{SILENT_SECONDS}s', true) <> ''")
        if _ask(session, f"SELECT pg_try_advisory_xact_lock({BEAT_LOCK})"):
            logger.info("This beat ticks.", extra={"action": "beat"})
            return True
        self.let_go()
        return False


def _ask(session: BaseDatabaseWrapper, query: str) -> bool:
    with session.cursor() as cursor:
        cursor.execute(query)
        return bool(cursor.fetchone()[0])
