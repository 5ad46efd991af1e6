"""The settings that a simulation keeps to, and the dice that the planner throws."""

import uuid
from datetime import timedelta
from functools import partial

from django.conf import settings

from dispatch.rules import timing
from dispatch.rules.courses import Dice
from dispatch.rules.world import Pace
from dispatch.services.claim import CLAIM_AHEAD
from dispatch.services.completion import OPEN_AT_ONCE


def present_pace() -> Pace:
    """As planner and loops are set now."""
    return Pace(
        every=timedelta(seconds=settings.PLAN_EVERY_SECONDS),
        ahead=timedelta(seconds=settings.PLAN_AHEAD_SECONDS),
        claim_ahead=CLAIM_AHEAD,
        batch=settings.PLAN_BATCH,
        open_at_once=OPEN_AT_ONCE,
    )


def planners_dice() -> Dice:
    """The seeds that the planner will draw."""
    return partial(timing.draw_seed, settings.DIGEST_KEY.encode())


def other_dice(seed: int) -> Dice:
    """Other seeds, always the same for the same `seed`: to see what is chance in a forecast."""
    key = uuid.UUID(int=seed % 2**128).bytes

    def draw(enrollment_id: uuid.UUID, position: int, previous: int | None) -> int:
        return timing.draw_seed(key, enrollment_id, position, previous)

    return draw
