"""A5 and A1: the broker only rings bells; losing it, or all it holds, loses no message and doubles none."""

import shutil

import redis

from tests.faults.conftest import StartLab
from tests.faults.lab import Lab
from tests.faults.ledger import disagreements, finish
from tests.faults.seeding import people, seed

BEAT_SECONDS = 1
RECOVERY_SECONDS = 15
"""For one tick of beat after the broker is back: its own reconnection and a busy machine included."""


def flush(lab: Lab) -> None:
    lab.note("FLUSHALL")
    with redis.Redis(unix_socket_path=str(lab.servers.valkey.socket_path)) as client:
        client.flushall()


def kill_without_memory(lab: Lab) -> None:
    """The broker is killed, and what it had on disk is gone."""
    lab.note("kill -9 valkey, restarted empty")
    lab.servers.valkey.kill9()
    shutil.rmtree(lab.servers.valkey.data_dir)
    lab.servers.valkey.start()


def await_plans(lab: Lab) -> None:
    """Until the planner has planned something again."""
    planned = lab.ask("SELECT count(*) FROM dispatch_message")[0][0]
    lab.wait_for("the planner goes on", f"SELECT count(*) > {planned} FROM dispatch_message", RECOVERY_SECONDS)


def test_losing_the_broker_and_all_it_holds_loses_no_message(start_lab: StartLab) -> None:
    # So few slots ahead that every tick of the planner counts.
    lab = start_lab(web=False, delay_ms=100, settings={"PLAN_EVERY_SECONDS": str(BEAT_SECONDS), "PLAN_BATCH": "10"})
    seeded = seed(lab, people(200), credentials=4)
    pids = {name: program.pid for name, program in lab.programs.items()}
    for number, outage in enumerate([flush, kill_without_memory, flush, kill_without_memory]):
        lab.await_delivered(10 + number * 30, 60)
        outage(lab)
        await_plans(lab)
    finish(lab, 90)
    assert disagreements(lab, seeded, unknown_at_most=0) == [], lab.report()
    assert {name: program.pid for name, program in lab.programs.items()} == pids
