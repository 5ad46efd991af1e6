"""When beat and the planner last moved: rows, so that nobody's loss but the database's makes them forgotten."""

from ampout.lib import sql

BEAT = "beat"
PLAN = "plan"

# By the database's clock, so that no worker's own matters.
_RECORD = """
INSERT INTO dispatch_tick (name, ticked_at) VALUES (%(name)s, now())
ON CONFLICT (name) DO UPDATE SET ticked_at = excluded.ticked_at
"""


def record_tick(name: str) -> None:
    """`name` moved just now."""
    sql.execute(_RECORD, {"name": name})
