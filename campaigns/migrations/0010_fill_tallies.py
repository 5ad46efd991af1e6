"""Count once what was there before the triggers. One statement, so one snapshot: what was tallied by then is left out."""

import importlib

from django.db import migrations, models

from ampout.lib.migration_operations import AddIndexAgain

MISSING = """
INSERT INTO {tally} ({columns}, count)
SELECT {columns}, sum(change) FROM (
    SELECT {values}, 1 FROM {table} WHERE {condition} UNION ALL SELECT {columns}, -count FROM {tally}
) AS changes ({columns}, change)
GROUP BY {columns} HAVING sum(change) <> 0
"""


def fill_from(module):
    """Fills the tallies that this migration made."""
    tallies = importlib.import_module(module)

    def fill(apps, schema_editor):
        for tally, (facts, condition) in tallies.TALLIES.items():
            statement = MISSING.format(
                tally=tally,
                table=tallies.TABLE,
                columns=", ".join(facts),
                values=", ".join(facts.values()),
                condition=condition,
            )
            schema_editor.execute(statement)

    return fill


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("campaigns", "0009_tallies")]

    operations = [
        AddIndexAgain(
            model_name='enrollment',
            index=models.Index(condition=models.Q(('next_due_at__isnull', False)), fields=['campaign', 'next_due_at'], name='enrollment_by_due'),
        ),
        migrations.RunPython(fill_from("campaigns.migrations.0009_tallies"), migrations.RunPython.noop),
    ]
