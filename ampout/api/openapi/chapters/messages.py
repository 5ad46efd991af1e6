"""Messages: the ledger."""

from ampout.api import messages
from ampout.api.openapi.operations import Chapter, Example, Operation
from ampout.api.openapi.shapes import (
    COUNT,
    DATE,
    EMAIL,
    FLAG,
    ID,
    TEXT,
    TIME,
    Shape,
    list_of,
    object_of,
    one_of,
    or_null,
)
from campaigns.rules.suppression import Stream
from dispatch.rules.hits import HitKind, HitLabel
from dispatch.rules.message_state import MessageState

REPLY = Shape("SmtpReply", object_of({"code": or_null({"type": "integer"}), "text": TEXT}))
ATTEMPT = Shape(
    "Attempt",
    object_of(
        {
            "started_at": or_null(TIME),
            "ended_at": or_null(TIME),
            "smtp_credential_id": or_null(ID),
            "stage": or_null(TEXT),
            "state": one_of(MessageState),
            "reason": or_null(TEXT),
            "reply": or_null(REPLY.ref),
            "is_evidence": FLAG,
        }
    ),
)
FEEDBACK = Shape(
    "Feedback",
    object_of(
        {
            "kind": TEXT,
            "occurred_at": TIME,
            "matched_by": TEXT,
            "status": or_null(TEXT),
            "hard": or_null(FLAG),
            "sender": or_null(TEXT),
            "subject": or_null(TEXT),
            "text": or_null(TEXT),
            "language": or_null(TEXT),
            "return_date": or_null(DATE),
        }
    ),
)
HIT = Shape(
    "Hit",
    object_of(
        {
            "kind": one_of(HitKind),
            "label": one_of(HitLabel),
            "evidence": TEXT,
            "url": or_null(TEXT),
            "user_agent": or_null(TEXT),
            "occurred_at": TIME,
        }
    ),
)
_MESSAGE = {
    "id": ID,
    "stream": one_of(Stream),
    "campaign_id": or_null(ID),
    "enrollment_id": or_null(ID),
    "contact_id": or_null(ID),
    "smtp_credential_id": or_null(ID),
    "step_position": or_null(COUNT),
    "state": one_of(MessageState),
    "reason": or_null(TEXT),
    "message_id": TEXT,
    "delivered_message_id": or_null(TEXT),
    "recipient": EMAIL,
    "subject": or_null(TEXT),
    "due_at": or_null(TIME),
    "wire_at": or_null(TIME),
    "settled_at": or_null(TIME),
    "bounced_at": or_null(TIME),
    "bounce_kind": or_null(one_of(["hard", "soft"])),
    "complained_at": or_null(TIME),
    "attempts": list_of(ATTEMPT.ref),
    "reply": or_null(REPLY.ref),
    "created_at": TIME,
}
MESSAGE = Shape("Message", object_of(_MESSAGE))
MESSAGE_IN_FULL = Shape(
    "MessageInFull", object_of(_MESSAGE | {"feedback": list_of(FEEDBACK.ref), "hits": list_of(HIT.ref)})
)
SHAPES = (REPLY, ATTEMPT, FEEDBACK, HIT, MESSAGE, MESSAGE_IN_FULL)

_UNKNOWN = {
    "stream": "campaign",
    "campaign_id": "{active_campaign}",
    "step_position": 1,
    "state": "unknown",
    "reason": "no_final_reply",
    "message_id": "<8edecd0b@example.com>",
    "delivered_message_id": None,
    "recipient": "max@example.com",
    "subject": "Hello Max",
    "due_at": None,
    "wire_at": "2026-11-22T07:47:50Z",
    "settled_at": "2026-11-22T07:57:50Z",
    "bounced_at": None,
    "bounce_kind": None,
    "complained_at": None,
    "attempts": [
        {
            "started_at": "2026-11-22T07:47:49Z",
            "ended_at": "2026-11-22T07:57:50Z",
            "stage": "dot",
            "state": "unknown",
            "reason": "no_final_reply",
            "reply": None,
            "is_evidence": False,
        }
    ],
    "reply": None,
}

CHAPTER = Chapter(
    "Messages",
    "The ledger: one row for each step to each contact.",
    (
        Operation(
            method="GET",
            path="/messages",
            summary="List the messages",
            text="Without `feedback` and `hits`.",
            answer=list_of(MESSAGE.ref),
            query={
                "state": one_of(MessageState) | {"description": "Only those in this state."},
                "campaign_id": ID | {"description": "Only those of this campaign."},
            },
            paged=True,
            codes=("campaign_not_found",),
            example=Example(query={"state": "unknown", "campaign_id": "{active_campaign}"}, answer=[_UNKNOWN]),
        ),
        Operation(
            method="GET",
            path="/messages/{message_id}",
            summary="Show a message with what came back",
            text="""
`reply` is the server's last word, `attempts` are the SMTP transactions, oldest first; `stage` is how far each came.
`feedback` is what [came back](../explanation/replies-and-bounces.md): `kind` is `bounce`, `delay`, `feedback` (a
complaint), `auto_reply`, `unsubscribe`, `reply` or `machine`, `text` a reply without its quotation, or the words of a
server. `hits` are the requests for its pixel and links, each with a `label` (`human`, `proxy`, `scanner`, `self`) and what
it was [judged by](../explanation/opens-and-clicks.md).
""",
            answer=MESSAGE_IN_FULL.ref,
            codes=("message_not_found",),
            example=Example(answer=_UNKNOWN | {"feedback": [], "hits": []}),
        ),
        Operation(
            method="POST",
            path="/messages/{message_id}/resolve",
            summary="Decide about an unknown message",
            text="Records which key decided ([how to](../howto/handle-unknown.md)). Refused with `unprocessable` when it "
            "is not unknown, or its sequence has moved on.",
            answer=MESSAGE_IN_FULL.ref,
            body=messages.RESOLVE,
            wrapper="message",
            meanings={"as": "count it as sent, or send it again at the risk of a second copy"},
            codes=("message_not_found",),
            example=Example(
                body={"as": "sent"},
                answer=_UNKNOWN
                | {"state": "accepted", "reason": "operator_counted_as_sent", "feedback": [], "hits": []},
            ),
        ),
    ),
)
