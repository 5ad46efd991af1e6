"""`kill -9` of worker, beat, web, PostgreSQL and broker at random points of a campaign (promises A1, A2, A5, A9).

Ten of them, with more around, are in tests/faults/test_histories.py.
"""

import os
import random

import pytest

from tests.faults.caller import Caller
from tests.faults.conftest import StartLab
from tests.faults.ledger import disagreements, finish
from tests.faults.nemesis import Nemesis, draw_strikes
from tests.faults.seeding import people, seed

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(1_000_000))
ROUNDS = int(os.environ.get("ROUNDS") or 10)
RECOVERY_SECONDS = 60
"""From a kill to the next message: restarts, the lease, a tick of reconcile and of the planner, on a busy machine."""


def survive_kills(start_lab: StartLab, seed_of_round: int, *, people_count: int, kills: int) -> None:
    """A campaign of two steps under so many kills; half of the messages that are sent are follow-ups."""
    lab = start_lab()
    seeded = seed(lab, people(people_count, greylist451=10, **{"5xx_rcpt": 25}), steps=2)
    nemesis = Nemesis(lab)
    lab.note(f"seed {seed_of_round}")
    print(f"seed {seed_of_round}")
    with Caller(lab.web_port, seeded.key) as caller:
        nemesis.strike(draw_strikes(seed_of_round, kills, people_count * 2 * 9 // 10), RECOVERY_SECONDS)
        finish(lab, RECOVERY_SECONDS)
    found = disagreements(lab, seeded, unknown_at_most=nemesis.in_doubt)
    print("\n".join(lab.happened))
    assert found == [], lab.report()
    assert caller.acknowledged
    kept = {row[0] for row in lab.ask("SELECT email FROM campaigns_contact")}
    assert set(caller.acknowledged) - kept == set()


@pytest.mark.faults_long
@pytest.mark.parametrize("number", range(ROUNDS))
def test_no_message_is_lost_or_doubled_by_kills_round_after_round(start_lab: StartLab, number: int) -> None:
    survive_kills(start_lab, SEED + number, people_count=250, kills=12)
