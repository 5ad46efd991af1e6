"""Celery's configuration and the whole beat table, one sentence an entry.

Every entry expires before its next tick, so that a broker that was away never delivers a pile of old ticks.
"""

from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings


def _entry(task: str, every_seconds: float, **options: Any) -> dict[str, Any]:
    return {
        "task": task,
        "schedule": timedelta(seconds=every_seconds),
        "options": {"expires": every_seconds * 2, **options},
    }


class CeleryConfiguration:
    """What Celery reads; the names are its own."""

    broker_url = settings.CELERY_BROKER_URL
    broker_connection_retry_on_startup = True
    broker_transport_options: ClassVar[dict[str, Any]] = {"visibility_timeout": 3_600}
    result_backend = None
    task_ignore_result = True
    task_serializer = "json"
    accept_content = ("json",)
    timezone = "UTC"
    worker_prefetch_multiplier = 1
    worker_hijack_root_logger = False
    # An early acknowledgement loses a tick at most, and the next one comes within seconds.
    task_acks_late = False
    worker_cancel_long_running_tasks_on_connection_loss = False
    beat_scheduler = "ampout.beat:SoleScheduler"
    beat_schedule: ClassVar[dict[str, Any]] = {
        # Gives slots to what is due.
        "plan": _entry("dispatch.tasks.plan", settings.PLAN_EVERY_SECONDS),
        # Asks the DNS about the domains that the planner waits for.
        "look_up_mx": _entry("dispatch.tasks.look_up_mx", settings.PLAN_EVERY_SECONDS),
        # Starts the deliver loop in a worker process that has none.
        "deliver": _entry("dispatch.tasks.deliver", settings.PLAN_EVERY_SECONDS),
        # Starts the poll loop in a worker process that has none.
        "poll": _entry("dispatch.tasks.poll", settings.PLAN_EVERY_SECONDS),
        # Starts the webhook loop in a worker process that has none.
        "deliver_webhooks": _entry("events.tasks.deliver_webhooks", settings.PLAN_EVERY_SECONDS),
        # Heals what a dead worker held.
        "reconcile": _entry("dispatch.tasks.reconcile", settings.RECONCILE_EVERY_SECONDS),
        # Clears the personal fields of deleted contacts once nothing of theirs is under way.
        "clear_deleted": _entry("dispatch.tasks.clear_deleted", 60),
        # Judges what came back, and draws its consequences.
        "judge_notices": _entry("dispatch.tasks.judge_notices", settings.PLAN_EVERY_SECONDS),
        # Puts together what the triggers counted, so that a campaign is shown as fast while it sends.
        "fold_tallies": _entry("dispatch.tasks.fold_tallies", 10),
        # Adds to the counters of /metrics what was not counted yet.
        "count_facts": _entry("dispatch.tasks.count_facts", 10),
        # Writes down what was sent in months that ended a week ago; often, so that a restart of beat delays it little.
        "close_months": _entry("dispatch.tasks.close_months", 600),
        # Empties the mails and calls that are older than RETENTION_DAYS.
        "forget_old": _entry("dispatch.tasks.forget_old", 600),
        # Deletes webhook deliveries past their RETENTION_DAYS; often, so that a restart of beat delays it little.
        "delete_old_deliveries": _entry("events.tasks.delete_old_deliveries", 600),
        # Deletes events past EVENTS_RETENTION_DAYS that no webhook waits for.
        "delete_old_events": _entry("events.tasks.delete_old_events", 600),
        # Erases the kept answers of Idempotency-Keys after their 24 hours.
        "erase_old_answers": _entry("accounts.tasks.erase_old_answers", 60),
    }
