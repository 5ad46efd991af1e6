"""A check that a refused call left the database as it was."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.apps import apps
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


def every_table() -> list[str]:
    """The tables of all models, Django's own among them."""
    return [model._meta.db_table for model in apps.get_models()]


def fingerprint(tables: Sequence[str] = TABLES) -> dict[str, str | None]:
    """A digest of all rows of each table."""
    digests = [
        f"SELECT '{table}', md5(string_agg(r::text, '|' ORDER BY r::text)) FROM \"{table}\" r" for table in tables
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(digests))
        return dict(cursor.fetchall())


@contextmanager
def nothing_changes(tables: Sequence[str] = TABLES) -> Iterator[None]:
    """What runs inside leaves every row as it was."""
    before = fingerprint(tables)
    yield
    assert fingerprint(tables) == before
