"""When an endpoint was made and an event recorded, by the database's clock.

The endpoint's comes first: what waits to be fanned out now is recorded after every endpoint that there is.
"""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("events", "0006_lists_by_index")]

    operations = [
        migrations.AddField(
            model_name="webhookendpoint",
            name="since",
            field=models.DateTimeField(
                db_default=Now(),
                editable=False,
                help_text="By the database's clock: what is recorded from then on, it is told.",
            ),
        ),
        migrations.AddField(
            model_name="event",
            name="recorded_at",
            field=models.DateTimeField(
                db_default=Now(), editable=False, help_text="When it was written, by the database's clock."
            ),
        ),
    ]
