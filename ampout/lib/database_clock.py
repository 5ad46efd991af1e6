"""Whether this process's clock is the database's, by which all processes agree (promise B4).

A worker three days ahead would plan what is due in three days, and count it on other days' caps. So nothing is claimed,
planned, polled, told or forgotten by a process whose clock differs; it goes on by itself once the clock is right.
"""

import logging
import os
import socket
import time
from datetime import datetime, timedelta
from typing import TypeVar

from django.db.models import Model, QuerySet
from django.db.models.functions import Now
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual

from ampout.lib import clock, sql

Row = TypeVar("Row", bound=Model)

logger = logging.getLogger(__name__)

TOLERANCE_SECONDS = 10
"""What clocks may differ by: ten times what NTP leaves, and too little to be seen in a cap, a delay or a lease."""
TELL_EVERY_SECONDS = 600
"""Between two log lines of a process whose clock stays wrong."""

AGREES = f"""%(clock)s::timestamptz BETWEEN statement_timestamp() - interval '{TOLERANCE_SECONDS} seconds'
          AND statement_timestamp() + interval '{TOLERANCE_SECONDS} seconds'"""
"""A condition of SQL, worked out once a statement; it takes `facts()`."""
AHEAD = "EXTRACT(epoch FROM %(clock)s::timestamptz - statement_timestamp())::float8"
"""How many seconds this process is ahead of the database; likewise."""

_told_at = float("-inf")


def facts() -> dict[str, datetime]:
    """What `AGREES` and `AHEAD` ask for: read just before the statement, as what it takes to get there counts."""
    return {"clock": clock.machine_now()}


def agreeing(rows: QuerySet[Row]) -> QuerySet[Row]:
    """These rows, or none by a wrong clock: `AGREES` for the ORM, whose `Now` is the start of the statement."""
    now, tolerance = clock.machine_now(), timedelta(seconds=TOLERANCE_SECONDS)
    return rows.filter(GreaterThanOrEqual(Now(), now - tolerance), LessThanOrEqual(Now(), now + tolerance))


def ahead() -> float:
    """By how many seconds this process is ahead of the database now, at least: a statement of its own.

    A database that is slow to answer makes nobody's clock wrong: it told its time somewhen in between.
    """
    asked_at = clock.machine_now()
    told: datetime = sql.fetch("SELECT statement_timestamp()")[0][0]
    answered_at = clock.machine_now()
    return max((asked_at - told).total_seconds(), 0) + min((answered_at - told).total_seconds(), 0)


def agrees() -> bool:
    """Whether this process's clock is the database's; for what is done seldom."""
    return judge(ahead())


def judge(seconds: float) -> bool:
    """Whether a clock that seems so many seconds ahead may be gone by; the log tells of one that may not, now and then.

    It is compared once more before that, as the statement may have been long on its way.
    """
    global _told_at  # noqa: PLW0603  # the log of this process
    if abs(seconds) > TOLERANCE_SECONDS:
        seconds = ahead()
    if abs(seconds) <= TOLERANCE_SECONDS:
        _told_at = float("-inf")
        return True
    if time.monotonic() - _told_at >= TELL_EVERY_SECONDS:
        _told_at = time.monotonic()
        logger.error(
            "The clock of %s (process %d) is %.0f s %s the database's: this process plans and sends nothing until they "
            "agree to %d s. Set the clock of this machine, or of the database's, and keep both by NTP.",
            socket.gethostname(),
            os.getpid(),
            abs(seconds),
            "ahead of" if seconds > 0 else "behind",
            TOLERANCE_SECONDS,
            extra={"action": "check_clock", "ahead_seconds": round(seconds)},
        )
    return False
