"""The Celery application: it only wakes workers; the rows are the truth (design, law 6)."""

import logging
import os
import signal
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_process_init, worker_shutting_down

from ampout.lib.parent_death import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ampout.settings")

app = Celery("ampout")
app.config_from_object("ampout.schedule:CeleryConfiguration")
app.autodiscover_tasks(["ampout.accounts", "ampout.events", "dispatch"])

LOOPS = 3
"""Processes of a worker that its long-lived loops take: deliver, poll, webhooks."""


@worker_init.connect
def _check_start(sender: Any, **_facts: Any) -> None:
    """End the worker at once where it could not do its work, with a sentence that says what to change."""
    if sender.concurrency <= LOOPS:
        raise SystemExit(
            f"A worker needs at least {LOOPS + 1} processes, as {LOOPS} are taken by loops that never end; this one "
            f"has {sender.concurrency}. Start it with --concurrency 6."
        )
    from django.conf import settings  # noqa: PLC0415

    from ampout.checks import sending_off, unsafe_database_settings  # noqa: PLC0415  # needs Django's settings

    # Tests run on a throw-away server that is quick rather than safe.
    if not settings.TESTING and (problems := unsafe_database_settings()):
        raise SystemExit("\n".join(problems))
    if off := sending_off():
        logging.getLogger(__name__).error(off, extra={"action": "start"})


@worker_init.connect
def _make_stop_pipe(**_facts: Any) -> None:
    from ampout.lib import shutdown  # noqa: PLC0415  # needs Django's settings, which this module comes before

    shutdown.prepare()


@worker_shutting_down.connect
def _stop_deliver_loop(**_facts: Any) -> None:
    from ampout.lib import shutdown  # noqa: PLC0415

    shutdown.request_stop()


@worker_process_init.connect
def _die_with_parent(**_facts: Any) -> None:
    """A child whose parent was killed must not go on sending beside its successor."""
    die_with_parent(signal.SIGKILL, os.getppid())
