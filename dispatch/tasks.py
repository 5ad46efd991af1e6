"""Celery's edges: each wakes one service. The rows say what there is to do; a lost or repeated task changes nothing."""

import os
import socket

from celery import shared_task

from ampout.lib.shutdown import stop_requested
from dispatch.services import clocks, erasure, fact_counts, mx, notices, poll_loop, retention, tallies, waking
from dispatch.services import close_months as close_months_service
from dispatch.services import deliver as deliver_service
from dispatch.services import reconcile as reconcile_service


@shared_task(name="dispatch.tasks.plan")
def plan() -> None:
    """Give slots to what is due, and leave a trace of having been woken, and of having come to the end."""
    waking.tick()


@shared_task(name="dispatch.tasks.look_up_mx")
def look_up_mx() -> None:
    """Ask the DNS about the domains that the planner waits for."""
    if clocks.is_right():
        mx.look_up_wanted()


@shared_task(name="dispatch.tasks.deliver")
def deliver() -> None:
    """Run the deliver loop of this worker until it shuts down; returns at once where one runs already."""
    deliver_service.deliver(f"{socket.gethostname()}:{os.getppid()}", stop_requested)


@shared_task(name="dispatch.tasks.poll")
def poll() -> None:
    """Run the poll loop of this worker until it shuts down; returns at once where one runs already."""
    poll_loop.poll(f"{socket.gethostname()}:{os.getppid()}", stop_requested)


@shared_task(name="dispatch.tasks.reconcile")
def reconcile() -> None:
    """Heal what dead loops held, and what a clock left behind that was set back."""
    if clocks.is_right():
        clocks.cap_what_lies_ahead()
        reconcile_service.reconcile()


@shared_task(name="dispatch.tasks.clear_deleted")
def clear_deleted() -> None:
    """Clear the deleted contacts of which something was left."""
    if clocks.is_right():
        erasure.clear_late_ones()


@shared_task(name="dispatch.tasks.judge_notices")
def judge_notices() -> None:
    """Judge what came back and draw its consequences."""
    if clocks.is_right():
        notices.process_due()


@shared_task(name="dispatch.tasks.close_months")
def close_months() -> None:
    """Write down what was sent in months that are over."""
    if clocks.is_right():
        close_months_service.close_months()


@shared_task(name="dispatch.tasks.fold_tallies")
def fold_tallies() -> None:
    """Put together what the triggers counted since the last time."""
    tallies.fold_tallies()


@shared_task(name="dispatch.tasks.count_facts")
def count_facts() -> None:
    """Add to the counters what happened since the last time."""
    fact_counts.count_facts()


@shared_task(name="dispatch.tasks.forget_old")
def forget_old() -> None:
    """Empty what came back longer ago than it is kept."""
    if clocks.is_right():
        retention.forget_old()
