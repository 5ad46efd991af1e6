import importlib

import django.db.models.deletion
import django.db.models.manager
from django.db import migrations, models

TABLE = "dispatch_message"
TALLIES = {
    "dispatch_usagetally": (
        {
            "account_id": "account_id",
            "month": "date_trunc('month', wire_at AT TIME ZONE 'UTC')::date",
            "client_kind": "client_kind",
        },
        "state IN ('accepted', 'unknown') AND wire_at IS NOT NULL",
    )
}

# Made like those of enrollments; the same triggers go on counting what they counted before.
made = importlib.import_module("campaigns.migrations.0009_tallies")
BEFORE = importlib.import_module("dispatch.migrations.0011_tallies").TALLIES
# Until every writer of before has ended: what the old functions saw is committed when it is counted for the first time.
WITHOUT_WRITERS = f"LOCK TABLE {TABLE} IN SHARE ROW EXCLUSIVE MODE"


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0007_installation'),
        ('dispatch', '0013_watching'),
    ]

    operations = [
        migrations.CreateModel(
            name='UsageTally',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('count', models.IntegerField()),
                ('is_folded', models.BooleanField(db_default=False, default=False)),
                ('month', models.DateField(help_text='The first day of the month (UTC) in which their bodies left.')),
                ('client_kind', models.CharField(choices=[('direct', 'direct'), ('mcp', 'mcp'), ('sdk', 'sdk')], db_default='direct', default='direct', help_text='The kind of the keys that let them go.', max_length=16)),
                ('account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.account')),
            ],
            options={
                'verbose_name_plural': 'usage tallies',
                'ordering': ('id',),
                'abstract': False,
                'base_manager_name': 'everywhere',
                'default_manager_name': 'everywhere',
                'indexes': [models.Index(fields=['account', 'month'], name='usage_tally_by_month'), models.Index(condition=models.Q(('is_folded', False)), fields=['account'], name='usage_tally_to_fold')],
            },
            managers=[
                ('everywhere', django.db.models.manager.Manager()),
            ],
        ),
        migrations.RunSQL(
            [WITHOUT_WRITERS, *made.functions(TABLE, BEFORE | TALLIES)],
            [WITHOUT_WRITERS, *made.functions(TABLE, BEFORE)],
        ),
    ]
