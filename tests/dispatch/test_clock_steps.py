"""Promise B4 in a running loop: a clock that is set brings no burst and no second copy, and no lane stands still."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from ampout.lib import clock
from campaigns.models import Campaign, Enrollment
from dispatch.models import DailyUsage, Message
from dispatch.services import plan
from tests.dispatch.conftest import Engine
from tests.peers.chaos_connection import ChaosOptions

STEPS = [{"days": 3}, {"hours": -6}]
GAP_SECONDS = 1.0


@pytest.fixture
def wrong(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set this machine's clock, and not the database's."""
    real_now = clock.machine_now
    monkeypatch.setattr(clock, "machine_now", lambda: real_now() + engine.ahead)

    def step(**units: float) -> None:
        engine.ahead = timedelta(**units)

    return step


def arrivals(engine: Engine) -> list[float]:
    """When each message began at the server, by a clock that is never set: the steps of these tests are whole hours."""
    began = [datetime.fromisoformat(entry["began"]).timestamp() for entry in engine.smtp.log]
    return sorted(at - 3_600 * round((at - time.time()) / 3_600) for at in began)


def released(engine: Engine, count: int) -> tuple[Campaign, list[Enrollment]]:
    people = [f"ok{number}" for number in range(count)]
    return engine.released(*people, credentials=1, min_wait_seconds=1, max_wait_seconds=1)


def assert_gaps(engine: Engine) -> None:
    apart = [after - before for before, after in pairwise(arrivals(engine))]
    assert all(seconds >= GAP_SECONDS - 0.1 for seconds in apart), apart


@pytest.mark.parametrize("step", STEPS)
def test_nothing_leaves_by_a_clock_that_is_wrong_and_all_once_it_is_right(
    engine: Engine, wrong: Callable[..., None], step: dict[str, float]
) -> None:
    released(engine, 4)
    plan.plan()
    with engine.running():
        engine.wait_until(lambda: len(engine.smtp.log) == 1)
        wrong(**step)
        time.sleep(3)  # what leaves by a wrong clock would leave now
        sent = len(engine.smtp.log)
        wrong()
        engine.wait_until(lambda: engine.is_settled(4))
    assert sent <= 2, "one may have been on the wire"
    assert_gaps(engine)
    assert {day for day, used in DailyUsage.objects.values_list("day", "used") if used} == {clock.utc_now().date()}
    latest: Any = Message.everywhere.order_by("-wire_at").values_list("wire_at", flat=True)[0]
    assert abs((clock.utc_now() - latest).total_seconds()) < 60
    engine.assert_lawful()


def test_all_clocks_set_ahead_together_bring_no_burst(engine: Engine) -> None:
    released(engine, 5)
    with engine.running():
        engine.wait_until(lambda: len(engine.smtp.log) == 2)
        engine.skip(days=3)
        engine.wait_until(lambda: engine.is_settled(5))
    assert_gaps(engine)
    used = dict(DailyUsage.objects.values_list("day", "used"))
    assert sum(used.values()) == 5
    engine.assert_lawful()


def test_all_clocks_set_back_together_keep_slots_and_send_nothing_twice(engine: Engine) -> None:
    released(engine, 5)
    with engine.running():
        engine.wait_until(lambda: len(engine.smtp.log) == 2)
        engine.skip(hours=-6)
        time.sleep(1)
        kept = len(engine.smtp.log)
        engine.skip(hours=6)
        engine.wait_until(lambda: engine.is_settled(5))
    assert kept <= 3
    assert_gaps(engine)
    engine.assert_lawful()


@pytest.fixture
def chaos() -> ChaosOptions:
    """A server that thinks for a moment, so that the clock is set while it does."""
    return ChaosOptions(delay_ms=50)


def test_a_clock_set_during_a_transaction_is_not_in_its_times(engine: Engine, wrong: Callable[..., None]) -> None:
    engine.released("late-2")
    plan.plan()
    with engine.running():
        engine.wait_until(lambda: Message.everywhere.filter(state="wire").exists())
        wrong(days=3)
        deadline = time.monotonic() + 20
        while not Message.everywhere.filter(state="accepted").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        wrong()
    [attempt] = Message.everywhere.get().attempt_rows.all()
    assert 0 <= (attempt.ended_at - attempt.started_at).total_seconds() < 20
    engine.assert_lawful()
