"""Count once what was there before the triggers. One statement, so one snapshot: what was tallied by then is left out."""

import importlib

from django.db import migrations, models

from ampout.lib.migration_operations import AddIndexAgain

# Filled like those of enrollments.
fill_from = importlib.import_module("campaigns.migrations.0010_fill_tallies").fill_from


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("dispatch", "0011_tallies")]

    operations = [
        AddIndexAgain(
            model_name='message',
            index=models.Index(models.F('credential'), models.Case(models.When(wire_at__isnull=True, then='settled_at'), default='wire_at'), condition=models.Q(('state__in', ['accepted', 'unknown', 'refused'])), name='message_answered'),
        ),
        migrations.RunPython(fill_from("dispatch.migrations.0011_tallies"), migrations.RunPython.noop),
    ]
