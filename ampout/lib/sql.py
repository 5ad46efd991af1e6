"""SQL that Django's ORM cannot say: run on the default connection, inside whatever transaction is open."""

from collections.abc import Mapping
from typing import Any

from django.db import connection

Facts = Mapping[str, Any]
Row = tuple[Any, ...]


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
