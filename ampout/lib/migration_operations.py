"""Operations for migrations that run while workers write, and that can be broken off and run again.

They need `atomic = False`: each is one change, or changes that do no harm when they are made once more.
"""

from typing import TYPE_CHECKING

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db.migrations import AddField, AlterField

if TYPE_CHECKING:
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor
    from django.db.migrations.state import ProjectState


class AddFieldAgain(AddField):
    """Adds a column, unless it is there: one table after the other, each locked for a moment and none while it waits.

    In one transaction the migration would hold the first table and wait for the second, which whoever uses them in the
    other order is in a deadlock with.
    """

    def database_forwards(
        self,
        app_label: str,
        schema_editor: "BaseDatabaseSchemaEditor",
        from_state: "ProjectState",
        to_state: "ProjectState",
    ) -> None:
        """Nothing happens where the column is there."""
        options = to_state.apps.get_model(app_label, self.model_name)._meta  # noqa: SLF001  # documented
        with schema_editor.connection.cursor() as cursor:
            found = schema_editor.connection.introspection.get_table_description(cursor, options.db_table)
        if options.get_field(self.name).column not in {column.name for column in found}:
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class AddIndexAgain(AddIndexConcurrently):
    """Makes an index beside its writers. One that was broken off stays behind, of no use: it is dropped first."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: "BaseDatabaseSchemaEditor",
        from_state: "ProjectState",
        to_state: "ProjectState",
    ) -> None:
        """Raises NotSupportedError in a transaction."""
        self._ensure_not_in_transaction(schema_editor)
        _drop_index(schema_editor, self.index.name)
        super().database_forwards(app_label, schema_editor, from_state, to_state)


class DropOwnIndex(AlterField):
    """Takes a foreign key's own index away (`db_index=False`), and nothing else.

    Django would drop the constraint as well and make it anew: that locks both tables, which whoever writes to them in
    the other order is in a deadlock with, and leaves a moment in which rows may lose what they point to.
    """

    def database_forwards(
        self,
        app_label: str,
        schema_editor: "BaseDatabaseSchemaEditor",
        from_state: "ProjectState",  # noqa: ARG002  # Django's signature
        to_state: "ProjectState",
    ) -> None:
        """By the database's own name of it; nothing happens where it is gone."""
        model = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        options = model._meta  # noqa: SLF001  # documented
        column = options.get_field(self.name).column
        named = {index.name for index in options.indexes}
        with schema_editor.connection.cursor() as cursor:
            found = schema_editor.connection.introspection.get_constraints(cursor, options.db_table)
        for name, facts in found.items():
            is_own = facts["index"] and not facts["unique"] and facts["columns"] == [column]
            if is_own and name not in named:
                _drop_index(schema_editor, name)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: "BaseDatabaseSchemaEditor",
        from_state: "ProjectState",
        to_state: "ProjectState",
    ) -> None:
        """As Django does it."""
        super().database_forwards(app_label, schema_editor, from_state, to_state)


def _drop_index(schema_editor: "BaseDatabaseSchemaEditor", name: str) -> None:
    schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(name)}")
