"""Count once what was there before the triggers. One statement, so one snapshot: what was tallied by then is left out."""

import importlib

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

MISSING = """
INSERT INTO {tally} ({columns}, count)
SELECT {columns}, sum(change) FROM (
    SELECT {values}, 1 FROM {table} WHERE {condition} UNION ALL SELECT {columns}, -count FROM {tally}
) AS changes ({columns}, change)
GROUP BY {columns} HAVING sum(change) <> 0
"""


def fill(apps, schema_editor):
    tallies = importlib.import_module("dispatch.migrations.0011_tallies")
    for tally, (facts, condition) in tallies.TALLIES.items():
        statement = MISSING.format(
            tally=tally,
            table=tallies.TABLE,
            columns=", ".join(facts),
            values=", ".join(facts.values()),
            condition=condition,
        )
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("dispatch", "0011_tallies")]

    operations = [
        AddIndexConcurrently(
            model_name='message',
            index=models.Index(models.F('credential'), models.Case(models.When(wire_at__isnull=True, then='settled_at'), default='wire_at'), condition=models.Q(('state__in', ['accepted', 'unknown', 'refused'])), name='message_answered'),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
