"""SQL that Django's ORM cannot say: run on the default connection, inside whatever transaction is open."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

Facts = Mapping[str, Any]
Row = tuple[Any, ...]


def keep_plans_steady() -> None:
    """Have the open transaction read by indexes alone, row by row, as it does once the tables are large.

    For statements whose partial indexes were made for them: without this PostgreSQL takes other plans while a table is
    small, and changes them at some size that nobody tested (measured in tests/benchmarks/test_planner.py).
    """
    execute("SET LOCAL enable_seqscan = off")
    execute("SET LOCAL enable_bitmapscan = off")


@contextmanager
def snapshot() -> Iterator[None]:
    """Let all that is read inside be of one moment, and write nothing; within a transaction, that one's rules hold."""
    begun = connection.in_atomic_block
    with transaction.atomic():
        if not begun:
            execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def fetch(query: str, facts: Facts | None = None) -> list[Row]:
    """All rows of a query whose parameters are named."""
    with connection.cursor() as cursor:
        cursor.execute(query, facts)
        return list(cursor.fetchall())


def execute(query: str, facts: Facts | None = None) -> int:
    """Run a statement whose parameters are named; returns how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(query, facts)
        return int(cursor.rowcount)
