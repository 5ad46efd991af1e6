"""Pauses during a run: once one commits, nothing leaves; nothing is skipped, repeated or hurried (promise A16)."""

import time
from collections import Counter
from itertools import pairwise
from random import Random
from typing import Any

from campaigns.models import Campaign
from dispatch.models import Message
from dispatch.services import lifecycle
from dispatch.services.lifecycle import CampaignActionRefused
from tests.dispatch.conftest import Engine, message_of

PAUSES = 200


def completed(campaign: Campaign) -> bool:
    campaign.refresh_from_db()
    return campaign.status == "completed"


def wires() -> int:
    """How many messages have a committed `wire`."""
    return Message.everywhere.filter(wire_at__isnull=False).count()


def test_two_hundred_pauses_skip_and_repeat_nothing(engine: Engine) -> None:
    people = [f"ok{number}" for number in range(30)]
    campaign, _ = engine.released(*people, credentials=2, steps=3)
    rng, quiet = Random(7), list[bool]()
    with engine.running(), engine.planning():
        for _ in range(PAUSES):
            time.sleep(rng.choice([0.0, 0.005, 0.01]))
            try:
                lifecycle.pause_campaign(engine.account, campaign.pk)
            except CampaignActionRefused:
                break
            committed = wires()
            time.sleep(rng.choice([0.0, 0.005]))
            quiet.append(wires() == committed)
            lifecycle.resume_campaign(engine.account, campaign.pk)
        engine.wait_until(lambda: completed(campaign))
    assert quiet == [True] * PAUSES
    assert Counter(entry["recipient"] for entry in engine.smtp.log) == {f"{one}@chaos.example": 3 for one in people}
    engine.assert_lawful()


def test_a_resumed_campaign_keeps_its_gaps(engine: Engine) -> None:
    """What a pause held back leaves one by one, not at once."""
    campaign, enrolled = engine.released("ok1", "ok2", "ok3", credentials=1, min_wait_seconds=1, max_wait_seconds=1)
    with engine.running():
        engine.wait_until(lambda: len(engine.smtp.log) == 1)
        lifecycle.pause_campaign(engine.account, campaign.pk)
        with engine.planning():
            time.sleep(1.5)
        assert len(engine.smtp.log) == 1
        lifecycle.resume_campaign(engine.account, campaign.pk)
        engine.wait_until(lambda: engine.is_settled(3))
    attempts: list[Any] = [message_of(one).attempt_rows.values_list("started_at", "ended_at").get() for one in enrolled]
    times = sorted(attempts)
    assert all((after[0] - before[1]).total_seconds() >= 1 for before, after in pairwise(times))
    engine.assert_lawful()
