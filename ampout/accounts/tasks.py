"""Celery's edges of this app."""

from celery import shared_task

from ampout.accounts import idempotency
from ampout.lib import database_clock


@shared_task(name="accounts.tasks.erase_old_answers")
def erase_old_answers() -> None:
    """Erase the kept answers that are past their 24 hours."""
    if database_clock.agrees():
        idempotency.erase_old_answers()
