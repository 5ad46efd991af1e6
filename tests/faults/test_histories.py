"""What `make faults` is about: everything at once, and the history of it judged law by law.

Two accounts, their people and operators, and the nemesis; SEED repeats a run, MINUTES says for how long.
"""

import os
import random
import time
from collections import Counter

import pytest

from tests.faults.checker import check, in_doubt, report
from tests.faults.conftest import StartLab
from tests.faults.drive import Drive
from tests.faults.history import History, Kind, Recorder
from tests.faults.nemesis import EVERYTHING, KILLS, Action, Fault
from tests.faults.tenants import running_world
from tests.peers.certificates import Certificates

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
MINUTES = float(os.environ.get("MINUTES") or 10)
ENOUGH_KILLS = 60
NOT_HERE = {Action.STEP_CLOCK, Action.FILL_DISK}
"""What needs a lab of its own; tests/faults/test_nemesis.py has them."""
FAULTS = [fault for fault in EVERYTHING if fault.action not in NOT_HERE]


def drive(
    start_lab: StartLab, certificates: Certificates, seed: int, faults: list[Fault], *, people: int, strikes: int
) -> History:
    """One run, which has to break no law; `people` are enrolled by two accounts each."""
    with running_world(certificates) as world:
        lab = start_lab(workers=2, beats=2, settings=world.settings)
        recorder = Recorder(lab.folder / "entries.jsonl")
        try:
            history = Drive(lab, world, recorder, seed, people, steps=2, verbose=True).run(strikes, faults)
        finally:
            recorder.close()
            print("\n".join(lab.happened))
        lab.stop()
    violations = check(history)
    assert violations == [], report(history, violations)
    return history


def summary(history: History) -> str:
    """What a run was, in numbers, and every message that was in doubt."""
    struck = Counter(entry.facts["action"] for entry in history.entries if entry.kind is Kind.STRIKE)
    states = Counter(row["state"] for row in history.ledger.messages)
    counts = {"enrollments": len(history.ledger.enrollments), "delivered": history.facts["delivered"]}
    doubted = in_doubt(history)
    lines = [
        f"seed {history.seed}, {history.facts['seconds']} s: {counts | {'events': len(history.ledger.events)}}",
        f"  strikes {dict(struck)}",
        f"  messages {dict(states)}",
        f"  in doubt by a strike: {len(doubted)} of at most {history.facts['in_doubt']}",
    ]
    return "\n".join([*lines, *(f"    {line}" for line in doubted)])


def test_everything_at_once_breaks_no_law(start_lab: StartLab, certificates: Certificates) -> None:
    print(summary(drive(start_lab, certificates, 20261122, [*KILLS], people=150, strikes=10)))


@pytest.mark.faults_long
def test_everything_at_once_breaks_no_law_for_long(start_lab: StartLab, certificates: Certificates) -> None:
    print(f"seed {SEED}", flush=True)
    began, kills, summaries = time.monotonic(), 0, list[str]()
    while time.monotonic() - began < MINUTES * 60 or kills < ENOUGH_KILLS:
        history = drive(start_lab, certificates, SEED + len(summaries), FAULTS, people=1_000, strikes=40)
        kills += sum(entry.facts.get("action") == Action.KILL for entry in history.entries)
        summaries.append(summary(history))
        print(f"{summaries[-1]}\n{kills} kills so far", flush=True)
    print("\n".join(["", *summaries, f"{len(summaries)} runs, {kills} kills, no law broken"]))
