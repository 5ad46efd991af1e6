"""The webhook loop: one long-lived asyncio loop that calls many receivers side by side.

1. Fan out new events into deliveries.
2. Claim endpoints that have something due; those that keep failing get at most half of the places.
3. One task an endpoint calls it, four deliveries at a time at most, for a few turns; then others have theirs.
4. What calls came to is recorded for all that end at the same moment. A failing endpoint is left alone at once.

An endpoint has its own task, its own calls and its own deadline, so a slow one delays nobody else. A loop that is
killed leaves its deliveries pending: they are made again under the same id, with the same bytes.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from functools import partial

from django.conf import settings

from ampout.events.gateways.webhook_call import CallResult, call_receiver
from ampout.events.rules.retry import Answer
from ampout.events.services import claim, loops
from ampout.events.services.claim import Turn, WebhookCall
from ampout.events.services.fan_out import fan_out
from ampout.events.services.outcomes import Outcome, record_outcomes
from ampout.lib import clock, dice
from ampout.lib.database_thread import Batcher, DatabaseThread
from ampout.lib.heartbeat import renew_until_lost

logger = logging.getLogger(__name__)

IDLE_SECONDS = 0.5
MOST_ENDPOINTS = 128
"""Served at a time by one loop: 512 calls when each gets four."""
MOST_FAILING = MOST_ENDPOINTS // 2
TURN_CALLS = 16
"""Calls that are read from the database at once."""
TURNS = 25
"""Turns of one endpoint while others may wait."""


class WebhookLoop:
    """One loop under one lease. `stop_requested` is polled; the loop then ends its calls and returns."""

    def __init__(self, loop_id: uuid.UUID, stop_requested: Callable[[], bool]) -> None:
        self.loop_id = loop_id
        self.stop_requested = stop_requested
        self.database = DatabaseThread()
        self.outcomes = Batcher[Outcome, bool](self.database, self._record)
        self.tasks: dict[uuid.UUID, asyncio.Task[None]] = {}
        self.failing: set[uuid.UUID] = set()
        self.fenced = False

    def _record(self, outcomes: Sequence[Outcome]) -> list[bool]:
        return record_outcomes(outcomes, rng=dice.new_rng())

    @property
    def ending(self) -> bool:
        """Whether no call may begin any more."""
        return self.fenced or self.stop_requested()

    # -- The loop

    async def run(self) -> None:
        """Deliver until asked to stop, or until the lease is lost."""
        heartbeat = asyncio.create_task(self._renew())
        try:
            while not self.ending:
                if not await self.look():
                    await asyncio.sleep(IDLE_SECONDS)
        finally:
            heartbeat.cancel()
            await asyncio.gather(*self.tasks.values(), return_exceptions=True)
            if not self.fenced:
                await self.database.run(loops.end_loop, self.loop_id)
            await self.database.close()

    async def _renew(self) -> None:
        await renew_until_lost(partial(self.database.run, loops.renew_lease, self.loop_id), settings.LEASE_SECONDS)
        logger.error("This webhook loop lost its lease: it begins no more calls.")
        self.fenced = True

    async def look(self) -> bool:
        """Fan out, and take endpoints on; whether there was anything."""
        moved = await self.database.run(partial(fan_out, now=clock.utc_now()))
        room = MOST_ENDPOINTS - len(self.tasks)
        healthy = await self._claim(room, failing=False)
        failing = await self._claim(min(room - len(healthy), MOST_FAILING - len(self.failing)), failing=True)
        self.failing.update(failing)
        for endpoint_id in [*healthy, *failing]:
            self.tasks[endpoint_id] = asyncio.create_task(self._serve(endpoint_id))
        return bool(moved or healthy or failing)

    async def _claim(self, limit: int, *, failing: bool) -> list[uuid.UUID]:
        claimed = partial(claim.claim_endpoints, self.loop_id, now=clock.utc_now(), limit=limit, failing=failing)
        return await self.database.run(claimed)

    # -- One endpoint

    async def _serve(self, endpoint_id: uuid.UUID) -> None:
        """Some turns of an endpoint, then let go of it; an error of ours ends its turns, not the loop."""
        try:
            for _ in range(TURNS):
                if not await self._take_turn(endpoint_id):
                    break
        except Exception:
            logger.exception("Webhook %s cannot be served.", endpoint_id, extra={"action": "deliver_webhooks"})
            await self.database.run(partial(claim.hold_endpoint, endpoint_id, now=clock.utc_now()))
        finally:
            self.failing.discard(endpoint_id)
            await self.database.run(partial(claim.release_endpoints, self.loop_id, [endpoint_id], now=clock.utc_now()))
            # Once it is released it may be taken on again, by a task whose place this is then.
            if self.tasks.get(endpoint_id) is asyncio.current_task():
                del self.tasks[endpoint_id]

    async def _take_turn(self, endpoint_id: uuid.UUID) -> bool:
        """Make the next calls; whether the endpoint may get more at once."""
        if self.ending:
            return False
        turn = await self.database.run(
            partial(claim.next_turn, self.loop_id, endpoint_id, now=clock.utc_now(), limit=TURN_CALLS)
        )
        return bool(turn.calls) and await self._make_calls(turn)

    async def _make_calls(self, turn: Turn) -> bool:
        """As many side by side as the turn is wide; none begins once one says that the endpoint wants a pause."""
        waiting = list(reversed(turn.calls))
        go_on = True

        async def work() -> None:
            nonlocal go_on
            while waiting and go_on and not self.ending:
                go_on = await self._make_call(waiting.pop()) and go_on

        await asyncio.gather(*(work() for _ in range(min(turn.width, len(waiting)))))
        return go_on

    async def _make_call(self, call: WebhookCall) -> bool:
        """Call, record, and say whether the endpoint may be called on."""
        started_at = clock.utc_now()
        try:
            result = await call_receiver(call.url, call.event_id, call.body, call.secrets, now=started_at)
        except Exception:
            # Of ours, and it counts as a try: it must not come again for ever.
            logger.exception("Delivery %s failed in an unforeseen way.", call.delivery_id)
            result = CallResult(Answer(None), error="The call could not be made.")
        return await self.outcomes.ask(
            Outcome(call.delivery_id, call.endpoint_id, call.number, started_at, clock.utc_now(), result)
        )


def deliver_webhooks(name: str, stop_requested: Callable[[], bool]) -> bool:
    """Run a webhook loop under `name` until asked to stop; False at once while a live one holds that name."""
    loop_id = loops.start_loop(name)
    if loop_id is None:
        return False
    facts = {"action": "deliver_webhooks", "loop_id": str(loop_id)}
    logger.info("Webhook loop %s started.", name, extra=facts)
    asyncio.run(WebhookLoop(loop_id, stop_requested).run())
    logger.info("Webhook loop %s ended.", name, extra=facts)
    return True
