"""`manage.py replay_notices`: judge stored notices again, after a rule or a parser was mended."""

from argparse import ArgumentParser
from datetime import UTC, date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ampout.lib import clock
from dispatch.services import notices

PROGRESS_EVERY = 500


class Command(BaseCommand):
    """Judge them one by one, oldest first; what was told before is not told again."""

    help = "Judge stored mails and providers' calls again. Effects are safe to repeat: nothing happens twice."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which notices."""
        parser.add_argument("--source", default="", help="Only these: imap, or a provider's name such as postmark.")
        parser.add_argument("--since", type=date.fromisoformat, help="Only those received from this day (UTC) on.")
        parser.add_argument("--unmatched", action="store_true", help="Only those that were about nothing of ours.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Judge each; one that cannot be judged is named, and the others go on."""
        since = options["since"]
        wanted = notices.judged_before(
            source=options["source"],
            since=None if since is None else datetime(since.year, since.month, since.day, tzinfo=UTC),
            unmatched=options["unmatched"],
        )
        done = failed = 0
        for number, notice_id in enumerate(wanted, start=1):
            try:
                done += notices.judge(notice_id, now=clock.utc_now(), again=True)
            except Exception as error:  # noqa: BLE001  # one bad notice harms no other
                failed += 1
                self.stderr.write(f"{notice_id}: {type(error).__name__}: {error}")
            if number % PROGRESS_EVERY == 0:
                self.stdout.write(f"{number} notices …")
        self.stdout.write(f"{done} notices were judged again.")
        if failed:
            raise CommandError(f"{failed} notices could not be judged.")
