"""The commonest calls of the API take the same time at ten thousand and at a million rows (docs: Speed)."""

import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from django.db import connection, transaction

from tests.benchmarks.calls import CALLS, READS, Call, Caller
from tests.benchmarks.explained import Tick, explainer
from tests.benchmarks.inhabited import Installation, side_by_side

pytestmark = [pytest.mark.bench, pytest.mark.django_db(transaction=True)]

SMALL, LARGE = 10_000, 1_000_000
ROUNDS = int(os.environ.get("REPEATS") or 200)
WARM_UP = 5
MOST_TIMES = 1.5
MOST_PAGES = 1_000
"""Pages of 8 kB: enough for a page of a list and what belongs to its rows; a million rows of anything have more."""


@dataclass
class Times:
    """The seconds of one call at both sizes."""

    small: list[float] = field(default_factory=list)
    large: list[float] = field(default_factory=list)

    def at(self, percent: int) -> tuple[float, float, float]:
        """Milliseconds of the small and the large one at this percentile, and their ratio."""
        small, large = (statistics.quantiles(each, n=100)[percent - 1] * 1_000 for each in (self.small, self.large))
        return small, large, large / small


@pytest.fixture(scope="module")
def installations(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[list[Installation]]:
    with django_db_blocker.unblock(), side_by_side(SMALL, LARGE) as made:  # type: ignore[attr-defined]
        yield made


def timed(call: Call, caller: Caller) -> float:
    started = time.perf_counter()
    response = call(caller)
    seconds = time.perf_counter() - started
    assert 200 <= response.status_code < 300, response.content
    return seconds


def test_a_call_takes_the_same_time_at_ten_thousand_and_at_a_million_rows(installations: list[Installation]) -> None:
    times = measure(*installations)
    show(times)
    assert {name: of.at(50)[2] for name, of in times.items() if of.at(50)[2] > MOST_TIMES} == {}


def measure(small: Installation, large: Installation) -> dict[str, Times]:
    """Every call once a round at both sizes, one right after the other, in turns of which goes first."""
    times = {name: Times() for name in CALLS}
    with small.open() as small_api, large.open() as large_api:
        callers = Caller(small_api, SMALL), Caller(large_api, LARGE)
    for turn in range(WARM_UP + ROUNDS):
        for name, call in CALLS.items():
            pairs = list(zip((times[name].small, times[name].large), (small, large), callers, strict=True))
            for noted, installation, caller in pairs if turn % 2 else reversed(pairs):
                caller.turn = turn
                with installation.open():
                    noted.append(timed(call, caller))
    for of in times.values():
        del of.small[:WARM_UP], of.large[:WARM_UP]
    return times


def show(times: dict[str, Times]) -> None:
    print(f"\n{ROUNDS} rounds, milliseconds; p50 and p99 at 10 k and 1 M rows, and the ratio")
    print(f"{'call':40} {'10 k':>8} {'1 M':>8} {'ratio':>6}   {'10 k':>8} {'1 M':>8} {'ratio':>6}")
    for name, of in times.items():
        columns = (f"{small:8.1f} {large:8.1f} {ratio:6.2f}" for small, large, ratio in (of.at(50), of.at(99)))
        print(f"{name:40} {'   '.join(columns)}")


@pytest.mark.parametrize("name", READS)
def test_every_query_touches_as_many_pages(installations: list[Installation], name: str) -> None:
    small, large = (explained(name, installation) for installation in installations)
    for (label, before), after in zip(small.costs.items(), large.costs.values(), strict=True):
        most = max(MOST_PAGES, MOST_TIMES * before.buffers)
        assert after.buffers <= most, (label, after.nodes, before.buffers, after.buffers)


def explained(name: str, installation: Installation) -> Tick:
    """What each statement of one call costs, the call having been made before."""
    tick = Tick()
    with installation.open() as api:
        caller = Caller(api, installation.rows, seed=2)
        timed(READS[name], caller)
        with transaction.atomic(), connection.execute_wrapper(explainer(tick)):
            timed(READS[name], caller)
    return tick
