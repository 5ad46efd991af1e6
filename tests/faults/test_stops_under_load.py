"""A15, A16: pauses and unsubscriptions at random moments of a campaign; once one commits, no `wire` of its own does."""

import random
from functools import partial

from dispatch.models import Message
from dispatch.services.lifecycle import pause_campaign, resume_campaign
from dispatch.services.stops import unsubscribe_contact
from tests.dispatch.conftest import Engine

PEOPLE = 60
PAUSES = 8


def wires() -> int:
    """How many messages have ever been put on the wire."""
    return Message.everywhere.filter(wire_at__isnull=False).count()


def wires_reach(count: int) -> bool:
    return wires() >= count


def nothing_is_in_hand() -> bool:
    return not Message.everywhere.filter(state__in=["claimed", "wire"]).exists()


def test_nothing_goes_on_the_wire_while_a_campaign_is_paused(engine: Engine) -> None:
    campaign, _ = engine.released(*(f"late-0.03+{number}" for number in range(PEOPLE)), credentials=4)
    rng = random.Random(16)
    with engine.running():
        for number in range(PAUSES):
            engine.wait_until(partial(wires_reach, number * PEOPLE // PAUSES + rng.randrange(4)))
            pause_campaign(engine.account, campaign.pk)
            committed = wires()
            engine.wait_until(nothing_is_in_hand)
            assert wires() == committed
            resume_campaign(engine.account, campaign.pk)
        engine.wait_until(lambda: engine.states() == {"accepted": PEOPLE})
    engine.assert_lawful()


def test_nothing_goes_on_the_wire_to_whoever_unsubscribed(engine: Engine) -> None:
    _, enrollments = engine.released(*(f"late-0.03+{number}" for number in range(PEOPLE)), credentials=4)
    leaving = random.Random(15).sample(enrollments, PEOPLE // 2)
    too_late = set()
    with engine.running():
        for number, enrollment in enumerate(leaving):
            engine.wait_until(partial(wires_reach, number))
            unsubscribe_contact(enrollment.contact)
            if Message.everywhere.filter(enrollment=enrollment, wire_at__isnull=False).exists():
                too_late.add(enrollment.contact.email)
        engine.wait_until(engine.is_settled)
    stopped = {enrollment.contact.email for enrollment in leaving} - too_late
    assert stopped
    assert stopped & {entry["recipient"] for entry in engine.smtp.log} == set()
    engine.assert_lawful()
