"""Celery's edges of this app."""

import os
import socket

from celery import shared_task

from ampout.events.services import deliver_webhooks as loop_service
from ampout.events.services import event_retention, retention
from ampout.lib import database_clock
from ampout.lib.shutdown import stop_requested


@shared_task(name="events.tasks.deliver_webhooks")
def deliver_webhooks() -> None:
    """Run the webhook loop of this worker until it shuts down; returns at once where one runs already."""
    loop_service.deliver_webhooks(f"{socket.gethostname()}:{os.getppid()}", stop_requested)


@shared_task(name="events.tasks.delete_old_deliveries")
def delete_old_deliveries() -> None:
    """Delete the deliveries that are past RETENTION_DAYS."""
    if database_clock.agrees():
        retention.delete_old_deliveries()


@shared_task(name="events.tasks.delete_old_events")
def delete_old_events() -> None:
    """Delete the events that are past EVENTS_RETENTION_DAYS."""
    if database_clock.agrees():
        event_retention.delete_old_events()
