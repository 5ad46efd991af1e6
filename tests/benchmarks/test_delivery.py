"""How fast one deliver loop is, and how many conversations it holds."""

import threading
import time

import pytest
from django.db import connection

from dispatch.models import Message
from dispatch.services import deliver, plan
from tests.dispatch.conftest import Engine, certificates, chaos, engine

__all__ = ["certificates", "chaos", "engine"]


def _deliver(stopping: threading.Event) -> None:
    try:
        deliver.deliver("bench loop", stopping.is_set)
    finally:
        connection.close()


def _run(seconds: float, done: int) -> float:
    """Seconds from the first to the last message accepted."""
    stopping = threading.Event()
    worker = threading.Thread(target=_deliver, args=[stopping])
    started = time.monotonic()
    worker.start()
    try:
        while Message.everywhere.filter(state="accepted").count() < done:
            assert time.monotonic() < started + seconds, "too slow"
            plan.plan()
            stopping.wait(0.1)
    finally:
        stopping.set()
        worker.join(60)
    first, last = Message.everywhere.order_by("settled_at").values_list("settled_at", flat=True)[:: done - 1]
    return float((last - first).total_seconds())


@pytest.mark.bench
def test_messages_a_second_of_one_loop(engine: Engine) -> None:
    count = 2_000
    campaign = engine.campaign(credentials=40)
    engine.enroll(campaign, *(f"ok{number}" for number in range(count)))
    engine.release(campaign)
    seconds = _run(120, count)
    print(f"\none loop, 40 credentials: {count / seconds:.0f} messages a second")
    engine.assert_lawful()
