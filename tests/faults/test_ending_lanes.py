"""A lane that ends because nothing came for a while: what is claimed for it meanwhile is not lost with it."""

import pytest
from pytest_django.fixtures import Settings

from dispatch.models import Message
from tests import factories
from tests.dispatch.conftest import Engine
from tests.peers.chaos_behaviours import Action, Kind
from tests.peers.chaos_connection import ChaosOptions


@pytest.fixture
def chaos() -> ChaosOptions:
    """A server that takes its time over QUIT."""
    return ChaosOptions(script={"quit": Action(Kind.ANSWER, b"221 2.0.0 Bye\r\n", seconds=2.0)})


def test_a_message_claimed_while_its_lane_ends_is_sent(engine: Engine, settings: Settings) -> None:
    settings.KEEP_CONNECTION_SECONDS = 0
    mailbox = engine.credential()
    campaigns = [
        factories.make_campaign(engine.account, credentials=[mailbox], min_wait_seconds=0, max_wait_seconds=0)
        for _ in range(2)
    ]
    waiting = [(campaign, f"ok+{number}") for number, campaign in enumerate(campaigns)]

    def both_sent() -> bool:
        """The second message comes when the lane of the first says goodbye."""
        if waiting and engine.smtp.count("quit") == 2 - len(waiting):
            campaign, name = waiting.pop(0)
            engine.enroll(campaign, name)
            engine.release(campaign)
        return Message.everywhere.filter(state="accepted").count() == 2

    engine.run_until(both_sent)
    engine.assert_lawful()
