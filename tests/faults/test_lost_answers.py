"""Law 1, 2 and A9, made to happen often: the database does what the loop asked, and the answer is lost on its way.

A server that dies, or a connection that is cut, does so before a commit, or between the commit and its answer. Here
that befalls every fourth call of the deliver loop, drawn by a seed.
"""

import random
from typing import Any

import pytest

from ampout.lib.database_thread import DatabaseThread
from dispatch.models import Attempt, Message
from tests.dispatch.conftest import Engine

SEEDS = range(2)
PEOPLE = 40


@pytest.fixture
def lossy_database(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """One call in eight never reaches the database, and one in eight is done and not answered."""
    rng = random.Random(request.param)

    async def run(self: DatabaseThread, function: Any, *args: Any, **kwargs: Any) -> Any:
        """As the real one, without its waits."""
        while True:
            fate = rng.randrange(8)
            answer = None if fate == 0 else await self.run_once(function, *args, **kwargs)
            if 0 < fate < 7:
                return answer

    monkeypatch.setattr(DatabaseThread, "run", run)


@pytest.mark.parametrize("lossy_database", SEEDS, indirect=True)
def test_lost_answers_of_the_database_lose_no_message(engine: Engine, lossy_database: None) -> None:
    campaign = engine.campaign(credentials=4, steps=2)
    engine.enroll(campaign, *(f"ok+{number}" for number in range(PEOPLE)))
    engine.release(campaign)
    accepted = Message.everywhere.filter(state="accepted")
    engine.run_until(lambda: accepted.count() == 2 * PEOPLE)
    assert not Attempt.everywhere.filter(state="unknown").exists()
    engine.assert_lawful()
