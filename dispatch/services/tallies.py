"""Tallies of enrollments and messages, as the triggers keep them: put together, held to the rows, and mended.

The triggers (in the migrations named `tallies`) add rows and change none, so whoever writes enrollments or messages
waits for nobody here. What a statement read in one snapshot adds up to what it would have counted (decision 0007).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.db import transaction

from ampout.lib import sql

FOLDED_AT_ONCE = 100
"""Campaigns, or accounts: so many a transaction."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a table of tallies counts: SQL for each of its columns, of the rows of another table that fit.

    Of its `owner`, a column, all rows are folded at once.
    """

    table: str
    condition: str
    columns: Mapping[str, str]
    owner: str = "campaign_id"


_STANDING = (
    "CASE WHEN stopped_at IS NOT NULL THEN 'stopped' WHEN finished_at IS NOT NULL THEN 'finished' ELSE 'open' END"
)
_BOUNCED = (
    "state = 'refused' AND reason = 'address_refused' "
    "OR bounce_kind = 'hard' AND state IN ('accepted', 'unknown', 'refused')"
)


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        "campaigns_enrollmenttally": Source(
            "campaigns_enrollment",
            "true",
            _same("campaign_id", "batch_number", "status")
            | {
                f"was_{fact}": f"{fact}_at IS NOT NULL"
                for fact in ("sent", "opened", "replied", "bounced", "unsubscribed")
            }
            | _same("next_position", "steps_due")
            | {"standing": _STANDING}
            | _same("stop_reason"),
        ),
        "campaigns_duetally": Source(
            "campaigns_enrollment",
            "next_due_at IS NOT NULL AND stopped_at IS NULL AND finished_at IS NULL",
            _same("campaign_id", "wait_reason", "next_position")
            | {"due_hour": "date_trunc('hour', next_due_at, 'UTC')"},
        ),
        "dispatch_messagetally": Source(
            "dispatch_message",
            "stream = 'campaign' AND campaign_id IS NOT NULL "
            "AND state IN ('accepted', 'refused', 'gave_up', 'quarantined', 'unknown')",
            _same("campaign_id", "credential_id", "state") | {"is_bounced": _BOUNCED},
        ),
        "dispatch_usagetally": Source(
            "dispatch_message",
            "state IN ('accepted', 'unknown') AND wire_at IS NOT NULL",
            _same("account_id", "client_kind") | {"month": "date_trunc('month', wire_at AT TIME ZONE 'UTC')::date"},
            owner="account_id",
        ),
    }
)

# Not before a tenth is new: where there are many batches, and so many rows, writing them all anew is worth it seldom.
_TO_FOLD = """
SELECT {owner} FROM (
    SELECT {owner}, count(*) AS added FROM {tally} WHERE NOT is_folded GROUP BY {owner}
) AS recent
WHERE added * 10 > (SELECT count(*) FROM {tally} WHERE {tally}.{owner} = recent.{owner})
"""
# Two that fold at once each take other rows; who reads meanwhile sees the rows of before, or those of after.
_FOLD = """
WITH gone AS (
    DELETE FROM {tally} WHERE id IN (
        SELECT id FROM {tally} WHERE {owner} = ANY(%(owners)s) FOR UPDATE SKIP LOCKED
    ) RETURNING *
)
INSERT INTO {tally} ({columns}, count, is_folded)
SELECT {columns}, sum(count), true FROM gone GROUP BY {columns} HAVING sum(count) <> 0
"""
# One statement, and so one snapshot of both tables.
_DIFFERENCES = """
SELECT {columns}, sum(change) FROM (
    SELECT {values}, 1 FROM {table} WHERE {condition} UNION ALL SELECT {columns}, -count FROM {tally}
) AS changes ({columns}, change)
GROUP BY {columns} HAVING sum(change) <> 0
"""


def fold_tallies() -> int:
    """Put the rows that were added since the last time together with the others; returns of how many owners."""
    return sum(_fold(tally) for tally in SOURCES)


def _fold(tally: str) -> int:
    found = [row[0] for row in sql.fetch(_said(_TO_FOLD, tally))]
    for start in range(0, len(found), FOLDED_AT_ONCE):
        with transaction.atomic():
            sql.execute(_said(_FOLD, tally), {"owners": found[start : start + FOLDED_AT_ONCE]})
    return len(found)


def differences() -> Iterator[str]:
    """A line for each number that is not what the rows say, with how many are missing."""
    for tally, source in SOURCES.items():
        for *values, missing in sql.fetch(_said(_DIFFERENCES, tally)):
            facts = " ".join(f"{name}={value}" for name, value in zip(source.columns, values, strict=True))
            yield f"{tally} {facts} missing={missing}"


@transaction.atomic
def mend_tallies() -> int:
    """Add what is missing, by which every number is what the rows say; returns how many were not."""
    return sum(
        sql.execute(f"INSERT INTO {tally} ({', '.join(source.columns)}, count) {_said(_DIFFERENCES, tally)}")
        for tally, source in SOURCES.items()
    )


def _said(template: str, tally: str) -> str:
    source = SOURCES[tally]
    return template.format(
        tally=tally,
        owner=source.owner,
        table=source.table,
        condition=source.condition,
        columns=", ".join(source.columns),
        values=", ".join(source.columns.values()),
    )
