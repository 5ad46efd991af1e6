"""A4, A5, A7, A9: whatever befalls the parts of an installation, no message is sent twice and none is lost."""

import os
import random
from pathlib import Path

import pytest

from tests.faults.caller import Caller
from tests.faults.conftest import StartLab
from tests.faults.history import Kind, Recorder, read_entries
from tests.faults.lab import Lab
from tests.faults.ledger import disagreements, finish
from tests.faults.nemesis import EVERYTHING, Action, Nemesis, Strike, Target, draw_strikes
from tests.faults.seeding import people, seed

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
ROUNDS = int(os.environ.get("ROUNDS") or 10)
RECOVERY_SECONDS = 90
"""From a strike to the next message, on a busy machine."""
LEASE_SECONDS = 5

FROZEN = [
    Strike(10, 0.1, Target.WORKER, LEASE_SECONDS * 1.4, 0, Action.FREEZE),
    Strike(30, 0.1, Target.BROKER, 2, 0, Action.FREEZE),
    Strike(50, 0.0, Target.BEAT, 1, 0, Action.FREEZE),
    Strike(70, 0.1, Target.BACKEND, 1, 5, Action.FREEZE),
]
DISTURBED = [
    Strike(10, 0.1, Target.BACKEND, 0, 1, Action.TERMINATE),
    Strike(25, 0.0, Target.BROKER, 0.3, 0, Action.SHUTDOWN),
    Strike(40, 0.1, Target.BROKER, 0, 0, Action.DUPLICATE),
    Strike(50, 0.1, Target.BROKER, 0, 0, Action.RESTART),
    Strike(60, 0.1, Target.POSTGRES, 0, 0, Action.RESTART),
    Strike(75, 0.1, Target.BROKER, 0.3, 0, Action.LOSE),
    Strike(90, 0.0, Target.BROKER, 0, 0, Action.FLUSH),
]


def survive(lab: Lab, strikes: list[Strike], path: Path, *, people_count: int) -> None:
    """A campaign of two steps under these strikes; what is recorded is what happened."""
    seeded = seed(lab, people(people_count, greylist451=10, **{"5xx_rcpt": 25}), steps=2)
    recorder = Recorder(path)
    nemesis = Nemesis(lab, recorder)
    with Caller(lab.web_port, seeded.key) as caller:
        nemesis.strike(strikes, RECOVERY_SECONDS)
        finish(lab, RECOVERY_SECONDS)
    recorder.close()
    found = disagreements(lab, seeded, unknown_at_most=nemesis.in_doubt)
    print("\n".join(lab.happened))
    assert found == [], lab.report()
    assert set(caller.acknowledged) - {row[0] for row in lab.ask("SELECT email FROM campaigns_contact")} == set()
    entries = read_entries(path)
    carried_out = [strike.action for strike in strikes if not nemesis.why_not(strike)]
    assert [entry.facts["action"] for entry in entries] == carried_out
    assert {entry.kind for entry in entries} == {Kind.STRIKE}
    assert sum(entry.facts["in_doubt"] for entry in entries) == nemesis.in_doubt


@pytest.mark.faults_long
@pytest.mark.parametrize("strikes", [FROZEN, DISTURBED], ids=["frozen", "disturbed"])
def test_no_message_is_lost_or_doubled_by_strikes(start_lab: StartLab, tmp_path: Path, strikes: list[Strike]) -> None:
    lab = start_lab(workers=2 if strikes is FROZEN else 1, delay_ms=50)
    survive(lab, strikes, tmp_path / "history.jsonl", people_count=60)


@pytest.mark.faults_long
@pytest.mark.parametrize("number", range(ROUNDS))
def test_no_message_is_lost_or_doubled_by_everything(
    start_lab_on_small_disk: StartLab, tmp_path: Path, number: int
) -> None:
    # So many processes are busy that a lease of five seconds might run out without being asked to.
    lab = start_lab_on_small_disk(workers=2, beats=2, clocks=True, settings={"LEASE_SECONDS": "15"})
    lab.note(f"seed {SEED + number}")
    print(f"seed {SEED + number}")
    strikes = draw_strikes(SEED + number, len(EVERYTHING) + 5, 450, EVERYTHING, lease_seconds=15)
    survive(lab, strikes, tmp_path / "history.jsonl", people_count=250)


def test_what_a_lab_does_not_have_is_left_out_with_a_word(start_lab: StartLab, tmp_path: Path) -> None:
    lab = start_lab(workers=0, beats=0, web=False)
    recorder = Recorder(tmp_path / "history.jsonl")
    impossible = [
        Strike(0, 0, Target.WORKER, 1, 0, Action.STEP_CLOCK),
        Strike(0, 0, Target.POSTGRES, 1, 0, Action.FILL_DISK),
        Strike(0, 0, Target.POOL, 1, 0),
    ]
    Nemesis(lab, recorder).strike(impossible, RECOVERY_SECONDS)
    recorder.close()
    assert [line.split("left out: ")[1].split(",")[0] for line in lab.happened] == [
        "step clock worker",
        "fill disk postgres",
        "kill pool",
    ]
    assert read_entries(recorder.path) == []
