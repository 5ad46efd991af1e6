"""`manage.py classify [FILE…]`: what each mail is, as one JSON line a file. Without files, paths come on stdin."""

import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand

from ampout.lib import clock
from dispatch.mail_files import judge_file


class Command(BaseCommand):
    """Print a verdict for each file, in order and at once; what cannot be read is a line with an error."""

    help = "Say what each mail is (bounce, delay, feedback, auto_reply, unsubscribe, reply, machine), as JSON lines."
    requires_system_checks: list[str] = []  # noqa: RUF012  # as in Django; no database is needed

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The files, and whether what they refer to counts as ours."""
        parser.add_argument(
            "files", nargs="*", metavar="FILE", help="A file with one mail; without any: paths on stdin."
        )
        parser.add_argument(
            "--strict", action="store_true", help="No In-Reply-To or References names a message of ours."
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Judge the files one by one."""
        today = clock.utc_now().date()
        for path in options["files"] or _paths_on_stdin():
            verdict = judge_file(path, today=today, strict=options["strict"])
            self.stdout.write(json.dumps(verdict))
            self.stdout.flush()


def _paths_on_stdin() -> Iterator[str]:
    """One path a line; names need not be valid UTF-8."""
    for line in sys.stdin.buffer:
        if path := os.fsdecode(line.rstrip(b"\r\n")):
            yield path
