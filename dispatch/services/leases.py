"""Leases of deliver loops: who may claim, and until when. Time is the database's, so no worker's clock matters."""

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from dispatch.models import DeliveryWorker, Lane
from dispatch.services import clocks


def _lease() -> timedelta:
    return timedelta(seconds=settings.LEASE_SECONDS)


def start_worker(name: str) -> uuid.UUID | None:
    """Register a deliver loop under `name`; None while a live one holds that name."""
    if DeliveryWorker.objects.filter(name=name, ended_at__isnull=True).exists():
        return None
    try:
        with transaction.atomic():
            return DeliveryWorker.objects.create(name=name, started_at=Now(), lease_until=Now() + _lease()).pk
    except IntegrityError:
        return None


def renew_lease(worker_id: uuid.UUID) -> bool:
    """Extend the lease; False when it was reaped, and the loop must stop touching messages.

    Operators are told where the clock of this process is wrong.
    """
    clocks.is_right()
    return bool(DeliveryWorker.objects.filter(pk=worker_id, ended_at__isnull=True).update(lease_until=Now() + _lease()))


def end_worker(worker_id: uuid.UUID) -> None:
    """A loop that stops by itself gives up its lanes; its messages were settled or released before."""
    Lane.objects.filter(worker_id=worker_id).update(worker_id=None)
    DeliveryWorker.objects.filter(pk=worker_id, ended_at__isnull=True).update(ended_at=Now())
