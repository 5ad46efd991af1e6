"""The lists of a status and of a batch know the other one, too: both together are found within an index."""

from django.contrib.postgres.operations import RemoveIndexConcurrently
from django.db import migrations, models

from ampout.lib.migration_operations import AddIndexAgain


class Migration(migrations.Migration):
    # Indexes are made while the others write.
    atomic = False

    dependencies = [("campaigns", "0010_fill_tallies")]

    operations = [
        AddIndexAgain(
            model_name='enrollment',
            index=models.Index(fields=['campaign', 'status', '-enrolled_at', 'id', 'batch_number'], name='enrollment_status_batch'),
        ),
        AddIndexAgain(
            model_name='enrollment',
            index=models.Index(fields=['campaign', 'batch_number', '-enrolled_at', 'id', 'status'], name='enrollment_batch_status'),
        ),
        RemoveIndexConcurrently(model_name='enrollment', name='enrollment_of_status'),
        RemoveIndexConcurrently(model_name='enrollment', name='enrollment_of_batch'),
    ]
