"""When beat and the planner last moved: rows, so that nobody's loss but the database's makes them forgotten."""

from dataclasses import dataclass

from ampout.lib import database_clock, sql

BEAT = "beat"
PLAN = "plan"
CLOCK = "clock"
"""A process was found whose clock is not the database's."""

# By the database's clock, so that no worker's own matters.
_RECORD = """
INSERT INTO dispatch_tick (name, ticked_at) VALUES (%(name)s, now())
ON CONFLICT (name) DO UPDATE SET ticked_at = excluded.ticked_at
"""
_WAKE = f"""{_RECORD}
RETURNING {database_clock.AHEAD},
          (SELECT EXTRACT(epoch FROM now() - ticked_at)::float8 FROM dispatch_tick WHERE name = %(plan)s)
"""  # noqa: S608  # constants only


@dataclass(frozen=True, slots=True)
class Waking:
    """What a worker learns when it is woken, both in seconds.

    `clock_ahead` is what it differs from the database by. `unplanned` is how long ago the planner came to its end:
    negative where the database's clock was set back since, None where it never did.
    """

    clock_ahead: float
    unplanned: float | None


def record_tick(name: str) -> None:
    """`name` moved just now."""
    sql.execute(_RECORD, {"name": name})


def wake() -> Waking:
    """A tick of beat arrived just now."""
    return Waking(*sql.fetch(_WAKE, database_clock.facts() | {"name": BEAT, "plan": PLAN})[0])
