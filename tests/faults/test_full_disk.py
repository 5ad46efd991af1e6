"""PostgreSQL's disk fills up under load: sending stops and says why, and goes on once there is space again."""

import http.client
import json
import time
from collections.abc import Callable

import pytest

from ampout.supervisor.ports import HOST
from tests.faults import full_disk
from tests.faults.caller import Caller
from tests.faults.conftest import StartLab
from tests.faults.lab import Lab
from tests.faults.ledger import disagreements, finish
from tests.faults.seeding import people, seed
from tests.faults.waiting import wait_for

SECONDS = 60
"""For what takes seconds on a quiet machine."""
RECOVERY_SECONDS = 5
CREDENTIALS = 4
NO_SPACE = "No space left on device"


@pytest.fixture
def lab(start_lab_on_small_disk: StartLab) -> Lab:
    """A lab whose disk can be filled, wherever a disk can be mounted."""
    if reason := full_disk.why_missing():
        pytest.skip(reason)
    return start_lab_on_small_disk(delay_ms=50, settings={"PLAN_BATCH": "8"})


def await_reason(lab: Lab) -> str:
    """Wait until the worker has said why it does not go on; its sentence."""
    wait_for("the worker says why", lambda: NO_SPACE in words(lab, "worker0"), SECONDS, lab.report)
    return next(line for line in words(lab, "worker0").splitlines() if NO_SPACE in line)


def await_standstill(lab: Lab) -> None:
    """Wait until nothing was delivered for two ticks."""
    counts: list[int] = []

    def stands_still() -> bool:
        counts.append(lab.delivered_count())
        return len(counts) > 40 and counts[-40] == counts[-1]

    wait_for("nothing is delivered any more", stands_still, SECONDS, lab.report)


def await_trouble(lab: Lab) -> list[str]:
    """Wait until the installation itself says that it does not work; its sentences."""
    found: list[str] = []

    def is_told() -> bool:
        found[:] = troubles(lab)
        return bool(found)

    wait_for("/readyz tells of trouble", is_told, SECONDS, lab.report)
    return found


def troubles(lab: Lab) -> list[str]:
    """What /readyz has to say; nothing where all is well."""
    connection = http.client.HTTPConnection(HOST, lab.web_port, timeout=20)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        shown = json.loads(answer.read())
    except (OSError, http.client.HTTPException):
        return []
    finally:
        connection.close()
    checks = shown["details"]["checks"] if answer.status == 503 else {}
    return [check["message"] for check in checks.values() if not check["ok"]]


def words(lab: Lab, name: str) -> str:
    """What a program has logged, or PostgreSQL."""
    path = lab.servers.postgres.log_path if name == "postgres" else lab.programs[name].log_path
    return path.read_text(errors="replace")


def break_down(lab: Lab) -> None:
    """Have PostgreSQL give up: without a new segment for its log it cannot go on."""
    panics = words(lab, "postgres").count("PANIC")

    def gives_up() -> bool:
        lab.want_segment()
        return words(lab, "postgres").count("PANIC") > panics

    wait_for("PostgreSQL gives up", gives_up, SECONDS, lab.report)
    # It tries to recover, and ends where it has no space for that either.
    patience = time.monotonic() + RECOVERY_SECONDS
    wait_for("it ends", lambda: lab.servers.postgres.pid is None or time.monotonic() > patience, SECONDS, lab.report)


def fill_up_under_load(lab: Lab, trouble: Callable[[Lab], object]) -> None:
    """Fill the disk while a campaign sends, until there is `trouble`; judge when all is over."""
    disk = lab.servers.disk
    assert disk is not None
    seeded = seed(lab, people(60, greylist451=10), credentials=CREDENTIALS, steps=2)
    pids = {name: program.pid for name, program in lab.programs.items()}
    with Caller(lab.web_port, seeded.key) as caller:
        lab.await_delivered(20, SECONDS)
        with disk.kept_full():
            lab.note("the disk is full")
            lab.note(await_reason(lab))
            lab.note(f"{trouble(lab)}")
        lab.note(f"there is space again; PostgreSQL {'runs' if lab.servers.postgres.pid else 'has ended'}")
        lab.servers.restore()
        caller.await_acknowledged(len(caller.acknowledged) + 1, SECONDS)
        finish(lab, SECONDS)
    found = disagreements(lab, seeded, unknown_at_most=CREDENTIALS)
    print("\n".join(lab.happened))
    assert found == [], lab.report()
    assert {name: program.pid for name, program in lab.programs.items()} == pids
    assert caller.refused
    assert set(caller.acknowledged) - {row[0] for row in lab.ask("SELECT email FROM campaigns_contact")} == set()


@pytest.mark.faults_long
def test_a_full_disk_stops_sending_and_nothing_is_doubled_or_lost(lab: Lab) -> None:
    fill_up_under_load(lab, await_standstill)


@pytest.mark.faults_long
def test_a_disk_that_stays_full_is_told_by_readyz(lab: Lab) -> None:
    fill_up_under_load(lab, await_trouble)


@pytest.mark.faults_long
def test_a_full_disk_that_brings_postgresql_down_loses_nothing(lab: Lab) -> None:
    fill_up_under_load(lab, break_down)
