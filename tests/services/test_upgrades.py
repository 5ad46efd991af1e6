"""While an upgrade runs, workers of the release before still write rows: they know nothing of the new columns."""

from collections.abc import Iterator

import pytest
from django.db import models
from django.db.migrations import AddField, CreateModel
from django.db.migrations.loader import MigrationLoader
from django.db.models.fields import NOT_PROVIDED

APPS = ("accounts", "events", "credentials", "campaigns", "dispatch")
LAST_WITHOUT_OLD_WORKERS = {
    "accounts": "0002_idempotency_records",
    "events": "0001_initial",
    "credentials": "0001_initial",
    "campaigns": "0004_import_reasons_and_order",
    "dispatch": "0002_unknown_message_index",
}
"""Nobody had a database in use when these were made."""


def added_columns(app: str) -> Iterator[tuple[str, "models.Field[object, object]"]]:
    """The columns that later migrations add to tables which old workers write to."""
    migrations = sorted(
        (name, migration) for (label, name), migration in MigrationLoader(None).disk_migrations.items() if label == app
    )
    later = [migration for name, migration in migrations if name > LAST_WITHOUT_OLD_WORKERS[app]]
    operations = [operation for migration in later for operation in migration.operations]
    new = {operation.name_lower for operation in operations if isinstance(operation, CreateModel)}
    for operation in operations:
        if isinstance(operation, AddField) and operation.model_name_lower not in new:
            yield f"{operation.model_name}.{operation.name}", operation.field


@pytest.mark.parametrize("app", APPS)
def test_a_row_without_the_new_columns_can_be_written(app: str) -> None:
    assert [name for name, field in added_columns(app) if not field.null and field.db_default is NOT_PROVIDED] == []


def test_the_columns_are_found() -> None:
    assert "message.bounce_kind" in dict(added_columns("dispatch"))
