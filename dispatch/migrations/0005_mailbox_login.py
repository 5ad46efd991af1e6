"""The login that a mailbox's cursors are about: another login has other numbers."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dispatch", "0004_health")]

    operations = [
        migrations.AddField(
            model_name="mailbox",
            name="login",
            field=models.CharField(
                blank=True,
                db_index=True,
                default="",
                help_text="Server and user that the cursors are about.",
                max_length=600,
            ),
        ),
    ]
