"""Silence after the final dot, and what comes after the silence (design: law 3), end to end."""

from functools import partial

import pytest

from dispatch.gateways.smtp_session import Deadlines
from dispatch.models import Attempt, Message
from dispatch.services import lane_runner
from tests.dispatch.conftest import Engine, message_of


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The final reply is waited for a third of a second."""
    monkeypatch.setattr(lane_runner, "Deadlines", partial(Deadlines, final_reply=0.3))


def test_a_final_reply_that_comes_late_settles_the_message(engine: Engine, impatient: None) -> None:
    _, [late, other] = engine.released("late-1", "ok", credentials=1)
    with engine.running():
        engine.wait_until(lambda: engine.states().get("unknown") == 1)
        engine.wait_until(lambda: engine.states() == {"accepted": 2})
    assert message_of(late).reply_code == 250
    assert message_of(late).subject != ""
    assert message_of(other).state == "accepted"
    engine.assert_lawful()


def test_silence_stays_unknown_and_holds_up_no_other(engine: Engine, impatient: None) -> None:
    _, [silent, *_] = engine.released("hang", "ok1", "ok2", credentials=1)
    engine.run_until_settled(3)
    assert engine.states() == {"unknown": 1, "accepted": 2}
    assert (message_of(silent).reason, message_of(silent).place[0].status) == ("no_final_reply", "sent")
    for _ in range(3):
        engine.skip(hours=30)
        engine.run_until(lambda: True)
    assert Attempt.everywhere.filter(message=message_of(silent)).count() == 1
    assert len(engine.delivered_to("hang")) == 1
    engine.assert_lawful()


def test_the_next_step_goes_when_the_grace_period_is_over(engine: Engine) -> None:
    _, [enrolled] = engine.released("drop-after-dot", credentials=1, steps=2)
    engine.run_until_settled(1)
    engine.skip(hours=71)
    engine.run_until(lambda: True)
    assert Message.everywhere.count() == 1
    engine.skip(hours=2)
    engine.run_until_settled(2)
    assert message_of(enrolled, 2).state == "unknown"
    assert [entry["answer"] for entry in engine.smtp.log] == ["none", "none"]
    engine.assert_lawful()
