"""A6, A7: a task that is delivered again and again changes nothing: no message twice, and no cap overrun."""

import json
from collections import Counter

import pytest
import redis

from tests.faults.conftest import StartLab
from tests.faults.duplicates import QUEUE, duplicate_tasks
from tests.faults.lab import Lab
from tests.faults.ledger import audit, doubles_and_losses
from tests.faults.seeding import Seeded, people, seed
from tests.faults.waiting import wait_for

SECONDS = 120
"""For what takes seconds on a quiet machine."""
BEGINS = "begins"
"""How tests/faults/impatient_broker.py says that a task begins."""
CAP, CREDENTIALS = 15, 4
AT_THE_CAP = f"""
SELECT count(*) >= {CAP * CREDENTIALS} AND bool_and(state IN ('accepted', 'refused')) FROM dispatch_message
"""


def start(start_lab: StartLab, **settings: str) -> tuple[Lab, Seeded]:
    """Two workers, and more people than the caps of a day let through."""
    lab = start_lab(workers=2, web=False, settings={"PLAN_BATCH": "10", **settings})
    return lab, seed(lab, people(CAP * CREDENTIALS * 2), credentials=CREDENTIALS, daily_limit=CAP)


def assert_nothing_was_repeated(lab: Lab, seeded: Seeded) -> None:
    lab.wait_for("every credential is at its cap", AT_THE_CAP, SECONDS)
    by_credential = Counter(entry["login"] for entry in lab.delivered())
    print("\n".join(lab.happened), by_credential)
    assert set(by_credential.values()) == {CAP}, lab.report()
    assert [*doubles_and_losses(lab, seeded), *audit(lab)] == [], lab.report()


@pytest.mark.faults_long
def test_tasks_that_are_published_five_times_at_once_change_nothing(start_lab: StartLab) -> None:
    lab, seeded = start(start_lab)
    for count in range(0, CAP * CREDENTIALS, 10):
        lab.await_delivered(count, SECONDS)
        lab.note(f"{duplicate_tasks(lab.servers.valkey)} tasks are published five times")
    assert_nothing_was_repeated(lab, seeded)


def test_what_waits_on_the_broker_is_repeated_as_well(start_lab: StartLab) -> None:
    lab = start_lab(workers=0, beats=0, web=False)
    with redis.Redis(unix_socket_path=str(lab.servers.valkey.socket_path)) as client:
        client.delete(QUEUE)
        periodic = duplicate_tasks(lab.servers.valkey)
        assert duplicate_tasks(lab.servers.valkey) == periodic * 6
        ids = Counter(json.loads(message)["headers"]["id"] for message in client.lrange(QUEUE, 0, -1))
        client.delete(QUEUE)
    assert Counter(ids.values()) == {25: periodic, 5: periodic}


@pytest.mark.faults_long
def test_an_impatient_broker_repeats_tasks_and_nothing_else_is_repeated(start_lab: StartLab) -> None:
    lab, seeded = start(start_lab, DJANGO_SETTINGS_MODULE="tests.faults.impatient_broker")
    wait_for("the broker gives a task out again", lambda: max(times_begun(lab), default=0) > 1, SECONDS, lab.report)
    assert_nothing_was_repeated(lab, seeded)
    print(f"how often tasks began: {Counter(times_begun(lab))}")


def times_begun(lab: Lab) -> list[int]:
    """How often the workers began each of their tasks."""
    logs = [lab.programs[f"worker{number}"].log_path.read_text() for number in range(lab.shape.workers)]
    lines = [line.split() for log in logs for line in log.splitlines()]
    return list(Counter(words[-1] for words in lines if BEGINS in words).values())
