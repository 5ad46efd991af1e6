"""`manage.py audit`: check the laws on the live database; exit 1 with the rows that break one."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ampout.lib import clock
from dispatch.services.audit import CHECKS, audit

SHOWN = 20


class Command(BaseCommand):
    """Print each law with its verdict."""

    help = "Check the laws (never twice, never lost, caps, stop facts, order) on the database; exit 1 if one is broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How many rows are shown of each broken law."""
        parser.add_argument("--rows", type=int, default=SHOWN, help="Rows shown for each broken law.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run every check and print what it found."""
        found: dict[str, list[str]] = {law: [] for law in CHECKS}
        for violation in audit(clock.utc_now()):
            found[violation.law].append(violation.row)
        for law, rows in found.items():
            self.stdout.write(f"{'broken' if rows else 'holds '}  {law}")
            for row in rows[: options["rows"]]:
                self.stdout.write(f"        {row}")
            if len(rows) > options["rows"]:
                self.stdout.write(f"        … and {len(rows) - options['rows']} more")
        broken = sum(bool(rows) for rows in found.values())
        if broken:
            raise CommandError(f"{broken} of {len(found)} checks are broken.")
        self.stdout.write(f"All {len(found)} checks hold.")
