"""A9: PostgreSQL goes away under load; every process finds it again without being restarted, and nobody was lied to."""

import random

from tests.faults.caller import Caller
from tests.faults.conftest import StartLab
from tests.faults.lab import Lab
from tests.faults.ledger import disagreements, finish
from tests.faults.seeding import people, seed
from tests.faults.waiting import wait_for

RESTARTS = 3
BACKENDS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY pid"
)


def restart_immediately(lab: Lab) -> None:
    """As `pg_ctl restart -m immediate`."""
    lab.note("PostgreSQL is restarted, mode immediate")
    lab.servers.postgres.stop("immediate")
    lab.servers.postgres.start()


def terminate_half(lab: Lab, rng: random.Random) -> None:
    """End half of the connections, the deliver loop's among them or not."""
    backends = [row[0] for row in lab.ask(BACKENDS)]
    chosen = rng.sample(backends, max(1, len(backends) // 2))
    lab.note(f"pg_terminate_backend of {len(chosen)} in {len(backends)}")
    lab.ask("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", chosen)


def test_processes_find_postgres_again_and_nothing_is_in_doubt(start_lab: StartLab) -> None:
    # No process dies and no lease runs out: whatever was on the wire is known to who sent it.
    lab = start_lab(settings={"LEASE_SECONDS": "30"})
    seeded = seed(lab, people(120, greylist451=10))
    pids = {name: program.pid for name, program in lab.programs.items()}
    rng = random.Random(20261122)
    with Caller(lab.web_port, seeded.key) as caller:
        for number in range(RESTARTS):
            lab.await_delivered(10 + number * 30, 60)
            restart_immediately(lab)
            lab.await_delivered(25 + number * 30, 60)
            terminate_half(lab, rng)
        known = len(caller.acknowledged)
        wait_for("the API writes again", lambda: len(caller.acknowledged) > known + 3, 30, lab.report)
        finish(lab, 60)
    assert disagreements(lab, seeded, unknown_at_most=0) == [], lab.report()
    assert {name: program.pid for name, program in lab.programs.items()} == pids
    assert set(caller.acknowledged) - {row[0] for row in lab.ask("SELECT email FROM campaigns_contact")} == set()
