"""Everything that is held about one person, for that person (GDPR, articles 15 and 20).

docs/explanation/personal-data.md says where it comes from; dispatch/services/personal_data.py is its table.
"""

from typing import Any

from django.db.models import Q, QuerySet

from ampout.accounts.row_security import past_the_wall
from ampout.events.kinds import EventKind
from ampout.events.models import Event, WebhookAttempt
from ampout.lib.text import storable
from campaigns.models import Contact, Enrollment
from campaigns.selectors.contacts import suppressions_on
from dispatch.models import Attempt, Feedback, Hit, Message, Notice

CONTACT_FIELDS = (
    *("id", "email", "first_name", "last_name", "company", "custom_fields"),
    *("source", "lawful_basis", "consent_at", "unsubscribed_at", "created_at"),
)
IMPORT_FIELDS = ("id", "name", "created_at")
ENROLLMENT_FIELDS = (
    *("id", "campaign_id", "campaign__name", "status", "batch_number", "enrolled_at", "sent_at", "opened_at"),
    *("replied_at", "bounced_at", "bounce_reason", "unsubscribed_at", "stopped_at", "stop_reason", "finished_at"),
)
MESSAGE_FIELDS = (
    *("id", "stream", "campaign_id", "enrollment_id", "step_position", "recipient", "subject", "message_id"),
    *("delivered_message_id", "state", "reason", "created_at", "wire_at", "settled_at", "reply_code", "reply_text"),
    *("bounced_at", "bounce_kind", "complained_at"),
)
ATTEMPT_FIELDS = ("message_id", "started_at", "ended_at", "stage", "state", "reason", "reply_code", "reply_text")
SUPPRESSION_FIELDS = ("id", "kind", "scope", "reason", "suppressed_at")
FEEDBACK_FIELDS = (
    *("id", "message_id", "enrollment_id", "kind", "occurred_at", "status", "hard", "sender", "subject", "text"),
    *("language", "return_date", "evidence"),
)
NOTICE_FIELDS = ("id", "source", "received_at", "headers", "body", "error", "verdict")
HIT_FIELDS = ("message_id", "kind", "label", "evidence", "url", "user_agent", "network", "occurred_at")
EVENT_FIELDS = ("id", "type", "created_at", "data")
WEBHOOK_ATTEMPT_FIELDS = ("delivery_id", "delivery__event__id", "started_at", "status_code", "response_excerpt")

_ONCE = (
    *(EventKind.ENROLLMENT_OPENED, EventKind.ENROLLMENT_REPLIED, EventKind.ENROLLMENT_BOUNCED),
    EventKind.ENROLLMENT_UNSUBSCRIBED,
)


def export_contact(contact: Contact) -> dict[str, Any]:
    """All rows about this contact as plain values, oldest first; one query a kind.

    Messages are found by the address, so those that left no enrollment (test sends) are there too.
    """
    account = contact.account_id
    enrollments = Enrollment.objects.of(account).filter(contact=contact).order_by("enrolled_at", "pk")
    messages: QuerySet[Any] = Message.objects.of(account)
    messages = messages.filter(recipient_digest=bytes(contact.address_digest))
    attempts: QuerySet[Any] = Attempt.objects.of(account)
    attempts = attempts.filter(message__in=messages.order_by().values("pk")).order_by("pk")
    feedback: QuerySet[Any] = Feedback.objects.of(account)
    feedback = feedback.filter(message__in=messages.order_by().values("pk")).order_by("occurred_at", "pk")
    hits: QuerySet[Any] = Hit.objects.of(account)
    hits = hits.filter(message__in=messages.order_by().values("pk")).order_by("pk")
    events = Event.objects.of(account).filter(fact__in=_facts(enrollments))
    answers: QuerySet[Any] = WebhookAttempt.objects.of(account).exclude(response_excerpt="")
    answers = answers.filter(delivery__event__in=events.order_by().values("pk")).order_by("pk")
    return {
        "contact": _values(contact, CONTACT_FIELDS),
        "contact_import": _values(contact.contact_import, IMPORT_FIELDS) if contact.contact_import else None,
        "enrollments": list(enrollments.values(*ENROLLMENT_FIELDS)),
        "messages": list(messages.order_by("created_at", "pk").values(*MESSAGE_FIELDS)),
        "attempts": list(attempts.values(*ATTEMPT_FIELDS)),
        "feedback": list(feedback.values(*FEEDBACK_FIELDS)),
        "notices": [_shown(row) for row in _notices(contact, messages).values(*NOTICE_FIELDS)],
        "hits": list(hits.values(*HIT_FIELDS)),
        "suppressions": list(suppressions_on(contact).order_by("created_at").values(*SUPPRESSION_FIELDS)),
        "events": list(events.order_by("sequence").values(*EVENT_FIELDS)),
        "webhook_answers": list(answers.values(*WEBHOOK_ATTEMPT_FIELDS)),
    }


def _facts(enrollments: "QuerySet[Enrollment]") -> list[str]:
    """The names of the facts that were told of these enrollments, by which events are indexed."""
    names: list[str] = []
    for pk, position in enrollments.values_list("pk", "next_position"):
        names += [f"{kind}:{pk}" for kind in _ONCE]
        names += [f"{EventKind.ENROLLMENT_SENT}:{pk}:{one}" for one in range(1, position + 1)]
    return names


def _notices(contact: Contact, messages: "QuerySet[Any]") -> "QuerySet[Notice]":
    """What came back about their messages, and what names their address though it matched nobody."""
    matched = Feedback.objects.of(contact.account_id).filter(message__in=messages.order_by().values("pk"))
    with past_the_wall():
        naming = Notice.objects.of(contact.account_id).filter(address_digests__contains=[bytes(contact.address_digest)])
        named = list(naming.order_by().values_list("pk", flat=True))
    either = Q(pk__in=matched.order_by().values("notice")) | Q(pk__in=named)
    found: QuerySet[Notice] = Notice.objects.of(contact.account_id).filter(either).order_by("received_at", "pk")
    return found


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """A raw mail or call as text: most are ASCII, and what is not UTF-8 is marked."""
    return row | {"body": storable(bytes(row["body"]).decode("utf-8", "replace"), len(row["body"]))}


def _values(row: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
