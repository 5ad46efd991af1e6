"""The deliver loop: one long-lived asyncio loop that holds the conversations of many credentials side by side.

1. Claim what is due within 30 s, taking free lanes (credentials) for it.
2. One task a lane sends its messages one after the other, each at its slot and a gap after the previous one.
3. Before a connection is used: is the message still wanted, and is it still the day whose cap it holds a unit of?
4. MAIL and RCPT; then `wire` is committed, together with those of all conversations that ask at the same moment, but
   never before the previous message of this connection is settled: one message a connection is in doubt at most.
5. The body, the final reply, the verdict, the settlement.

A message whose holder died before may be the reason: a child process tries it first (services/poison).

The time is this machine's as long as that is the database's, and steady in between: a clock that is set sends nothing
early, nothing on another day's cap, and nothing at all until both agree (services/clocks).

The loop renews its lease; once that is lost it drops every connection and moves nothing more.
"""

import asyncio
import base64
import logging
import uuid
from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial

from django.conf import settings

from ampout.lib import database_clock, dice
from ampout.lib.clock import SteadyClock
from ampout.lib.database_thread import Batcher, DatabaseThread
from ampout.lib.heartbeat import renew_until_lost
from dispatch.gateways.smtp_session import Envelope
from dispatch.knowledge import load_bounces
from dispatch.services import (
    capacity,
    claim,
    clocks,
    hand_back,
    health,
    leases,
    outbox,
    poison,
    reconcile,
    settle,
    trial,
    wire,
)
from dispatch.services.claim import Claim
from dispatch.services.failpoints import crash
from dispatch.services.lane_runner import LaneRunner
from dispatch.services.outbox import Outgoing, Prepared
from dispatch.services.settle import Outcome
from dispatch.services.trial import Finding
from dispatch.services.verdicts import outcome_of_our_error, quarantine

logger = logging.getLogger(__name__)

IDLE_CLAIM_SECONDS = 0.5
MAXIMUM_HELD = 2_000
"""Messages in one loop's hands; what is due beyond that is left to other loops."""
TRIALS_AT_ONCE = 50
"""Suspects tried between two claims, so that those who wait for theirs hold up nobody else."""


class DeliverLoop:
    """One loop under one lease. `stop_requested` is polled; the loop then releases what it holds and returns."""

    def __init__(self, worker_id: uuid.UUID, stop_requested: Callable[[], bool]) -> None:
        self.worker_id = worker_id
        self.stop_requested = stop_requested
        self.database = DatabaseThread()
        self.starts = Batcher[tuple[uuid.UUID, int], bool](self.database, self._may_start)
        self.wires = Batcher[tuple[uuid.UUID, int], bool](self.database, self._commit_wire)
        self.settlements = Batcher[Outcome, bool](self.database, self._settle)
        self.runners: dict[uuid.UUID, LaneRunner] = {}
        self.fenced = False
        self.clock = SteadyClock()
        self.held: dict[uuid.UUID, int] = {}
        """The fences of the claims in this loop's hands, until the database has confirmed their end."""
        self.suspects: list[Claim] = []
        """Claims whose holders died, until a child process has tried them."""

    # -- What lanes ask of the database, each for a whole batch

    def _may_start(self, asked: Sequence[tuple[uuid.UUID, int]]) -> list[bool]:
        allowed = hand_back.may_start(self.worker_id, asked)
        return [message_id in allowed for message_id, _ in asked]

    def _commit_wire(self, asked: Sequence[tuple[uuid.UUID, int]]) -> list[bool]:
        granted = wire.commit_wire(self.worker_id, asked, now=self.clock.now())
        refused = [pair for pair in asked if pair[0] not in granted]
        if refused and health.judge_due():
            granted |= wire.commit_wire(self.worker_id, refused, now=self.clock.now())
        crash("wire_commit")
        return [message_id in granted for message_id, _ in asked]

    def _settle(self, outcomes: Sequence[Outcome]) -> list[bool]:
        crash("before_outcome_commit")
        moved = settle.settle_each(self.worker_id, outcomes)
        crash("after_commit_before_ack")
        return [outcome.message_id in moved for outcome in outcomes]

    # -- The loop

    async def run(self) -> None:
        """Deliver until asked to stop, or until the lease is lost."""
        # Half a second, once: not while conversations wait for the first verdict.
        load_bounces()
        heartbeat = asyncio.create_task(self._renew())
        try:
            while not self.stop_requested() and not self.fenced:
                await self._give_back_idle_lanes()
                claimed = await self._claim() if await self._has_the_time() else 0
                tried = await self._try_some_suspects()
                if not claimed and not tried:
                    await asyncio.sleep(IDLE_CLAIM_SECONDS)
        finally:
            heartbeat.cancel()
            await self._shut_down()

    async def _renew(self) -> None:
        await renew_until_lost(partial(self.database.run, leases.renew_lease, self.worker_id), settings.LEASE_SECONDS)
        logger.error("This deliver loop lost its lease: it drops its connections and stops.")
        self.fenced = True
        for runner in self.runners.values():
            runner.drop()

    async def _has_the_time(self) -> bool:
        """Whether this machine's clock can be gone by.

        After a step whatever was not begun is released, with its slot. The steady clock follows the machine's only once
        that is the database's; until then nothing is claimed.
        """
        if not self.has_stepped():
            return True
        for runner in self.runners.values():
            await runner.let_go()
        if not await self.database.run(clocks.is_right):
            return False
        step = self.clock.read_again()
        logger.warning("The clock of this deliver loop was set by %.0f s.", step.total_seconds())
        for runner in self.runners.values():
            runner.follow(step)
        return True

    def has_stepped(self) -> bool:
        """Whether the machine's clock was set, or the machine slept, since this loop last read it."""
        return abs(self.clock.step().total_seconds()) > database_clock.TOLERANCE_SECONDS

    async def _claim(self) -> int:
        lanes = settings.DELIVER_CONVERSATIONS - len(self.runners.keys() | self._suspected_lanes())
        claims = await self.database.run(
            partial(
                claim.claim_messages,
                self.worker_id,
                now=self.clock.now(),
                lanes=max(0, lanes),
                messages=max(0, MAXIMUM_HELD - len(self.held)),
                held=list(self.held),
            )
        )
        if claims:
            crash("after_claim")
            self.held.update({claimed.message_id: claimed.fence for claimed in claims})
            self.suspects += [claimed for claimed in claims if claimed.deaths]
            await self._prepare_and_hand_over([claimed for claimed in claims if not claimed.deaths])
        return len(claims)

    async def _prepare_and_hand_over(self, claims: Sequence[Claim]) -> None:
        if claims:
            prepared = await self._prepare(sorted(claims, key=lambda claimed: str(claimed.credential_id)))
            for claimed in claims:
                if claimed.message_id in prepared:
                    self._hand_to_lane(claimed, prepared[claimed.message_id])
            await self._give_back_lanes({claimed.credential_id for claimed in claims})

    async def _prepare(self, claims: Sequence[Claim]) -> dict[uuid.UUID, Prepared]:
        """What it takes to send these claims; one that cannot be prepared is found by halving, and deferred."""
        try:
            return await self.database.run(outbox.prepare, claims)
        except Exception:
            if len(claims) == 1:
                logger.exception("Message %s cannot be prepared.", claims[0].message_id, extra={"action": "deliver"})
                await self.settle(outcome_of_our_error(claims[0], self.clock.now(), dice.new_rng(), wired=False))
                return {}
        middle = len(claims) // 2
        return await self._prepare(claims[:middle]) | await self._prepare(claims[middle:])

    async def _try_some_suspects(self) -> int:
        """Have some suspects prepared and composed by a child process; returns how many, 0 where that was hindered."""
        tried = self.suspects[:TRIALS_AT_ONCE]
        if not tried or self.stop_requested() or self.fenced:
            return 0
        pairs = [(suspect.message_id, suspect.fence) for suspect in tried]
        wanted = await self.database.run(hand_back.may_start, self.worker_id, pairs)
        for suspect in [suspect for suspect in tried if suspect.message_id not in wanted]:
            await self.hand_back(suspect, attempted=False)
            self.suspects.remove(suspect)
        answered = len(tried)
        try:
            await self._try([suspect for suspect in tried if suspect.message_id in wanted])
        except OSError:
            logger.exception("Not all of %d suspected messages could be tried; the others are tried again.", len(tried))
            answered = 0
        await self._give_back_lanes({suspect.credential_id for suspect in tried})
        return answered

    async def _try(self, tried: Sequence[Claim]) -> None:
        if not tried:
            return
        answered = 0
        async with aclosing(trial.findings(self.database, tried)) as findings:
            async for finding in findings:
                await self._take_finding(tried[answered], finding)
                self.suspects.remove(tried[answered])
                answered += 1
        if answered < len(tried) and not self.stop_requested() and not self.fenced:
            await self._blame(tried[answered])

    async def _take_finding(self, suspect: Claim, finding: Finding) -> None:
        now = self.clock.now()
        if finding.refusal:
            await self.settle(quarantine(suspect, finding.refusal, now))
        elif finding.error:
            logger.error("Message %s cannot be prepared: %s", suspect.message_id, finding.error)
            await self.settle(outcome_of_our_error(suspect, now, dice.new_rng(), wired=False))
        else:
            envelope, payload = Envelope(finding.sender, finding.recipient), base64.b64decode(finding.payload)
            ready = await self.database.run(outbox.composed, suspect, envelope, payload, finding.subject)
            self._hand_to_lane(suspect, ready)

    async def _blame(self, suspect: Claim) -> None:
        """The child died of this one: it is tried again before the others, or is quarantined."""
        again = await self.database.run(poison.blame, self.worker_id, suspect)
        self.suspects.remove(suspect)
        if again is None:
            self._let_go(suspect)
        else:
            self.suspects.insert(0, again)

    def _suspected_lanes(self) -> set[uuid.UUID]:
        return {suspect.credential_id for suspect in self.suspects}

    def _hand_to_lane(self, claimed: Claim, prepared: Outgoing) -> None:
        before = runner = self.runners.get(claimed.credential_id)
        if runner is None or runner.done:
            runner = self.runners[claimed.credential_id] = LaneRunner(self, claimed.credential_id)
            # It may have ended a transaction since this message was claimed, and the gap runs from there.
            runner.last_finished_at = before.last_finished_at if before is not None else None
        runner.add(claimed, prepared)

    async def _give_back_idle_lanes(self) -> None:
        """Let other loops serve what ended. Only this task claims, so nothing is claimed for a lane that goes back."""
        done = {key for key, runner in self.runners.items() if runner.done} - self._suspected_lanes()
        for credential_id in done:
            del self.runners[credential_id]
        await self._give_back_lanes(done)

    async def _give_back_lanes(self, credential_ids: set[uuid.UUID]) -> None:
        """Those of these of whose messages none is in this loop's hands."""
        idle = credential_ids - self.runners.keys() - self._suspected_lanes()
        if idle:
            await self.database.run(claim.release_lanes, self.worker_id, sorted(idle))

    async def _shut_down(self) -> None:
        await asyncio.gather(*(runner.stop() for runner in self.runners.values()), return_exceptions=True)
        if not self.fenced:
            await self.release(self.suspects, "")
            await self.database.run(leases.end_worker, self.worker_id)
        await self.database.close()

    # -- The ends of claims

    async def settle(self, outcome: Outcome) -> bool:
        """Record what a claim came to; False when it was taken over meanwhile."""
        moved = await self.settlements.ask(outcome)
        self._let_go(outcome)
        if settle.questions_health(outcome):
            # A request of its own: one that fails must not have the settlement made again.
            await self.database.run(health.judge_due, {outcome.credential_id})
        return moved

    def _let_go(self, *ended: Claim | Outcome) -> None:
        """Forget claims that have ended, but not those that were made again since."""
        for end in ended:
            if self.held.get(end.message_id) == end.fence:
                del self.held[end.message_id]

    async def move_day(self, claimed: Claim, now: datetime) -> bool:
        """Whether the message holds a unit of the present day, moving it when the day rolled over."""
        if claimed.usage_day is None or claimed.usage_day == now.date():
            return True
        days = (claimed.usage_day, now.date())
        unit = (claimed.message_id, claimed.fence, claimed.credential_id)
        if await self.database.run(capacity.move_unit, self.worker_id, *unit, days):
            return True
        await self.database.run(hand_back.lose_day, self.worker_id, claimed.message_id)
        self._let_go(claimed)
        return False

    async def hand_back(self, claimed: Claim, *, attempted: bool) -> None:
        """Give up a claim that may not go."""
        await self.database.run(
            partial(
                hand_back.hand_back,
                self.worker_id,
                [claimed.message_id],
                now=self.clock.now(),
                attempted=attempted,
            )
        )
        self._let_go(claimed)

    async def release(self, claims: Sequence[Claim], reason: str) -> None:
        """Let go of claims that keep their slot."""
        if claims:
            ids = [claimed.message_id for claimed in claims]
            await self.database.run(partial(hand_back.release, self.worker_id, ids, reason=reason))
            self._let_go(*claims)

    async def heal(self, claims: Sequence[Claim]) -> None:
        """Claims that an error of ours left behind: planned again, or unknown once their `wire` was committed."""
        await self.database.run(reconcile.heal, self.worker_id, [claimed.message_id for claimed in claims])
        self._let_go(*claims)


def deliver(name: str, stop_requested: Callable[[], bool]) -> bool:
    """Run a deliver loop under `name` until asked to stop; False at once while a live one holds that name."""
    worker_id = leases.start_worker(name)
    if worker_id is None:
        return False
    logger.info("Deliver loop %s started.", name, extra={"action": "deliver", "worker_id": str(worker_id)})
    asyncio.run(DeliverLoop(worker_id, stop_requested).run())
    logger.info("Deliver loop %s ended.", name, extra={"action": "deliver", "worker_id": str(worker_id)})
    return True
