"""When an endpoint was made and an event recorded, by the database's clock.

The endpoint's comes first: what waits to be fanned out now is recorded after every endpoint that there is.
"""

from django.db import migrations, models
from django.db.models.functions import Now

from ampout.lib.migration_operations import AddFieldAgain


class Migration(migrations.Migration):
    # One table after the other: fanning out uses both.
    atomic = False

    dependencies = [("events", "0006_lists_by_index")]

    operations = [
        AddFieldAgain(
            model_name="webhookendpoint",
            name="since",
            field=models.DateTimeField(
                db_default=Now(),
                editable=False,
                help_text="By the database's clock: what is recorded from then on, it is told.",
            ),
        ),
        AddFieldAgain(
            model_name="event",
            name="recorded_at",
            field=models.DateTimeField(
                db_default=Now(), editable=False, help_text="When it was written, by the database's clock."
            ),
        ),
    ]
