"""While an upgrade runs, workers of the release before still write: rows without new columns, in their own order."""

from collections.abc import Iterator

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connection, models
from django.db.migrations import AddField, AlterField, CreateModel, Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.models.fields import NOT_PROVIDED

from ampout.lib import sql
from ampout.lib.migration_operations import AddFieldAgain, AddIndexAgain, DropOwnIndex

APPS = ("accounts", "events", "credentials", "campaigns", "dispatch")
LAST_WITHOUT_OLD_WORKERS = {
    "accounts": "0002_idempotency_records",
    "events": "0001_initial",
    "credentials": "0001_initial",
    "campaigns": "0004_import_reasons_and_order",
    "dispatch": "0002_unknown_message_index",
}
"""Nobody had a database in use when these were made."""


CONSTRAINT = """
SELECT oid FROM pg_constraint
WHERE conrelid = 'campaigns_enrollment'::regclass AND contype = 'f' AND confrelid = 'campaigns_campaign'::regclass
"""
INDEXES = """
SELECT indexrelid::regclass::text FROM pg_index
WHERE indrelid = 'campaigns_enrollment'::regclass AND indisvalid
"""


def later_migrations(app: str) -> list[Migration]:
    """The migrations that run beside old workers."""
    migrations = sorted(
        (name, migration) for (label, name), migration in MigrationLoader(None).disk_migrations.items() if label == app
    )
    return [migration for name, migration in migrations if name > LAST_WITHOUT_OLD_WORKERS[app]]


def later_operations(app: str) -> list[Operation]:
    """What they do."""
    return [operation for migration in later_migrations(app) for operation in migration.operations]


def added_columns(app: str) -> Iterator[tuple[str, "models.Field[object, object]"]]:
    """The columns that later migrations add to tables which old workers write to."""
    operations = later_operations(app)
    new = {operation.name_lower for operation in operations if isinstance(operation, CreateModel)}
    for operation in operations:
        if isinstance(operation, AddField) and operation.model_name_lower not in new:
            yield f"{operation.model_name}.{operation.name}", operation.field


@pytest.mark.parametrize("app", APPS)
def test_a_row_without_the_new_columns_can_be_written(app: str) -> None:
    assert [name for name, field in added_columns(app) if not field.null and field.db_default is NOT_PROVIDED] == []


def test_the_columns_are_found() -> None:
    assert "message.bounce_kind" in dict(added_columns("dispatch"))


@pytest.mark.parametrize("app", APPS)
def test_a_migration_that_was_broken_off_can_run_again(app: str) -> None:
    indexes = [operation for operation in later_operations(app) if isinstance(operation, AddIndexConcurrently)]
    assert [index.index.name for index in indexes if not isinstance(index, AddIndexAgain)] == []


@pytest.mark.parametrize("app", APPS)
def test_no_migration_makes_a_foreign_key_anew(app: str) -> None:
    altered = [operation for operation in later_operations(app) if isinstance(operation, AlterField)]
    keys = [operation for operation in altered if isinstance(operation.field, models.ForeignKey)]
    assert [f"{key.model_name}.{key.name}" for key in keys if not isinstance(key, DropOwnIndex)] == []


def run(operation: Operation, app: str = "campaigns") -> None:
    """Run a later operation once more, on the tables as they are."""
    state = MigrationLoader(None).project_state()
    with connection.schema_editor(atomic=False) as editor:
        operation.database_forwards(app, editor, state, state)


def enrollments_indexes() -> set[str]:
    """The names of those that can be used."""
    return {name for (name,) in sql.fetch(INDEXES)}


@pytest.mark.django_db(transaction=True)
def test_an_index_that_was_broken_off_is_made_again() -> None:
    making = next(
        one
        for one in later_operations("campaigns")
        if isinstance(one, AddIndexAgain) and one.index.name == "enrollment_bounced"
    )
    sql.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'enrollment_bounced'::regclass")
    assert "enrollment_bounced" not in enrollments_indexes()
    run(making)
    assert "enrollment_bounced" in enrollments_indexes()


@pytest.mark.django_db(transaction=True)
def test_a_foreign_key_loses_its_index_and_stays_itself() -> None:
    dropping = next(
        one
        for one in later_operations("campaigns")
        if isinstance(one, DropOwnIndex) and (one.model_name, one.name) == ("enrollment", "campaign")
    )
    constraint, indexes = sql.fetch(CONSTRAINT), enrollments_indexes()
    sql.execute("CREATE INDEX enrollment_campaign_of_old ON campaigns_enrollment (campaign_id)")
    for _ in range(2):
        run(dropping)
    assert (sql.fetch(CONSTRAINT), enrollments_indexes()) == (constraint, indexes)
    assert len(constraint) == 1


def tables_locked(migration: Migration) -> set[str]:
    """The tables of before to which a migration adds columns in one transaction."""
    new = {operation.name_lower for operation in migration.operations if isinstance(operation, CreateModel)}
    added = {operation.model_name_lower for operation in migration.operations if isinstance(operation, AddField)}
    return added - new if migration.atomic else set()


@pytest.mark.parametrize("app", APPS)
def test_no_migration_holds_one_table_while_it_waits_for_another(app: str) -> None:
    locked = {migration.name: tables_locked(migration) for migration in later_migrations(app)}
    assert [name for name, tables in locked.items() if len(tables) > 1] == []


@pytest.mark.parametrize("app", APPS)
def test_a_column_whose_migration_was_broken_off_can_be_added_again(app: str) -> None:
    loose = [operation for one in later_migrations(app) if not one.atomic for operation in one.operations]
    columns = [operation for operation in loose if isinstance(operation, AddField)]
    assert [column.name for column in columns if not isinstance(column, AddFieldAgain)] == []


@pytest.mark.django_db(transaction=True)
def test_a_column_is_added_once() -> None:
    adding = next(one for one in later_operations("dispatch") if isinstance(one, AddField) and one.name == "deaths")
    sql.execute("ALTER TABLE dispatch_mailbox DROP COLUMN deaths")
    for _ in range(2):
        run(adding, "dispatch")
    assert sql.fetch("SELECT count(deaths) FROM dispatch_mailbox") == [(0,)]
