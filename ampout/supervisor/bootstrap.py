"""What has to be in the database before the programs start; a process of its own, so that the supervisor stays small.

Each part looks for what is there already, so it may run again after it was interrupted.
"""

import argparse
import os
import sys
from io import StringIO
from pathlib import Path

import django
from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from ampout.supervisor.first_start import FirstStart

OPERATOR = "operator"


def migrate() -> None:
    """Bring the tables up to date, where anything is pending."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False)


def make_operator(password: str, first_start: FirstStart) -> None:
    """An admin login, where there is none."""
    users = get_user_model().objects
    if not users.filter(is_superuser=True).exists():
        users.create_superuser(OPERATOR, password=password)
        first_start.add("Operator", f"{OPERATOR} / {password}")


def make_key(first_start: FirstStart) -> None:
    """An API key, where there has never been one."""
    if not apps.get_model("accounts", "ApiKey")._base_manager.exists():  # noqa: SLF001  # of any account
        output = StringIO()
        call_command("issue_key", label="made by make run", stdout=output)
        first_start.add("API key", output.getvalue().strip())


def main() -> int:
    """Run all parts in order; exit code 1 with one sentence when the database does not answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first_start", type=Path, help="file for what the first start has to tell")
    parser.add_argument("--sandbox-host", help="seed the demo for a sandbox there")
    parser.add_argument("--sandbox-port", type=int)
    parser.add_argument("--sandbox-imap-port", type=int)
    options = parser.parse_args()
    first_start = FirstStart(options.first_start)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ampout.settings")
    django.setup()
    try:
        migrate()
        make_operator(os.environ["AMPOUT_OPERATOR_PASSWORD"], first_start)
        make_key(first_start)
        if options.sandbox_host:
            ports = {"port": options.sandbox_port, "imap_port": options.sandbox_imap_port}
            call_command("seed_sandbox", host=options.sandbox_host, **ports)
    except OperationalError as problem:
        sys.stderr.write(f"The database does not answer: {' '.join(str(problem).split())}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
