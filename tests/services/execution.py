"""The real services on a virtual clock: the planner at its ticks, and a loop that is always on time."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from dispatch.models import Lane, Message, MxVerdict
from dispatch.rules import timing
from dispatch.rules.message_state import MessageState as S
from dispatch.rules.simulation import Sent
from dispatch.services import hand_back, health, settle
from dispatch.services.claim import Claim
from tests.services.desk import Desk


class VirtualTime:
    """Runs a desk's engine without new facts: every message is accepted, and every domain takes mail."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.gone: list[Sent] = []
        self.finish_wires()

    def finish_wires(self) -> None:
        """What was on the wire is accepted now."""
        for message in Message.everywhere.filter(state=S.WIRE, worker_id=self.desk.worker_id):
            assert self.desk.settle(claim_of(message))

    def run(self, ticks: Iterable[datetime], until: datetime) -> list[Sent]:
        """Tick at these times, deliver between them, and after the last one up to `until`.

        What is overdue at the start goes after the first tick.
        """
        for tick_at in ticks:
            if tick_at > self.desk.now:
                self.deliver(tick_at)
            self.desk.now = max(self.desk.now, tick_at)
            self.desk.claim()
            self.desk.tick()
            MxVerdict.objects.filter(wanted_at__isnull=False).update(
                status="present", checked_at=tick_at, silences=0, wanted_at=None
            )
        self.deliver(until)
        return self.gone

    def deliver(self, until: datetime) -> None:
        """Start whatever is to start by then, in the order of time."""
        while (head := min(self.heads(), default=None, key=lambda head: head[0])) is not None:
            start_at, message_id = head
            if start_at > until:
                return
            self.desk.now = start_at
            self.desk.claim()
            self.start(claim_of(Message.everywhere.get(pk=message_id)))

    def heads(self) -> Iterator[tuple[datetime, uuid.UUID]]:
        """What each lane sends next, and when: as its runner sorts its queue."""
        waiting = defaultdict(list)
        rows = Message.everywhere.filter(state__in=[S.PLANNED, S.DEFERRED, S.CLAIMED], due_at__isnull=False)
        for message in rows:
            key = (message.stream != "test", message.due_at, -message.gap_seconds, message.pk)
            waiting[message.credential_id].append(key)
        for lane in Lane.objects.filter(pk__in=waiting):
            _, due_at, negative_gap, message_id = min(waiting[lane.pk])
            at = max(self.desk.now, timing.start_at(due_at, lane.last_finished_at, -negative_gap))
            yield max(at, lane.back_off_until or at), message_id

    def start(self, claimed: Claim) -> None:
        """As the runner does: may it start, does it hold a unit, `wire`, body, settlement."""
        if not self.desk.may_start(claimed):
            self.desk.hand_back(claimed)
        elif not self.desk.start(claimed):
            hand_back.lose_day(self.desk.worker_id, claimed.message_id)
        elif not self.desk.wire(claimed):
            self.desk.hand_back(claimed, attempted=True)
        else:
            assert settle.settle(self.desk.worker_id, [self.desk.outcome(claimed)])
            health.judge_due(now=self.desk.now)
            self.note(claimed)

    def note(self, claimed: Claim) -> None:
        """Keep what has left."""
        message = Message.everywhere.get(pk=claimed.message_id)
        if message.enrollment_id is not None and message.campaign_id is not None:
            self.gone.append(
                Sent(
                    self.desk.now,
                    message.enrollment_id,
                    message.campaign_id,
                    message.step_position or 0,
                    claimed.credential_id,
                )
            )


def claim_of(message: Message) -> Claim:
    """The claim that holds a message."""
    assert message.credential_id is not None
    return Claim(
        message.pk,
        message.fence,
        message.credential_id,
        message.due_at or message.created_at,
        message.stream,
        message.gap_seconds,
        message.usage_day,
        message.attempts,
        message.first_attempt_at,
        None,
    )
