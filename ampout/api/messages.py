"""The ledger, message by message: what was sent, what waits, what came back, and what nobody knows the fate of."""

import uuid
from typing import Any, cast

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from ampout.accounts.models import ApiKey
from ampout.api import queries
from ampout.api.fields import Choice
from ampout.api.resources import Resource, find_or_404
from campaigns.selectors.campaigns import find_campaign
from dispatch.models import Attempt, Feedback, Hit, Message
from dispatch.rules.message_state import MessageState
from dispatch.services.evidence import Resolution, resolve_unknown

RESOLVE = {"as": Choice(words=tuple(Resolution), required=True)}


def show_message(message: Message) -> dict[str, Any]:
    """A message with its attempts, oldest first; `reply` is the server's last word."""
    attempts = sorted(message.attempt_rows.all(), key=lambda attempt: attempt.pk)
    return {
        "id": message.pk,
        "stream": message.stream,
        "campaign_id": message.campaign_id,
        "enrollment_id": message.enrollment_id,
        "contact_id": message.contact_id,
        "smtp_credential_id": message.credential_id,
        "step_position": message.step_position,
        "state": message.state,
        "reason": message.reason or None,
        "message_id": message.message_id,
        "delivered_message_id": message.delivered_message_id or None,
        "recipient": message.recipient,
        "subject": message.subject or None,
        "due_at": message.due_at,
        "wire_at": message.wire_at,
        "settled_at": message.settled_at,
        "bounced_at": message.bounced_at,
        "bounce_kind": message.bounce_kind or None,
        "complained_at": message.complained_at,
        "attempts": [_show_attempt(attempt) for attempt in attempts],
        "reply": _show_reply(message.reply_code, message.reply_text),
        "created_at": message.created_at,
    }


def show_whole_message(message: Message) -> dict[str, Any]:
    """A message with what came back about it, and the requests for its pixel and links, oldest first."""
    feedback = sorted(message.feedback.all(), key=lambda one: (one.occurred_at, one.pk))
    hits = sorted(message.hits.all(), key=lambda hit: hit.pk)
    return show_message(message) | {
        "feedback": [_show_feedback(one) for one in feedback],
        "hits": [_show_hit(hit) for hit in hits],
    }


def _show_feedback(feedback: Feedback) -> dict[str, Any]:
    return {
        "kind": feedback.kind,
        "occurred_at": feedback.occurred_at,
        "matched_by": feedback.matched_by,
        "status": feedback.status or None,
        "hard": feedback.hard,
        "sender": feedback.sender or None,
        "subject": feedback.subject or None,
        "text": feedback.text or None,
        "language": feedback.language or None,
        "return_date": feedback.return_date,
    }


def _show_hit(hit: Hit) -> dict[str, Any]:
    return {
        "kind": hit.kind,
        "label": hit.label,
        "evidence": hit.evidence,
        "url": hit.url or None,
        "user_agent": hit.user_agent or None,
        "occurred_at": hit.occurred_at,
    }


def _show_attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "started_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "smtp_credential_id": attempt.credential_id,
        "stage": attempt.stage or None,
        "state": attempt.state,
        "reason": attempt.reason or None,
        "reply": _show_reply(attempt.reply_code, attempt.reply_text),
        "is_evidence": attempt.is_evidence,
    }


def _show_reply(code: int | None, text: str) -> dict[str, Any] | None:
    return {"code": code, "text": text} if code is not None or text else None


class Messages(Resource):
    """`GET /messages?state=&campaign_id=`."""

    def get(self, request: Request) -> Response:
        """The account's messages."""
        found: QuerySet[Any] = Message.objects.of(self.account)
        state = queries.read_word(request.GET, "state", MessageState)
        if state is not None:
            found = found.filter(state=state.value)
        campaign_id = queries.read_id(request.GET, "campaign_id")
        if campaign_id is not None:
            found = found.filter(campaign=find_campaign(self.account, campaign_id))
        return self.answer_list(found.prefetch_related("attempt_rows"), show_message)


class MessageResource(Resource):
    """What the resources of one message share."""

    def find(self, message_id: uuid.UUID) -> Message:
        """A message of this account, with its attempts and what came back. Raises NotFound."""
        rows: QuerySet[Any] = Message.objects.of(self.account).prefetch_related("attempt_rows", "feedback", "hits")
        message: Message = find_or_404(rows, message_id, "message_not_found")
        return message


class MessageDetail(MessageResource):
    """`GET /messages/:id`."""

    def get(self, _request: Request, message_id: uuid.UUID) -> Response:
        """One message."""
        return Response(show_whole_message(self.find(message_id)))


class ResolveMessage(MessageResource):
    """`POST /messages/:id/resolve`, for an unknown one."""

    def post(self, request: Request, message_id: uuid.UUID) -> Response:
        """Count it as sent, or send it again, by the choice of who holds this key."""
        self.find(message_id)
        choice = Resolution(self.read("message", RESOLVE)["as"])
        key: ApiKey = cast("ApiKey", request.auth)
        resolve_unknown(message_id, choice, actor=f"API key {key.prefix}…")
        return Response(show_whole_message(self.find(message_id)))
