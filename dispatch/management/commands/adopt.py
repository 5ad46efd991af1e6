"""`manage.py adopt`: let a database that was restored from a copy send."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from dispatch.services.installation import adopt


class Command(BaseCommand):
    """Make the database this installation's own, with all campaigns paused."""

    help = "Let a restored database send: make it this installation's own, with every active campaign paused."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whether anything can have been sent since the copy was made."""
        parser.add_argument(
            "--moved",
            action="store_true",
            help="The database only moved: nothing was sent since the copy was made. Campaigns stay active.",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Adopt, and tell what became of it."""
        done = adopt(moved=options["moved"])
        if not done.why:
            self.stdout.write("This database is this installation's own already: nothing to do.")
            return
        self.stdout.write(f"It was: {done.why}")
        self.stdout.write(
            f"Adopted. {done.paused} campaigns paused, {done.tests_cancelled} test messages cancelled, "
            f"{done.unknown} messages unknown. From now on this database sends."
        )
