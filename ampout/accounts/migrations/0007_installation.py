from django.db import migrations, models

# A dump has the same tables, but it can be restored neither into the same database of the same server, which had its
# number at birth (initdb), nor into a new one with the same number (CREATE DATABASE). Where a host keeps the server's
# number to itself, the database's alone has to do.
IDENTITY = """
CREATE FUNCTION accounts_database_identity() RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    own text := (SELECT oid::text FROM pg_catalog.pg_database WHERE datname = current_database());
BEGIN
    RETURN (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) || '/' || own;
EXCEPTION WHEN insufficient_privilege OR feature_not_supported OR undefined_function THEN
    RETURN '/' || own;
END $$
"""

# Asked also while the call of an account is answered, which may not see the row itself. PL/pgSQL keeps its plans. Only
# a superuser may give a function a setting of ours to begin with, so it puts the account aside by itself.
IS_FOREIGN = """
CREATE FUNCTION accounts_sending_is_off(installation text) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path FROM CURRENT AS $$
DECLARE
    account text := COALESCE(current_setting('ampout.account', true), '');
    is_off boolean;
BEGIN
    PERFORM set_config('ampout.account', '', true);
    is_off := EXISTS (
        SELECT FROM accounts_installation WHERE name <> installation OR database <> accounts_database_identity()
    );
    PERFORM set_config('ampout.account', account, true);
    RETURN is_off;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0006_keyed_body_digests")]

    operations = [
        migrations.RunSQL(IDENTITY, "DROP FUNCTION accounts_database_identity()"),
        migrations.CreateModel(
            name="Installation",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                (
                    "name",
                    models.CharField(
                        blank=True, help_text="AMPOUT_INSTALLATION_ID of who sends from it.", max_length=64
                    ),
                ),
                (
                    "database",
                    models.CharField(help_text="Numbers of the server and of the database in it.", max_length=64),
                ),
                ("adopted_at", models.DateTimeField()),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="one_installation")],
            },
        ),
        migrations.RunSQL(IS_FOREIGN, "DROP FUNCTION accounts_sending_is_off(text)"),
    ]
