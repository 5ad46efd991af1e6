"""A tick of the planner costs the same whatever is enrolled."""

from collections.abc import Iterator

import pytest

from tests.benchmarks.enrolled import DUE, build, tear_down
from tests.benchmarks.explained import Tick, explain_tick, time_tick

SMALL, LARGE = 10_000, 1_000_000


@pytest.fixture
def emptied(transactional_db: None) -> Iterator[None]:
    yield
    tear_down()


def _measure(enrollments: int) -> tuple[Tick, Tick]:
    build(enrollments)
    explained, timed = explain_tick(), time_tick()
    tear_down()
    return explained, timed


@pytest.mark.bench
def test_a_tick_costs_the_same_at_ten_thousand_and_at_a_million_enrollments(emptied: None) -> None:
    small, small_time = _measure(SMALL)
    large, large_time = _measure(LARGE)
    _print(small, large, small_time, large_time)
    assert large_time.planned == small_time.planned == DUE
    for (label, before), after in zip(small.costs.items(), large.costs.values(), strict=True):
        assert after.nodes == before.nodes, label
        assert after.buffers <= 1.5 * before.buffers + 8, label
    assert sum(cost.buffers for cost in large.costs.values()) <= 1.5 * sum(
        cost.buffers for cost in small.costs.values()
    )


def _print(small: Tick, large: Tick, small_time: Tick, large_time: Tick) -> None:
    print(f"\n{'statement':75} {'buffers 10 k':>12} {'1 M':>9} {'ms 10 k':>9} {'1 M':>9}")
    for (label, before), after in zip(small.costs.items(), large.costs.values(), strict=False):
        print(f"{label:75} {before.buffers:12} {after.buffers:9} {before.milliseconds:9.2f} {after.milliseconds:9.2f}")
    print(f"a tick that plans {large_time.planned}: {small_time.seconds:.3f} s and {large_time.seconds:.3f} s")
