"""What is told is true: no step leaves before `earliest_at`, and it leaves when the simulation says."""

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.rules.enrollment_state import WaitReason
from dispatch.rules.gates import Explanation, explain_step
from dispatch.rules.message_state import MessageState as S
from dispatch.rules.simulation import Simulation
from dispatch.rules.step_facts import Sender, facts_of
from dispatch.rules.world import World
from tests.rules.worlds import DICE, Execution, Step, random_world

TICKS = 100


def senders_of(world: World) -> dict[uuid.UUID, Sender]:
    return {
        lane.credential_id: Sender(lane.credential_id, "a credential", lane=lane)
        if lane.credential_id in world.usable
        else Sender(lane.credential_id, "a credential", trouble=WaitReason.CREDENTIAL_DISABLED)
        for lane in world.lanes
    }


def explained(world: World) -> dict[uuid.UUID, Explanation]:
    """Every sequence's next step."""
    senders = senders_of(world)
    return {one.enrollment_id: explain_step(facts_of(world, one, senders, DICE)) for one in world.sequences}


class Troubled(Execution):
    """The same with planners that come late, slow servers, temporary answers and lanes in back-off."""

    def __init__(self, world: World, random: Random) -> None:
        self.random = random
        super().__init__(world)

    def tick(self) -> None:
        if self.random.random() < 0.8:
            super().tick()

    def start(self, step: Step) -> None:
        message, at = step.message, self.reached
        if message is None or self.random.random() < 0.7:
            super().start(step)
            return
        later = replace(message, state=S.DEFERRED, due_at=at + timedelta(minutes=30), attempted=True)
        step.message = later
        self.finish(message.credential_id, at)
        if self.random.random() < 0.5:
            lane = self.lanes[message.credential_id]
            resting = replace(lane, back_off_until=at + timedelta(minutes=self.random.randint(1, 9)))
            self.lanes[message.credential_id] = resting

    def finish(self, key: uuid.UUID, at: datetime) -> None:
        super().finish(key, at + timedelta(seconds=self.random.choice([0, 1, 40])))


@settings(max_examples=1_000)
@given(st.randoms(use_true_random=False))
def test_no_step_leaves_before_it_is_said_to_and_all_leave_as_is_foretold(random: Random) -> None:
    world = random_world(random)
    until = world.now + TICKS * world.pace.every
    positions = {one.enrollment_id: one.position for one in world.sequences}
    told = explained(world)
    foretold = {(sent.enrollment_id, sent.position): sent.at for sent in Simulation(world, DICE).sends(until)}
    for sent in Execution(world).run(until):
        assert foretold[sent.enrollment_id, sent.position] == sent.at
        if sent.position == positions[sent.enrollment_id]:
            explanation = told[sent.enrollment_id]
            assert explanation.state == "waiting", explanation
            assert explanation.earliest_at is not None, explanation
            assert explanation.earliest_at <= sent.at, explanation


@settings(max_examples=300)
@given(st.randoms(use_true_random=False))
def test_trouble_only_delays(random: Random) -> None:
    world = random_world(random)
    positions = {one.enrollment_id: one.position for one in world.sequences}
    told = explained(world)
    for sent in Troubled(world, random).run(world.now + TICKS * world.pace.every):
        if sent.position == positions[sent.enrollment_id]:
            earliest_at = told[sent.enrollment_id].earliest_at
            assert earliest_at is not None
            assert earliest_at <= sent.at
