"""Leases of deliver loops, by the database's clock (design, States; promise A4)."""

import uuid

import pytest
from django.db.models.functions import Now

from dispatch.models import DeliveryWorker, Lane
from dispatch.services import leases, reconcile
from tests.services.desk import Desk
from tests.services.rival import Held, Waiting

pytestmark = pytest.mark.django_db


def start(name: str = "host:1") -> uuid.UUID:
    worker_id = leases.start_worker(name)
    assert worker_id is not None
    return worker_id


def expire(worker_id: uuid.UUID) -> None:
    DeliveryWorker.objects.filter(pk=worker_id).update(lease_until=Now())
    reconcile.reconcile()


def test_a_name_has_one_live_loop() -> None:
    start()
    assert leases.start_worker("host:1") is None
    assert leases.start_worker("host:2") is not None


def test_a_name_is_free_again_once_its_loop_ended() -> None:
    leases.end_worker(start())
    assert leases.start_worker("host:1") is not None


def test_a_name_is_free_again_once_its_lease_ran_out_and_was_reaped() -> None:
    expire(start())
    assert leases.start_worker("host:1") is not None


@pytest.mark.django_db(transaction=True)
def test_of_two_that_start_at_once_one_gets_the_name() -> None:
    with Held(lambda: leases.start_worker("host:1")) as first:
        second = Waiting(lambda: leases.start_worker("host:1")).until_it_waits()
        assert first.commit() is not None
        assert second.result() is None


def test_a_lease_can_be_renewed_until_it_was_reaped() -> None:
    worker_id = start()
    before = DeliveryWorker.objects.get().lease_until
    assert leases.renew_lease(worker_id)
    assert DeliveryWorker.objects.get().lease_until >= before
    expire(worker_id)
    assert not leases.renew_lease(worker_id)


def test_a_lease_that_ran_out_and_was_not_reaped_yet_can_be_renewed() -> None:
    """A slow heartbeat harms nobody while nobody else has taken over."""
    worker_id = start()
    DeliveryWorker.objects.update(lease_until=Now())
    assert leases.renew_lease(worker_id)
    assert reconcile.reconcile() == {"planned": 0, "unknown": 0}
    assert leases.renew_lease(worker_id)


@pytest.mark.parametrize("end", [leases.end_worker, expire])
def test_the_end_of_a_loop_frees_its_lanes(desk: Desk, end: object) -> None:
    desk.released(1)
    desk.tick()
    desk.claim()
    assert callable(end)
    end(desk.worker_id)
    assert Lane.objects.get().worker_id is None
