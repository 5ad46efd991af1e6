"""A check that a refused call left the database as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

TABLES = [
    "campaigns_outreach",
    "campaigns_campaign",
    "campaigns_campaigncredential",
    "campaigns_sequencestep",
    "campaigns_batch",
    "campaigns_enrollment",
    "campaigns_skipcount",
    "campaigns_contact",
    "campaigns_suppression",
    "credentials_smtpcredential",
    "dispatch_message",
    "dispatch_attempt",
    "dispatch_dailyusage",
    "events_event",
]


def fingerprint() -> dict[str, str | None]:
    """A digest of all rows of each table."""
    digests = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT md5(string_agg(r::text, '|' ORDER BY r::text)) FROM {table} r")
            digests[table] = cursor.fetchone()[0]
    return digests


@contextmanager
def nothing_changes() -> Iterator[None]:
    """What runs inside leaves every row as it was."""
    before = fingerprint()
    yield
    assert fingerprint() == before
