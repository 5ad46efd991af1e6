"""The simulation leaves out ticks and looks at little; what leaves is what the plainest execution sends."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.rules.simulation import Sent, Simulation
from dispatch.rules.world import World
from tests.rules.worlds import DICE, Execution, random_world

TICKS = 100


def in_order(sends: list[Sent]) -> list[Sent]:
    return sorted(sends, key=lambda sent: (sent.at, sent.enrollment_id))


def both(world: World) -> tuple[list[Sent], list[Sent]]:
    until = world.now + TICKS * world.pace.every
    return in_order(list(Simulation(world, DICE).sends(until))), in_order(Execution(world).run(until))


@settings(max_examples=200)
@given(st.randoms(use_true_random=False))
def test_what_is_simulated_is_what_a_tick_by_tick_execution_sends(random: Random) -> None:
    simulated, executed = both(random_world(random))
    assert simulated == executed
