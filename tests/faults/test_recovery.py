"""How soon deliveries go on after FLUSHALL, and after an immediate restart of PostgreSQL; no process is started again.

The work of every tick is small and always the same, so what is measured is how long the installation takes to find its
way back, not how fast the machine is: the time until so many messages are delivered that were planned after the fault.
"""

import statistics
import time

import pytest

from tests.faults.conftest import StartLab
from tests.faults.lab import Lab
from tests.faults.seeding import people, seed
from tests.faults.waiting import wait_for

PERIOD = 2.0
"""PLAN_EVERY_SECONDS, as it is shipped; so are the lease and the period of reconcile."""
REALISTIC = {"PLAN_EVERY_SECONDS": "2", "LEASE_SECONDS": "60", "RECONCILE_EVERY_SECONDS": "10"}
BATCH = 6
TICKS = 2
"""How many ticks a measurement lasts when all is well."""
RESTART_SECONDS = 30.0
SECONDS = 90


@pytest.fixture
def lab(start_lab: StartLab) -> Lab:
    """A campaign of which a few messages are planned at every tick, for much longer than a test takes."""
    started = start_lab(delay_ms=0, web=False, settings={**REALISTIC, "PLAN_BATCH": str(BATCH)})
    seed(started, people(400), credentials=4)
    started.await_delivered(BATCH * 2, SECONDS)
    return started


def seconds_until_delivered(lab: Lab, known: set[str], count: int = BATCH * TICKS) -> float:
    """How long it takes until so many messages are delivered that are not `known`."""
    began = time.monotonic()

    def are_delivered() -> bool:
        return len({entry["message_id"] for entry in lab.delivered()} - known) >= count

    wait_for(f"{count} later messages are delivered", are_delivered, SECONDS, lab.report)
    return time.monotonic() - began


def planned(lab: Lab) -> set[str]:
    """The Message-IDs that there are now."""
    return {row[0] for row in lab.ask("SELECT message_id FROM dispatch_message")}


def pids(lab: Lab) -> dict[str, int | None]:
    return {name: program.pid for name, program in lab.programs.items()}


@pytest.mark.faults_long
def test_deliveries_go_on_within_one_beat_period_after_flushall(lab: Lab) -> None:
    before = pids(lab)
    usual = [seconds_until_delivered(lab, planned(lab)) for _ in range(2)]
    after = []
    for _ in range(3):
        known = planned(lab)
        lab.servers.flush_broker()
        after.append(seconds_until_delivered(lab, known))
    print(f"{BATCH * TICKS} messages take {_shown(usual)} s, and {_shown(after)} s after FLUSHALL")
    assert statistics.median(after) <= max(usual) + PERIOD, lab.report()
    assert pids(lab) == before


@pytest.mark.faults_long
def test_deliveries_go_on_within_30_seconds_after_an_immediate_restart_of_postgresql(lab: Lab) -> None:
    before = pids(lab)
    usual = seconds_until_delivered(lab, planned(lab))
    known, struck = planned(lab), time.monotonic()
    lab.servers.restart_postgres()
    up = time.monotonic()
    first = seconds_until_delivered(lab, known, 1)
    total = first + seconds_until_delivered(lab, known)
    print(f"PostgreSQL was away for {up - struck:.1f} s")
    print(f"{BATCH * TICKS} messages take {usual:.1f} s, and {total:.1f} s after a restart (the first {first:.1f} s)")
    assert first <= RESTART_SECONDS, lab.report()
    assert total <= RESTART_SECONDS + usual, lab.report()
    assert pids(lab) == before


def _shown(seconds: list[float]) -> str:
    return ", ".join(f"{number:.1f}" for number in seconds)
