"""`manage.py rotate_keys`: encrypt every stored secret anew by the newest key of FIELD_KEYS.

To rotate: put a new key first in FIELD_KEYS, restart every process, run this, then take the old key out.
"""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, models

from ampout.lib import crypto, sql
from ampout.lib.fields import EncryptedTextField

BATCH = 500


class Command(BaseCommand):
    """Rotate row by row; safe while everything runs, and safe to repeat."""

    help = "Encrypt every stored secret anew by the newest key of FIELD_KEYS. Nothing changes where a key is missing."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Check that every secret can be read, then rotate; prints a line a column."""
        columns = list(_encrypted_columns())
        try:
            for model, field in columns:
                self.stdout.write(f"{model._meta.label}.{field.name}: {_rotate_column(model, field)} rotated")  # noqa: SLF001
        except crypto.DecryptionFailed as error:
            raise CommandError(str(error)) from error


def _encrypted_columns() -> Iterator[tuple[type[models.Model], EncryptedTextField]]:
    for model in apps.get_models():
        for field in model._meta.concrete_fields:  # noqa: SLF001  # Django's public introspection
            if isinstance(field, EncryptedTextField):
                yield model, field


def _rotate_column(model: type[models.Model], field: EncryptedTextField) -> int:
    """Rotate one column; a row that is written meanwhile keeps what was written, which is by the newest key."""
    quote = connection.ops.quote_name
    table, column = quote(model._meta.db_table), quote(str(field.column))  # noqa: SLF001
    key = quote(str(model._meta.pk.column))  # noqa: SLF001
    # The names come from Django's own model registry.
    page = (
        f"SELECT {key}, {column} FROM {table} WHERE {column} <> '' AND {key} > %(after)s ORDER BY {key} LIMIT {BATCH}"  # noqa: S608
    )
    first = page.replace(f" AND {key} > %(after)s", "")
    change = f"UPDATE {table} SET {column} = %(new)s WHERE {key} = %(id)s AND {column} = %(old)s"  # noqa: S608
    rows, rotated = sql.fetch(first), 0
    while rows:
        for row_id, token in rows:
            rotated += sql.execute(change, {"id": row_id, "old": token, "new": crypto.rotate(token)})
        rows = sql.fetch(page, {"after": rows[-1][0]})
    return rotated
