"""When a message that failed for now is tried again, and when it is given up (promise A11; States, row 3 and 4)."""

import uuid
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from credentials.rules.smtp_words import Failure, Reply, Stage
from dispatch.gateways.smtp_session import SmtpFailure
from dispatch.rules.message_state import MessageState as S
from dispatch.services.claim import Claim
from dispatch.services.settle import Outcome
from dispatch.services.verdicts import outcome_of_failure
from tests.services.desk import Desk, fresh, message_of
from tests.strategies import NOON, Dice

LOGIN_REFUSED = SmtpFailure(Stage.AUTH, "The server refused the login.", reply=Reply(535, "5.7.8", "No"))
NO_CONNECTION = SmtpFailure(Stage.CONNECT, "Nobody listens there.", failure=Failure.REFUSED)


def claim(**facts: Any) -> Claim:
    defaults: dict[str, Any] = {
        "message_id": uuid.UUID(int=1),
        "fence": 1,
        "credential_id": uuid.UUID(int=2),
        "due_at": NOON,
        "stream": "campaign",
        "gap_seconds": 0,
        "usage_day": None,
        "attempts": 0,
        "first_attempt_at": None,
        "lane_finished_at": None,
    }
    return Claim(**(defaults | facts))


def after(failure: SmtpFailure, **facts: Any) -> Outcome:
    return outcome_of_failure(claim(**facts), failure, NOON, NOON, Dice(0.0))


def test_the_first_retry_comes_after_half_an_hour_and_each_later_one_after_twice_as_long() -> None:
    waits = [after(NO_CONNECTION, attempts=n, first_attempt_at=NOON).due_at for n in range(4)]
    assert waits == [NOON + timedelta(minutes=30 * 2**n) for n in range(4)]


def test_it_is_given_up_when_the_next_try_would_come_after_four_days() -> None:
    outcome = after(NO_CONNECTION, attempts=9, first_attempt_at=NOON - timedelta(days=3, hours=13))
    assert (outcome.state, outcome.reason, outcome.due_at) == (S.GAVE_UP, "gave_up", None)


@pytest.mark.parametrize("days", [0, 3, 30])
def test_a_refused_login_never_uses_up_a_contacts_time(days: int) -> None:
    outcome = after(LOGIN_REFUSED, attempts=days, first_attempt_at=NOON - timedelta(days=days))
    assert (outcome.state, outcome.due_at) == (S.DEFERRED, NOON + timedelta(minutes=30))


def deferred(desk: Desk, claimed: Claim, failure: SmtpFailure) -> Claim:
    """Settle a claim by this failure, and claim the message again when it is due."""
    outcome = outcome_of_failure(claimed, failure, desk.now, desk.now, Random(1))
    assert desk.settle(claimed, outcome.state, **_facts(outcome))
    due_at = message_of(claimed).due_at
    assert due_at is not None
    desk.now = due_at + timedelta(hours=2)
    [again] = desk.claim()
    assert desk.start(again)
    return again


def _facts(outcome: Outcome) -> dict[str, Any]:
    wanted = ("reason", "due_at", "stage", "reply_code", "reply_text", "blame", "hard_bounce", "suppress")
    return {name: getattr(outcome, name) for name in wanted}


def test_after_five_days_of_a_wrong_password_the_contact_has_all_its_four_days(desk: Desk) -> None:
    desk.released(1)
    desk.tick()
    [claimed] = desk.claim()
    started_at = desk.now
    while desk.now - started_at < timedelta(days=5):
        claimed = deferred(desk, claimed, LOGIN_REFUSED)
    outcome = outcome_of_failure(claimed, NO_CONNECTION, desk.now, desk.now, Dice(0.0))
    assert (outcome.state, outcome.due_at) == (S.DEFERRED, desk.now + timedelta(minutes=30))


def test_giving_up_bounces_with_the_servers_words_and_suppresses_nobody(desk: Desk) -> None:
    campaign = desk.campaign(steps=2)
    [enrolled] = desk.enroll(campaign)
    desk.release(campaign)
    desk.tick()
    [claimed] = desk.claim()
    tries = 1
    while True:
        outcome = outcome_of_failure(claimed, NO_CONNECTION, desk.now, desk.now, Random(1))
        assert desk.settle(claimed, outcome.state, **_facts(outcome))
        if outcome.state is S.GAVE_UP:
            break
        assert outcome.due_at is not None
        desk.now = outcome.due_at + timedelta(minutes=1)
        [claimed] = desk.claim()
        assert desk.start(claimed)
        tries += 1
    ended = fresh(enrolled)
    assert (ended.status, ended.stop_reason, ended.bounce_reason) == ("bounced", "gave_up", NO_CONNECTION.sentence)
    assert (message_of(claimed).state, message_of(claimed).attempts) == (S.GAVE_UP, tries)
    assert 10 <= tries <= 14
    assert desk.violations() == []


def test_the_next_step_is_never_planned_before_a_retry_has_ended(desk: Desk) -> None:
    desk.released(1, steps=2)
    desk.tick()
    [claimed] = desk.claim()
    for _ in range(4):
        claimed = deferred(desk, claimed, NO_CONNECTION)
        assert desk.tick().planned == 0
    desk.send(claimed)
    assert desk.tick().planned == 1
    assert desk.violations() == []
