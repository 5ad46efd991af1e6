"""Outgoing webhooks, and the event log."""

from ampout.api import events, webhooks
from ampout.api.openapi.operations import LIMIT, Chapter, Example, Operation
from ampout.api.openapi.shapes import COUNT, ID, OBJECT, TEXT, TIME, Shape, list_of, object_of, one_of, or_null
from ampout.events.kinds import EventKind
from ampout.events.rules.delivery_state import DeliveryState, DisabledReason

_WEBHOOK = {
    "id": ID,
    "url": or_null(TEXT | {"examples": ["https://hooks.example.com/ampout"]}),
    "event_filters": list_of(one_of(webhooks.FILTER_WORDS)),
    "consecutive_failures": COUNT,
    "failing_since": or_null(TIME),
    "disabled_at": or_null(TIME),
    "disabled_reason": or_null(one_of(DisabledReason)),
    "previous_secret_until": or_null(TIME),
    "created_at": TIME,
    "updated_at": TIME,
}
WEBHOOK = Shape("Webhook", object_of(_WEBHOOK))
WEBHOOK_WITH_SECRET = Shape(
    "WebhookWithSecret",
    object_of(_WEBHOOK | {"secret": TEXT | {"examples": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="]}}),
)
DELIVERY = Shape(
    "WebhookDelivery",
    object_of(
        {
            "id": ID,
            "event_id": ID,
            "event_type": one_of(EventKind),
            "state": one_of(DeliveryState),
            "attempt": COUNT,
            "status_code": or_null({"type": "integer"}),
            "error": or_null(TEXT),
            "next_attempt_at": or_null(TIME),
            "delivered_at": or_null(TIME),
            "created_at": TIME,
        }
    ),
)
EVENT = Shape(
    "Event",
    object_of(
        {"id": ID, "type": one_of(EventKind), "created_at": TIME, "account_id": ID, "data": OBJECT, "sequence": COUNT}
    ),
)
SHAPES = (WEBHOOK, WEBHOOK_WITH_SECRET, DELIVERY, EVENT)

_FILTERS = ["enrollment.*", "campaign.paused"]
_SHOWN = {
    "url": "https://hooks.example.com/ampout",
    "event_filters": _FILTERS,
    "failing_since": None,
    "disabled_at": None,
    "disabled_reason": None,
    "previous_secret_until": None,
}
_NEW = {"url": "https://hooks.example.com/ampout", "event_filters": _FILTERS}
_FAILED = {
    "event_type": "enrollment.replied",
    "state": "pending",
    "attempt": 1,
    "status_code": 500,
    "error": "The receiver answered 500.",
    "next_attempt_at": "2026-11-22T07:47:48Z",
    "delivered_at": None,
}
_URL = "`https://`, port 443 or 8443, without user name and fragment; in networks that the operator allowed, `http://` and any port too"
_KINDS = "kinds of events (`enrollment.replied`), groups (`enrollment.*`), or `*`"

WEBHOOKS = Chapter(
    "Webhooks",
    "Where events are sent; [Receive webhooks](../howto/receive-webhooks.md) says how to take them, and "
    "[Events](../explanation/events.md) what happens when a receiver fails.",
    (
        Operation(
            method="GET",
            path="/webhooks",
            summary="List the webhooks",
            answer=list_of(WEBHOOK.ref),
            paged=True,
            example=Example(answer=[_SHOWN]),
        ),
        Operation(
            method="POST",
            path="/webhooks",
            summary="Make a webhook",
            text="The `secret` is in this answer, and nowhere else. Events are sent from now on.",
            status=201,
            answer=WEBHOOK_WITH_SECRET.ref,
            body=webhooks.NEW_WEBHOOK,
            wrapper="webhook",
            meanings={"url": _URL, "event_filters": _KINDS},
            defaults={"event_filters": ["*"]},
            example=Example(body=_NEW, answer=_SHOWN),
        ),
        Operation(
            method="GET",
            path="/webhooks/{webhook_id}",
            summary="Show a webhook",
            text="`disabled_reason` is `gone` (it answered 410), `failing` (five days without a success) or `operator`. "
            "`url` is `null` where the key that it was encrypted by is lost.",
            answer=WEBHOOK.ref,
            codes=("webhook_not_found",),
            example=Example(answer=_SHOWN),
        ),
        Operation(
            method="PATCH",
            path="/webhooks/{webhook_id}",
            summary="Change a webhook",
            answer=WEBHOOK.ref,
            body=webhooks.WEBHOOK,
            wrapper="webhook",
            partial=True,
            meanings={
                "url": _URL,
                "event_filters": _KINDS,
                "disabled_at": "puts a disabled webhook back to work",
            },
            codes=("webhook_not_found",),
            example=Example(body={"disabled_at": None}, answer=_SHOWN),
        ),
        Operation(
            method="DELETE",
            path="/webhooks/{webhook_id}",
            summary="Delete a webhook",
            text="Nothing more is sent to it.",
            status=204,
            codes=("webhook_not_found",),
        ),
        Operation(
            method="POST",
            path="/webhooks/{webhook_id}/rotate_secret",
            summary="Make a new secret",
            text="Shown once. Calls are signed by the old one as well for 24 hours, until `previous_secret_until`.",
            answer=WEBHOOK_WITH_SECRET.ref,
            body={},
            wrapper="webhook",
            codes=("webhook_not_found",),
            example=Example(answer=_SHOWN | {"previous_secret_until": "2026-11-23T07:47:43Z"}),
        ),
        Operation(
            method="GET",
            path="/webhooks/{webhook_id}/deliveries",
            summary="What was sent to a webhook, or is to be",
            text="`attempt` counts the tries, `status_code` and `error` are the last one's. `state` is `pending`, "
            "`delivered` or `given_up`. The history is kept for `RETENTION_DAYS`.",
            answer=list_of(DELIVERY.ref),
            paged=True,
            codes=("webhook_not_found",),
            example=Example(query={"limit": 10}, answer=[_FAILED]),
        ),
        Operation(
            method="POST",
            path="/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
            summary="Try a delivery again at once",
            text="Whatever became of it, under the same id and with the same bytes; the schedule begins anew. "
            "`unprocessable` for a disabled webhook.",
            answer=DELIVERY.ref,
            body={},
            wrapper="delivery",
            codes=("webhook_not_found", "not_found"),
            example=Example(answer=_FAILED),
        ),
    ),
)
EVENTS = Chapter(
    "Events",
    "",
    (
        Operation(
            method="GET",
            path="/events",
            summary="Read the event log",
            text="""
The account's [event log](../explanation/events.md#reading-the-log), oldest first, each event as webhooks send it. A reader
that follows the `Link` header misses no event, also none whose transaction commits late, and gets none twice.

Every answer has a `Link` with `rel="next"`. While its `after` differs from the one you sent, read on at once: there may be
more, even when the page was empty. When it is the same, there is nothing newer; keep it, and ask again with it later.

`validation_failed` for an unknown kind, for what is no cursor of this log, and for a cursor that lies beyond its end,
which happens when the server was restored from an older state: begin anew, and skip the ids you know. Events are kept for
`EVENTS_RETENTION_DAYS` (90).
""",
            answer=list_of(EVENT.ref),
            query={
                "after": {
                    "type": "string",
                    "maxLength": events.LONGEST_CURSOR,
                    "description": "A cursor, from the `Link` header of an answer. Without it, reading begins at the "
                    "oldest event kept.",
                },
                "types": {
                    "type": "string",
                    "description": "Kinds (`enrollment.replied`), groups (`enrollment.*`) or `*`, with commas between "
                    "them.",
                },
                "limit": LIMIT,
            },
            example=Example(
                query={"types": "enrollment.*", "limit": 10},
                answer=[
                    {
                        "type": "enrollment.replied",
                        "created_at": "2026-11-22T07:47:43.000000Z",
                        "data": {
                            "enrollment_id": "{enrollment}",
                            "contact_id": "{contact}",
                            "contact_email": "max@example.com",
                            "campaign_id": "{campaign}",
                            "status": "replied",
                            "sent_at": "2026-11-20T09:12:03Z",
                            "replied_at": "2026-11-22T07:47:43Z",
                            "bounce_reason": None,
                        },
                        "sequence": 7,
                    }
                ],
            ),
        ),
    ),
)
