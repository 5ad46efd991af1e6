"""Count once what left before the trigger counted it, and drop the index that it was counted from at every call."""

import importlib

from django.contrib.postgres.operations import RemoveIndexConcurrently
from django.db import migrations, models

from ampout.lib.migration_operations import AddIndexAgain

# Filled like those of enrollments.
fill_from = importlib.import_module("campaigns.migrations.0010_fill_tallies").fill_from


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("dispatch", "0014_usage_tally")]

    operations = [
        migrations.RunPython(fill_from("dispatch.migrations.0014_usage_tally"), migrations.RunPython.noop),
        RemoveIndexConcurrently(model_name="message", name="message_sent"),
        # What monitors ask for.
        AddIndexAgain(
            model_name="message",
            index=models.Index(condition=models.Q(("state", "unknown")), fields=["wire_at"], name="message_undecided"),
        ),
    ]
