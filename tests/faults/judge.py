"""`python -m tests.faults.judge DATABASE CRASH_AT NOW`: judges what came back, until the failpoint kills it."""

import sys
from datetime import datetime

import django
from django.conf import settings


def main(database: str, crash_at: str, now: str) -> None:
    """Judge once, at the time given."""
    django.setup()
    from django.db import connections  # noqa: PLC0415

    from dispatch.services import notices  # noqa: PLC0415

    connections.settings["default"]["NAME"] = database
    settings.CRASH_AT = crash_at
    notices.process_due(now=datetime.fromisoformat(now))


if __name__ == "__main__":
    main(*sys.argv[1:])
