"""`unknown` moves on evidence only (law 3): the attempt's own late final reply, what only the sent message can have
brought about (an answer, a bounce, a copy in Sent, an open), or a named operator's choice.
"""

import uuid
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from django.db import transaction

from ampout.lib import clock
from ampout.lib.errors import NotFound, Unprocessable
from campaigns.models import Campaign, Enrollment
from campaigns.rules.campaign_state import CampaignStatus
from dispatch.models import Attempt, Message
from dispatch.rules.message_state import MessageState
from dispatch.services import advance, stops
from dispatch.services.late_words import without_words_of_erased

if TYPE_CHECKING:
    from dispatch.services.settle import Outcome


class Resolution(StrEnum):
    """What an operator may decide about a message nobody knows the fate of."""

    SENT = "sent"
    """Count it as sent."""
    RESEND = "resend"
    """Send it again, at the risk of a second copy."""


@transaction.atomic
def resolve_by_late_outcome(outcome: "Outcome") -> bool:
    """Move an unknown message by the late final reply to its own last transaction. False when nothing moved."""
    if outcome.state not in {MessageState.ACCEPTED, MessageState.REFUSED}:
        return False
    advance.lock_enrollments([outcome])
    [outcome] = without_words_of_erased([outcome])
    moved = Message.everywhere.filter(
        pk=outcome.message_id, state=MessageState.UNKNOWN.value, fence=outcome.fence
    ).update(
        state=outcome.state.value,
        reason=str(outcome.reason),
        reply_code=outcome.reply_code,
        reply_text=outcome.reply_text[:1_000],
        delivered_message_id=outcome.delivered_message_id,
        settled_at=outcome.ended_at,
        **({"subject": outcome.subject} if outcome.subject else {}),
    )
    if not moved:
        return False
    message = Message.everywhere.select_related("enrollment__contact").get(pk=outcome.message_id)
    if message.enrollment is not None:
        _draw(message, outcome)
    return True


def _draw(message: Message, outcome: "Outcome") -> None:
    if outcome.state is MessageState.REFUSED:
        enrollment, position = message.place
        if enrollment.next_position == position + 1:
            advance.stop_after(message, outcome)
    elif _is_latest(message):
        advance.advance([message], told_before=True)


def _is_latest(message: Message) -> bool:
    """Whether the enrollment still stands right behind this message: the next step was neither planned nor sent."""
    enrollment, position = message.place
    if enrollment.next_position != position + 1:
        return False
    return not Message.everywhere.filter(enrollment_id=enrollment.pk, step_position=enrollment.next_position).exists()


@transaction.atomic
def resolve_by_evidence(message_ids: Collection[uuid.UUID], source: str, *, now: datetime) -> int:
    """Count as accepted those of these messages that are unknown, as something proves that they left.

    `source` is a word for what proves it (`reply`, `bounce`, `sent_folder`, `open`, …); it is recorded. Call it before
    any other lock on messages. Returns how many moved.
    """
    unknown = Message.everywhere.filter(pk__in=list(message_ids), state=MessageState.UNKNOWN.value)
    found = list(unknown.values_list("pk", "enrollment_id"))
    if not found:
        return 0
    stops.lock_enrollments([enrollment_id for _, enrollment_id in found if enrollment_id is not None])
    # Locked, and looked at again: an operator may have chosen meanwhile.
    messages = list(
        Message.everywhere.select_for_update(of=("self",))
        .select_related("enrollment__contact")
        .filter(pk__in=[pk for pk, _ in found], state=MessageState.UNKNOWN.value)
        .order_by("pk")
    )
    reason = f"evidence_{source}"[:48]
    for message in messages:
        message.state, message.reason, message.settled_at = MessageState.ACCEPTED.value, reason, now
        Message.everywhere.filter(pk=message.pk).update(state=message.state, reason=reason, settled_at=now)
        _record(message, reason, f"proved by {source}", now)
        # One at a time: two messages of one enrollment would each carry a copy of it.
        if message.enrollment is not None and _is_latest(message):
            advance.advance([message], told_before=True)
    return len(messages)


@transaction.atomic
def resolve_unknown(message_id: uuid.UUID, choice: Resolution, *, actor: str) -> Message:
    """Carry out a named operator's choice about an unknown message, and record who chose.

    Raises NotFound, and Unprocessable when the message is not unknown or its sequence has moved on.
    """
    found: Message | None = Message.everywhere.filter(pk=message_id).first()
    if found is None:
        raise NotFound("message_not_found")
    campaign = Campaign.everywhere.select_for_update(no_key=True).filter(pk=found.campaign_id).first()
    if found.enrollment_id is not None:
        stops.lock_enrollments([found.enrollment_id])
    message: Message = (
        Message.everywhere.select_for_update(of=("self",)).select_related("enrollment__contact").get(pk=message_id)
    )
    if message.state != MessageState.UNKNOWN:
        raise Unprocessable(f"Only an unknown message can be resolved; this one is {message.state}.")
    if choice is Resolution.SENT:
        _count_as_sent(message)
    else:
        _send_again(message)
        _take_up(campaign)
    _record_choice(message, choice, actor)
    return message


def _count_as_sent(message: Message) -> None:
    message.state, message.reason = MessageState.ACCEPTED.value, "operator_counted_as_sent"
    message.settled_at = clock.utc_now()
    message.save(update_fields=["state", "reason", "settled_at"])
    if message.enrollment is not None and _is_latest(message):
        advance.advance([message], told_before=True)


def _send_again(message: Message) -> None:
    enrollment = message.enrollment
    if enrollment is None:
        raise Unprocessable("A test message is not sent again: send a new test.")
    if enrollment.stopped_at is not None:
        raise Unprocessable(f"The sequence of this contact stopped ({enrollment.stop_reason}).")
    if not _is_latest(message):
        raise Unprocessable("A later step to this contact was planned or sent already.")
    message.state, message.reason, message.due_at = MessageState.PLANNED.value, "operator_resend", None
    message.save(update_fields=["state", "reason", "due_at"])
    Enrollment.everywhere.filter(pk=enrollment.pk).update(
        next_position=message.step_position, next_due_at=None, wait_reason="", finished_at=None, steps_due=None
    )


def _take_up(campaign: Campaign | None) -> None:
    """A completed campaign has work again."""
    if campaign is not None and campaign.status == CampaignStatus.COMPLETED:
        campaign.status, campaign.completed_at = CampaignStatus.ACTIVE.value, None
        campaign.save(update_fields=["status", "completed_at"])


def _record_choice(message: Message, choice: Resolution, actor: str) -> None:
    _record(message, f"operator_{choice.value}", f"chosen by {actor}", clock.utc_now())


def _record(message: Message, reason: str, text: str, now: datetime) -> None:
    Attempt.everywhere.create(
        account_id=message.account_id,
        message=message,
        credential_id=message.credential_id,
        fence=message.fence,
        ended_at=now,
        state=message.state,
        reason=reason,
        reply_text=text,
        is_evidence=True,
    )
