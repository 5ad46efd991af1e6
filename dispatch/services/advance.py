"""What settled messages mean for their enrollments: the sequence goes on, ends, or stops."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings

from ampout.events.kinds import EventKind
from ampout.events.services import Fact, record_events
from ampout.lib import sql
from campaigns.models import Contact, Enrollment, SequenceStep
from campaigns.rules.enrollment_state import EnrollmentStatus, StopReason, WaitReason, risen
from campaigns.rules.suppression import SuppressionReason
from dispatch.models import Message
from dispatch.rules.message_state import MessageState
from dispatch.rules.timing import step_due_at, unknown_step_due_at
from dispatch.services import stops
from dispatch.services.enrollment_events import enrollment_data

if TYPE_CHECKING:
    from dispatch.services.settle import Outcome

SENT = frozenset({MessageState.ACCEPTED, MessageState.UNKNOWN})
_STOPS: dict[MessageState, StopReason] = {
    MessageState.REFUSED: StopReason.REFUSED,
    MessageState.GAVE_UP: StopReason.GAVE_UP,
    MessageState.QUARANTINED: StopReason.QUARANTINED,
}
_LOCK = """
SELECT 1 FROM campaigns_enrollment
WHERE id IN (SELECT enrollment_id FROM dispatch_message WHERE id = ANY(%(messages)s)
             UNION SELECT unnest(%(others)s::uuid[]))
ORDER BY id FOR NO KEY UPDATE
"""
_ADVANCE = """
UPDATE campaigns_enrollment enrollment
SET status = advanced.status, sent_at = advanced.sent_at, smtp_credential_id = advanced.sender,
    next_position = advanced.position, next_due_at = advanced.due_at, wait_reason = advanced.wait_reason,
    finished_at = advanced.finished_at, steps_due = advanced.steps
FROM unnest(%(ids)s::uuid[], %(statuses)s::text[], %(sent)s::timestamptz[], %(senders)s::uuid[], %(positions)s::int[],
            %(dues)s::timestamptz[], %(waits)s::text[], %(finished)s::timestamptz[], %(steps)s::int[])
     AS advanced(id, status, sent_at, sender, position, due_at, wait_reason, finished_at, steps)
WHERE enrollment.id = advanced.id
"""


def lock_enrollments(outcomes: "Sequence[Outcome]") -> None:
    """Take the locks of a batch in order: suppression rows, then every enrollment that may change, by id."""
    bounced = {outcome.message_id: outcome for outcome in outcomes if outcome.suppress}
    if bounced:
        _note_suppressions(bounced)
    facts = {
        "messages": [outcome.message_id for outcome in outcomes],
        "others": list(_enrollments_at_same_addresses(list(bounced))) if bounced else [],
    }
    sql.fetch(_LOCK, facts)


def _note_suppressions(bounced: "dict[uuid.UUID, Outcome]") -> None:
    for message in Message.everywhere.filter(pk__in=bounced).order_by("account_id", "recipient_digest"):
        stops.note_suppression(
            message.account_id,
            bytes(message.recipient_digest),
            SuppressionReason.HARD_BOUNCE,
            now=bounced[message.pk].ended_at,
        )


def _enrollments_at_same_addresses(message_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    found: set[uuid.UUID] = set()
    for account_id, digest in Message.everywhere.filter(pk__in=message_ids).values_list(
        "account_id", "recipient_digest"
    ):
        contacts = Contact.objects.of(account_id).filter(address_digest=bytes(digest))
        found.update(Enrollment.objects.of(account_id).filter(contact__in=contacts).values_list("pk", flat=True))
    return found


def draw_consequences(outcomes: "Sequence[Outcome]") -> None:
    """Advance or stop the enrollments of these moved messages, inside the transaction that moved them."""
    by_message = {outcome.message_id: outcome for outcome in outcomes}
    if not by_message:
        return
    everything = list(Message.everywhere.filter(pk__in=by_message).select_related("enrollment__contact"))
    messages = [message for message in everything if message.enrollment is not None]
    advance([message for message in messages if MessageState(message.state) in SENT])
    for message in messages:
        if MessageState(message.state) in _STOPS:
            stop_after(message, by_message[message.pk])
        elif message.state == MessageState.DEFERRED:
            _forgo_retry(message, by_message[message.pk])
    for message in everything:
        if message.enrollment is None and by_message[message.pk].suppress:
            _stop_at_address(message, by_message[message.pk])


def _forgo_retry(message: Message, outcome: "Outcome") -> None:
    """There is no next try where the stop came during this one."""
    enrollment, _ = message.place
    if enrollment.stopped_at is not None:
        stops.cancel_unstarted([enrollment.pk], enrollment.stop_reason, now=outcome.ended_at)


def advance(messages: Sequence[Message], *, told_before: bool = False) -> None:
    """Count these messages as sent and make their next steps due. The messages come with enrollment and contact.

    `told_before` is for those that were unknown: their event was told then, and may have been deleted since.
    """
    if not messages:
        return
    enrollments = [message.place[0] for message in messages]
    plans = _step_plans({enrollment.campaign_id for enrollment in enrollments})
    now = max(message.settled_at or message.created_at for message in messages)
    for message, enrollment in zip(messages, enrollments, strict=True):
        _advance_one(message, plans[enrollment.campaign_id], now)
    _write(enrollments)
    if not told_before:
        record_events([_sent_fact(message) for message in messages], now=now)


def _advance_one(message: Message, plan: "StepPlan", now: datetime) -> None:
    enrollment, position = message.place
    wire_at = message.wire_at or now
    enrollment.status = risen(EnrollmentStatus(enrollment.status), EnrollmentStatus.SENT).value
    enrollment.sent_at = enrollment.sent_at or wire_at
    enrollment.smtp_credential_id = message.credential_id
    enrollment.next_position = position + 1
    if enrollment.stopped_at is not None or enrollment.finished_at is not None:
        return
    unknown = message.state == MessageState.UNKNOWN
    enrollment.next_due_at = plan.next_due_at(position, wire_at, unknown=unknown)
    enrollment.wait_reason = WaitReason.UNKNOWN_GRACE.value if unknown else WaitReason.DELAY.value
    if enrollment.next_due_at is None:
        finish(enrollment, plan.steps, now=now)


def _write(enrollments: Sequence[Enrollment]) -> None:
    """One statement for all: this is the hot path, and a bulk_update costs milliseconds a row (measured)."""
    sql.execute(
        _ADVANCE,
        {
            "ids": [enrollment.pk for enrollment in enrollments],
            "statuses": [enrollment.status for enrollment in enrollments],
            "sent": [enrollment.sent_at for enrollment in enrollments],
            "senders": [enrollment.smtp_credential_id for enrollment in enrollments],
            "positions": [enrollment.next_position for enrollment in enrollments],
            "dues": [enrollment.next_due_at for enrollment in enrollments],
            "waits": [enrollment.wait_reason for enrollment in enrollments],
            "finished": [enrollment.finished_at for enrollment in enrollments],
            "steps": [enrollment.steps_due for enrollment in enrollments],
        },
    )


def finish(enrollment: Enrollment, steps: int, *, now: datetime) -> None:
    """The sequence is through; a step added later is not due to this enrollment."""
    enrollment.finished_at, enrollment.steps_due = now, steps
    enrollment.next_due_at, enrollment.wait_reason = None, ""


def stop_after(message: Message, outcome: "Outcome") -> None:
    """Stop the enrollment of a message that ended badly, and of everyone at an address that does not exist."""
    enrollment, position = message.place
    Enrollment.everywhere.filter(pk=enrollment.pk).update(next_position=position + 1)
    reason = StopReason.BOUNCED if outcome.hard_bounce else _STOPS[MessageState(message.state)]
    stops.stop_enrollments([enrollment.pk], reason, now=outcome.ended_at, bounce_reason=_words(outcome))
    if outcome.suppress:
        _stop_at_address(message, outcome)


def _stop_at_address(message: Message, outcome: "Outcome") -> None:
    """A hard bounce stops every sequence to its address, whichever message met it."""
    found = _enrollments_at_same_addresses([message.pk])
    stops.stop_enrollments(found, StopReason.BOUNCED, now=outcome.ended_at, bounce_reason=_words(outcome))


def _words(outcome: "Outcome") -> str:
    return outcome.reply_text or str(outcome.reason)


def _sent_fact(message: Message) -> Fact:
    return Fact(
        message.account_id,
        EventKind.ENROLLMENT_SENT,
        f"{EventKind.ENROLLMENT_SENT}:{message.enrollment_id}:{message.step_position}",
        enrollment_data(message.place[0]),
    )


@dataclass(frozen=True, slots=True)
class StepPlan:
    """How many steps a campaign has, and each one's delay in minutes by position."""

    delays: dict[int, int]

    @property
    def steps(self) -> int:
        """The number of steps."""
        return len(self.delays)

    def next_due_at(self, position: int, wire_at: datetime, *, unknown: bool) -> datetime | None:
        """When the step after `position` is due; None when there is none.

        After an unknown message the enrollment stays open for the grace period even where no step follows, as evidence
        may still move it.
        """
        grace = timedelta(seconds=settings.UNKNOWN_GRACE_SECONDS)
        delay = self.delays.get(position + 1)
        if unknown:
            return unknown_step_due_at(wire_at, delay or 0, grace)
        return None if delay is None else step_due_at(wire_at, delay)


def _step_plans(campaign_ids: set[uuid.UUID]) -> dict[uuid.UUID, StepPlan]:
    plans: dict[uuid.UUID, StepPlan] = {campaign_id: StepPlan({}) for campaign_id in campaign_ids}
    for campaign_id, position, delay in SequenceStep.objects.filter(campaign__in=campaign_ids).values_list(
        "campaign_id", "position", "delay_minutes"
    ):
        plans[campaign_id].delays[position] = delay
    return plans
