"""Counters of what happened, which only grow: append-only tables, counted bit by bit, off every hot path.

A row may be committed after others with higher numbers. So each round works on what the one before saw:

1. The mark of a table says up to which number it was counted, up to which it was seen by the last round, and which
   transactions had begun then. One round at a time holds the mark.
2. Once these transactions have ended, no row up to the number that was seen can still come: those rows are counted.
3. Then the mark is set to what is seen now, for the next round.

Whoever reads is therefore up to two rounds behind. A transaction that lasts longer than PATIENCE is not waited for; its
rows may be missing then, as may one whose process is halted between drawing its number and writing its row.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from django.db import transaction

from ampout.lib import sql

# the only thing put into a query is another constant of this module

PATIENCE = timedelta(minutes=5)

_SOURCES: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "attempts": (
            "dispatch_attempt",
            "id",
            "SELECT state AS label FROM dispatch_attempt WHERE NOT is_evidence AND {range}",
        ),
        "events": ("events_event", "sequence", "SELECT type AS label FROM events_event WHERE {range}"),
        "webhook_calls": (
            "events_webhookattempt",
            "id",
            """SELECT CASE WHEN error = '' THEN 'delivered' ELSE 'failed' END AS label
               FROM events_webhookattempt WHERE {range}""",
        ),
    }
)
"""Table, its growing number, and the label of each of its rows."""
SOURCES = tuple(_SOURCES)

_ADD_MARK = """
INSERT INTO dispatch_countmark (source, counted_id, seen_id, seen_transaction, seen_at)
VALUES (%(source)s, 0, 0, 0, now()) ON CONFLICT (source) DO NOTHING
"""
_HOLD_MARK = """
SELECT counted_id, seen_id,
       seen_transaction <= pg_snapshot_xmin(pg_current_snapshot())::text::bigint OR seen_at < now() - %(patience)s
FROM dispatch_countmark WHERE source = %(source)s FOR UPDATE SKIP LOCKED
"""
_COUNT = """
INSERT INTO dispatch_factcount (source, label, count)
SELECT %(source)s, label, count(*) FROM ({rows}) AS fresh GROUP BY label
ON CONFLICT (source, label) DO UPDATE SET count = dispatch_factcount.count + excluded.count
"""
_RANGE = "{number} > %(counted)s AND {number} <= %(seen)s"
# One statement, so that both are of one snapshot.
_MOVE_MARK = """
UPDATE dispatch_countmark
SET counted_id = %(seen)s, seen_id = COALESCE((SELECT max({number}) FROM {table}), 0),
    seen_transaction = pg_snapshot_xmax(pg_current_snapshot())::text::bigint, seen_at = now()
WHERE source = %(source)s
"""


def count_facts() -> None:
    """Add to the counters what the last round saw."""
    for source in _SOURCES:
        _count(source)


@transaction.atomic
def _count(source: str) -> None:
    table, number, labels = _SOURCES[source]
    facts = {"source": source, "patience": PATIENCE}
    sql.execute(_ADD_MARK, facts)
    for counted, seen, is_settled in sql.fetch(_HOLD_MARK, facts):
        if is_settled:
            within = labels.format(range=_RANGE.format(number=number))
            sql.execute(_COUNT.format(rows=within), facts | {"counted": counted, "seen": max(counted, seen)})
            sql.execute(_MOVE_MARK.format(number=number, table=table), facts | {"seen": max(counted, seen)})
