"""A8: a message that kills whoever prepares it is quarantined after three deaths, and everything else is sent."""

import signal
import time
from collections import Counter
from functools import partial
from random import Random

import pytest
from pytest_django.fixtures import Settings

from campaigns.models import Campaign, Enrollment
from dispatch.models import Message
from dispatch.services.plan import plan
from dispatch.services.poison import DEATHS_TO_QUARANTINE, POISONED_TO_PAUSE
from dispatch.services.reconcile import reconcile
from tests.dispatch.conftest import Engine, message_of
from tests.faults.loops import StartLoop, let_leases_run_out, plan_until

INNOCENT = 10
KILLS = 10


def is_completed(campaign: Campaign) -> bool:
    """Whether the campaign has come to its end by itself."""
    campaign.refresh_from_db()
    return campaign.status == "completed"


def is_paused(campaign: Campaign) -> bool:
    """Whether the engine paused it."""
    campaign.refresh_from_db()
    return campaign.status == "paused"


def has_passed(moment: float) -> bool:
    """Whether this moment of the monotonic clock is over."""
    return time.monotonic() > moment


def die(start_loop: StartLoop, point: str) -> None:
    """A loop dies of the poison, and its lease runs out."""
    plan()
    loop = start_loop(CRASH_AT=point)
    plan_until(lambda: loop.has_ended)
    assert loop.wait() == -signal.SIGKILL
    let_leases_run_out()
    reconcile()


def finish(start_loop: StartLoop, campaign: Campaign, point: str) -> None:
    """A loop that would still die of the poison sends everything else."""
    loop = start_loop(CRASH_AT=point)
    plan_until(lambda: is_completed(campaign))
    loop.send_signal(signal.SIGTERM)
    assert loop.wait() == 0


@pytest.mark.parametrize("point", ["prepare=poison", "compose=poison"])
def test_a_message_that_kills_loop_and_children_is_quarantined_and_the_others_are_sent(
    engine: Engine, start_loop: StartLoop, settings: Settings, point: str
) -> None:
    settings.UNKNOWN_GRACE_SECONDS = 0
    campaign = engine.campaign(credentials=2)
    people = engine.enroll(campaign, *(f"ok+{number}" for number in range(INNOCENT)))
    [victim] = engine.enroll(campaign, "ok+poison")
    engine.release(campaign)
    die(start_loop, point)
    finish(start_loop, campaign, point)
    message = message_of(victim)
    assert (message.state, message.reason, message.deaths) == ("quarantined", "poison", DEATHS_TO_QUARANTINE)
    assert Enrollment.everywhere.get(pk=victim.pk).stop_reason == "quarantined"
    assert not engine.delivered_to("ok+poison")
    others = Counter(message_of(person).state for person in people)
    # What was on the wire when the loop died is unknown, one a connection (law 1).
    assert others["accepted"] >= INNOCENT - 2
    assert others["accepted"] + others["unknown"] == INNOCENT
    engine.assert_lawful()


def test_a_step_that_is_poison_to_everybody_pauses_its_campaign_and_the_others_are_sent(
    engine: Engine, start_loop: StartLoop, settings: Settings
) -> None:
    settings.UNKNOWN_GRACE_SECONDS = 0
    poisoned, _ = engine.released(*(f"ok+poison{number}" for number in range(6)), credentials=1)
    healthy, people = engine.released("ok+1", "ok+2", "ok+3", credentials=1)
    die(start_loop, "prepare=poison")
    finish(start_loop, healthy, "prepare=poison")
    assert is_paused(poisoned)
    assert [message_of(person).state for person in people] == ["accepted"] * 3
    assert Counter(Message.everywhere.filter(campaign=poisoned).values_list("state", flat=True)) == {
        "quarantined": POISONED_TO_PAUSE,
        "planned": 6 - POISONED_TO_PAUSE,
    }
    engine.assert_lawful()


def test_kills_by_chance_quarantine_nobody(engine: Engine, start_loop: StartLoop, settings: Settings) -> None:
    settings.UNKNOWN_GRACE_SECONDS = 0
    campaign, _ = engine.released(*(f"ok+{number}" for number in range(30)), credentials=3)
    rng = Random(20261122)
    for _ in range(KILLS):
        loop = start_loop()
        plan_until(partial(has_passed, time.monotonic() + rng.uniform(0.1, 1.5)))
        loop.kill()
        let_leases_run_out()
        reconcile()
    finish(start_loop, campaign, "nothing")
    states = Counter(Message.everywhere.values_list("state", flat=True))
    assert states.keys() <= {"accepted", "unknown"}
    assert states["unknown"] <= KILLS * 3
    engine.assert_lawful()
