"""One credential's conversations: its messages, one after the other, each at its slot."""

import asyncio
import logging
import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings

from ampout.lib import dice
from ampout.lib.door import is_declared_insecure
from dispatch.gateways.smtp_session import (
    Deadlines,
    Envelope,
    SmtpFailure,
    SmtpSession,
    TransactionResult,
    resolve_target,
)
from dispatch.rules import timing
from dispatch.rules.compose import CompositionRefused
from dispatch.rules.message_state import MessageState
from dispatch.rules.smtp_reply import Failure, Stage
from dispatch.rules.wire_hygiene import HygieneFailed
from dispatch.services.claim import Claim
from dispatch.services.evidence import resolve_by_late_outcome
from dispatch.services.failpoints import crash
from dispatch.services.lanes import is_about_connection
from dispatch.services.outbox import Outgoing
from dispatch.services.settle import Outcome
from dispatch.services.verdicts import (
    outcome_of_failure,
    outcome_of_late_reply,
    outcome_of_our_error,
    outcome_of_result,
    quarantine,
)

if TYPE_CHECKING:
    from dispatch.services.deliver import DeliverLoop

logger = logging.getLogger(__name__)

QUIET_SECONDS = 2
"""How long a lane without a near slot is kept for what the planner may be about to add."""

WHY_NO_LOGIN = (
    "The stored password cannot be decrypted by any key of FIELD_KEYS: "
    "put back the key it was written with, or set the password anew."
)

LATE_REPLY_SECONDS = 300
"""How long a conversation that timed out at the final dot is still listened to, for evidence."""


class LaneRunner:
    """Sends what it is given through one credential, until nothing came for as long as a connection is kept."""

    def __init__(self, loop: "DeliverLoop", credential_id: uuid.UUID) -> None:
        self.loop = loop
        self.credential_id = credential_id
        self.queue: list[tuple[Claim, Outgoing]] = []
        self.session: SmtpSession | None = None
        self.last_finished_at: datetime | None = None
        self.sending = False
        self.wired = False
        self.in_hand: list[Claim] = []
        self.unsettled: asyncio.Task[bool] | None = None
        self.late: set[asyncio.Task[None]] = set()
        self._arrived = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    # -- What the loop sees

    @property
    def done(self) -> bool:
        """Whether this runner ended: it holds nothing, and the lane may go back."""
        return self._task.done()

    def add(self, claimed: Claim, prepared: Outgoing) -> None:
        """Queue a message; tests go first, then in the order of their slots.

        Of two with the same slot, the one without a gap was given it as the follower of the other.
        """
        if self.last_finished_at is None and claimed.lane_finished_at is not None:
            # A clock that was set back since may have written down a later end than there can be.
            self.last_finished_at = min(claimed.lane_finished_at, self.loop.clock.now())
        self.queue.append((claimed, prepared))
        self.queue.sort(key=lambda item: (item[0].stream != "test", item[0].due_at, -item[0].gap_seconds))
        self._arrived.set()

    def drop(self) -> None:
        """The lease is lost: close the connection at once; whoever reaped us owns the messages now."""
        self._task.cancel()
        if self.session is not None:
            self.session.abort()

    async def let_go(self) -> None:
        """Release what was not begun, with its slot; this lane goes on with what comes."""
        waiting, self.queue = self.queue, []
        self._arrived.set()
        await self.loop.release([claimed for claimed, _ in waiting], "")

    def follow(self, step: timedelta) -> None:
        """The loop's clock was set by so much, but no time has passed: the gap still runs from where it began."""
        if self.last_finished_at is not None:
            self.last_finished_at += step

    async def stop(self) -> None:
        """Let the conversation in progress end, release the rest."""
        waiting, self.queue = self.queue, []
        if not self.loop.fenced:
            await self.loop.release([claimed for claimed, _ in waiting], "")
        if not self.sending:
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._settled()
        for task in self.late:
            task.cancel()
        await asyncio.gather(*self.late, return_exceptions=True)

    # -- The lane's own task

    async def _run(self) -> None:
        try:
            await self._work()
            await self._close_session()
            while self.queue:  # handed over while the connection was closing
                await self._work()
                await self._close_session()
        except Exception:
            logger.exception("Lane %s: an error of ours; what it held is healed.", self.credential_id)
            await self._close_session()
            while self.queue or self.in_hand:
                held = [claimed for claimed, _ in self.queue] + self.in_hand
                self.queue, self.in_hand = [], []
                await self.loop.heal(held)
        finally:
            await self._close_session()

    async def _work(self) -> None:
        while await self._wait_for_work():
            claimed, prepared = self.queue[0]
            if await self._wait_for_slot(claimed):
                self.queue.remove((claimed, prepared))
                self.in_hand = [claimed]
                await self._deliver(claimed, prepared)
        await self._settled()

    async def _wait_for_work(self) -> bool:
        """True when something is queued; False after a quiet time, or once the loop stops."""
        while not self.queue:
            if self.loop.stop_requested():
                return False
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), self._patience())
            except TimeoutError:
                return bool(self.queue)
        return True

    def _patience(self) -> float:
        """How long to wait for more before the lane is given back: its connection is kept while a slot may be near.

        A lane whose gaps are longer makes room for other credentials at once.
        """
        near = all(claimed.gap_seconds <= settings.KEEP_CONNECTION_SECONDS for claimed in self.in_hand)
        return float(settings.KEEP_CONNECTION_SECONDS) if near else QUIET_SECONDS

    async def _wait_for_slot(self, claimed: Claim) -> bool:
        """Sleep until this message's time; False when another one arrived that may go first."""
        self._arrived.clear()
        seconds = (self._start_at(claimed) - self.loop.clock.now()).total_seconds()
        if seconds <= 0:
            return True
        try:
            await asyncio.wait_for(self._arrived.wait(), seconds)
        except TimeoutError:
            return bool(self.queue) and self.queue[0][0] is claimed
        return False

    def _start_at(self, claimed: Claim) -> datetime:
        return timing.start_at(claimed.due_at, self.last_finished_at, claimed.gap_seconds)

    async def _deliver(self, claimed: Claim, prepared: Outgoing) -> None:
        self.sending, self.wired = True, False
        try:
            await self._settled()
            if self.loop.has_stepped():
                await self.loop.release([claimed], "")
            elif not await self.loop.starts.ask((claimed.message_id, claimed.fence)):
                await self.loop.hand_back(claimed, attempted=False)
            elif await self.loop.move_day(claimed, self.loop.clock.now()):
                await self._transact(claimed, prepared)
        except Exception:
            logger.exception("Message %s: an error of ours.", claimed.message_id, extra={"action": "deliver"})
            await self._close_session()
            await self._settle(outcome_of_our_error(claimed, self.loop.clock.now(), dice.new_rng(), wired=self.wired))
        finally:
            self.sending = False

    async def _transact(self, claimed: Claim, prepared: Outgoing) -> None:
        started_at = self.loop.clock.now()
        try:
            envelope, body = prepared.build(started_at)
        except (CompositionRefused, HygieneFailed) as refusal:
            await self._settle(quarantine(claimed, str(refusal), started_at))
            return
        try:
            result = await self._send(claimed, prepared, envelope, body)
        except HygieneFailed as refusal:
            await self._settle(quarantine(claimed, str(refusal), started_at))
            return
        except SmtpFailure as failure:
            outcome = outcome_of_failure(claimed, failure, started_at, self.loop.clock.now(), dice.new_rng())
            await self._finish(outcome)
            return
        if result.rejected_by_gate:
            if self._may_not_begin():
                await self.loop.release([claimed], "")
            else:
                await self.loop.hand_back(claimed, attempted=True)
            self.last_finished_at = self.loop.clock.now()
            return
        outcome = outcome_of_result(claimed, prepared, result, started_at, self.loop.clock.now(), dice.new_rng())
        await self._finish(outcome)
        if outcome.state is MessageState.UNKNOWN:
            self._listen_on(outcome, prepared)

    async def _send(self, claimed: Claim, prepared: Outgoing, envelope: Envelope, body: bytes) -> TransactionResult:
        """One transaction; a kept connection that was closed meanwhile is replaced once. Raises SmtpFailure."""
        result = await (await self._open_session(prepared)).send(envelope, body, gate=lambda: self._gate(claimed))
        if result.stale_connection:
            await self._close_session()
            result = await (await self._open_session(prepared)).send(envelope, body, gate=lambda: self._gate(claimed))
        return result

    async def _open_session(self, prepared: Outgoing) -> SmtpSession:
        if self.session is not None and self.session.usable:
            return self.session
        await self._close_session()
        if prepared.login is None:
            raise SmtpFailure(Stage.AUTH, WHY_NO_LOGIN, failure=Failure.UNSUPPORTED)
        target = await resolve_target(prepared.login)
        login = replace(prepared.login, insecure=is_declared_insecure(target))
        self.session = await SmtpSession.open(login, target, Deadlines(), crash)
        return self.session

    async def _close_session(self) -> None:
        session, self.session = self.session, None
        if session is not None:
            try:
                await session.quit()
            finally:
                session.abort()

    async def _gate(self, claimed: Claim) -> bool:
        """Commit `wire`, once the previous message of this connection is settled; none while the loop stops."""
        await self._settled()
        if self._may_not_begin():
            return False
        # From the moment of asking on: an answer that got lost may have been a yes.
        self.wired = True
        self.wired = await self.loop.wires.ask((claimed.message_id, claimed.fence))
        return self.wired

    def _may_not_begin(self) -> bool:
        """Whether what is in hand is to be released: the loop stops, or its clock was set."""
        return self.loop.stop_requested() or self.loop.has_stepped()

    # -- Ends

    async def _finish(self, outcome: Outcome) -> None:
        self.last_finished_at = outcome.ended_at
        self._settle_soon(outcome)
        if outcome.state is MessageState.DEFERRED and is_about_connection(outcome):
            await self._settled()
            waiting, self.queue = self.queue, []
            await self.loop.release([claimed for claimed, _ in waiting], "back_off")
            await self._close_session()

    def _settle_soon(self, outcome: Outcome) -> None:
        """Start the settlement; the next `wire` on this connection waits for it."""
        self.unsettled = asyncio.create_task(self.loop.settle(outcome))

    async def _settle(self, outcome: Outcome) -> None:
        self._settle_soon(outcome)
        await self._settled()

    async def _settled(self) -> None:
        task, self.unsettled = self.unsettled, None
        if task is not None:
            await task

    def _listen_on(self, outcome: Outcome, prepared: Outgoing) -> None:
        """Go on listening for the final reply beside the lane's other work: it is evidence."""
        session, self.session = self.session, None
        if session is not None:
            task = asyncio.create_task(self._take_late_reply(session, outcome, prepared))
            self.late.add(task)
            task.add_done_callback(self.late.discard)

    async def _take_late_reply(self, session: SmtpSession, outcome: Outcome, prepared: Outgoing) -> None:
        try:
            reply = await session.late_reply(LATE_REPLY_SECONDS)
        finally:
            session.abort()
        if reply is not None:
            late = outcome_of_late_reply(outcome, prepared, reply, self.loop.clock.now())
            await self.loop.database.run(resolve_by_late_outcome, late)
