"""How a campaign goes on if nothing happens but time: sends a day, what holds them back, and the end."""

import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dispatch.rules import timing
from dispatch.rules.courses import Dice
from dispatch.rules.simulation import Simulation
from dispatch.rules.world import World

DELAY = "delay"
"""What binds on a day on which nothing is due."""


@dataclass(frozen=True, slots=True)
class Day:
    """One UTC day of a campaign; `binding` is what held the rest back at its end, empty where nothing was left."""

    day: date
    first_steps: int
    later_steps: int
    binding: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """What leaves up to `horizon_at`.

    `finish_at` is when the last step leaves; empty with a reason in `unfinished_reason`: `after_horizon`, or
    `waits_for_somebody`.
    """

    horizon_at: datetime
    sends: int
    finish_at: datetime | None
    unfinished_reason: str
    days: tuple[Day, ...]


def forecast_of(world: World, campaign_id: uuid.UUID, dice: Dice, *, until: datetime, most: int) -> Forecast:
    """The forecast of one campaign of a world; after `most` sends of all campaigns the horizon is drawn there."""
    simulation = Simulation(world, dice)
    first, later = Counter[date](), Counter[date]()
    last_at: datetime | None = None
    sends = simulation.sends(until)
    for number, sent in enumerate(sends, start=1):
        if sent.campaign_id == campaign_id:
            (first if sent.position == 1 else later)[timing.day_of(sent.at)] += 1
            last_at = sent.at
        if not simulation.left[campaign_id]:
            break
        if number >= most:
            until = sent.at
            break
    left = bool(simulation.left[campaign_id])
    reason = "" if not left else "waits_for_somebody" if simulation.exhausted else "after_horizon"
    end = timing.day_of(last_at or world.now) if simulation.exhausted or not left else timing.day_of(until)
    return Forecast(
        until,
        first.total() + later.total(),
        None if left else last_at,
        reason,
        tuple(
            Day(day, first[day], later[day], _binding(simulation, campaign_id, day, is_last=not left and day == end))
            for day in _days(timing.day_of(world.now), end)
        ),
    )


def _days(start: date, end: date) -> list[date]:
    return [start + timedelta(days=number) for number in range((end - start).days + 1)]


def _binding(simulation: Simulation, campaign_id: uuid.UUID, day: date, *, is_last: bool) -> str:
    if is_last:
        return ""
    return simulation.binding.get((campaign_id, day), DELAY)
