"""A5, A9: PostgreSQL or the broker goes away under load, and comes back, the broker without anything it held.

Every process finds its server again without being restarted, nothing is in doubt, and the API's word holds.
"""

import random
from collections.abc import Callable

from tests.faults.caller import Caller
from tests.faults.conftest import StartLab
from tests.faults.lab import Lab
from tests.faults.ledger import disagreements, finish
from tests.faults.seeding import people, seed

SECONDS = 60
"""For what takes seconds on a quiet machine."""


def restart_postgres(lab: Lab) -> None:
    """As `pg_ctl restart -m immediate`."""
    lab.servers.restart_postgres()


def terminate_backends(lab: Lab) -> None:
    """End two thirds of the connections, the deliver loop's among them or not."""
    backends = lab.backends()
    lab.terminate(random.Random(lab.delivered_count()).sample(backends, len(backends) * 2 // 3))


def flush_broker(lab: Lab) -> None:
    """FLUSHALL."""
    lab.servers.flush_broker()


def restart_broker_empty(lab: Lab) -> None:
    """`kill -9`, and what it had on disk is gone."""
    lab.servers.lose_broker()
    lab.servers.valkey.start()


OUTAGES: list[Callable[[Lab], None]] = [
    restart_postgres,
    flush_broker,
    terminate_backends,
    restart_broker_empty,
    restart_postgres,
]


def strike(lab: Lab, caller: Caller) -> None:
    """One outage after the other; after each, the planner plans and the API writes again."""
    for number, outage in enumerate(OUTAGES):
        lab.await_delivered(10 + number * 20, SECONDS)
        lab.note(outage.__name__)
        outage(lab)
        planned, known = lab.ask("SELECT count(*) FROM dispatch_message")[0][0], len(caller.acknowledged)
        lab.wait_for("the planner goes on", f"SELECT count(*) > {planned} FROM dispatch_message", SECONDS)
        caller.await_acknowledged(known + 1, SECONDS)


def test_outages_of_the_servers_leave_nothing_in_doubt(start_lab: StartLab) -> None:
    # No process dies and no lease runs out: whatever was on the wire is known to who sent it. Few slots are given out
    # at a time, so that every bell of the broker counts.
    lab = start_lab(delay_ms=50, settings={"LEASE_SECONDS": "60", "PLAN_BATCH": "8"})
    seeded = seed(lab, people(130, greylist451=10), credentials=4)
    pids = {name: program.pid for name, program in lab.programs.items()}
    with Caller(lab.web_port, seeded.key) as caller:
        strike(lab, caller)
        finish(lab, SECONDS)
    found = disagreements(lab, seeded, unknown_at_most=0)
    print("\n".join(lab.happened))
    assert found == [], lab.report()
    assert {name: program.pid for name, program in lab.programs.items()} == pids
    assert set(caller.acknowledged) - {row[0] for row in lab.ask("SELECT email FROM campaigns_contact")} == set()
