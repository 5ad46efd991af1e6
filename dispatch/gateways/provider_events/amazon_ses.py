"""Amazon SES's notifications and events, in the envelope of SNS; one event a recipient.

Sources: docs.aws.amazon.com/ses/latest/dg/notification-contents.html (bounces, complaints, deliveries) and
event-publishing-retrieving-sns-contents.html (the same with `eventType`, delays, rejects, subscriptions).

SES replaces our Message-ID: `mail.messageId` is the new one's left side, whose right side is named after the region
(`email` for us-east-1). Ours stands in `mail.commonHeaders` and `mail.headers` where headers are sent along.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dispatch.gateways.provider_events.facts import (
    MOST_EVENTS,
    UNREADABLE,
    address_of,
    at_text,
    clean,
    hard_unless_otherwise,
    ids_of,
    member,
    status_in,
    text_of,
)
from dispatch.gateways.provider_events.payload import Payload, read_json
from dispatch.rules.provider_event import ProviderEvent, ProviderEventKind

Kind = ProviderEventKind
Facts = Mapping[str, Any]

_SINGLE = {
    "Delivery": ("delivery", Kind.DELIVERED),
    "Reject": ("reject", Kind.SOFT_BOUNCE),
    "Rendering Failure": ("failure", Kind.SOFT_BOUNCE),
}
"""By type: the member with the details, and the kind, the same for all recipients."""


def read(payload: Payload) -> list[ProviderEvent]:
    """The events of a notification; none in the calls by which SNS manages the subscription. Raises ValueError."""
    if not isinstance(payload, Mapping) or not isinstance(payload.get("Message"), str):
        raise ValueError("A call of Amazon SNS is an object with a Message.")  # noqa: TRY004  # the interface's
    if payload.get("Type") != "Notification":
        return []
    message = payload["Message"]
    if not message.lstrip().startswith("{"):
        return []  # "Successfully validated SNS topic for Amazon SES event publishing."
    report = read_json(message.encode("utf-8", "replace"))
    try:
        return list(_events(report, payload))
    except UNREADABLE as error:
        raise ValueError(f"This notification is not as Amazon documents it ({type(error).__name__}).") from None


def _events(report: Facts, envelope: Facts) -> Iterator[ProviderEvent]:
    kind = text_of(report, "eventType", "notificationType")
    if kind == "Bounce":
        found = _bounces(member(report, "bounce"))
    elif kind == "Complaint":
        found = _complaints(member(report, "complaint"))
    elif kind == "DeliveryDelay":
        found = _delays(member(report, "deliveryDelay"))
    elif kind == "Subscription":
        found = _subscription(member(report, "subscription"), _destination(report))
    else:
        name, meaning = _SINGLE.get(kind, (kind.lower(), Kind.OTHER))
        found = _single(member(report, name), meaning, _destination(report))
    ids = _message_ids(member(report, "mail"), text_of(envelope, "TopicArn"))
    event_id = text_of(envelope, "MessageId", longest=100)
    sent_at = at_text(envelope.get("Timestamp"))
    for index, (meaning, recipient, at, status, text) in enumerate(found):
        if index == MOST_EVENTS:
            raise ValueError("Too many recipients.")
        # All recipients of a notification share its id.
        yield ProviderEvent(meaning, recipient, ids, f"{event_id}:{index}", at or sent_at, status, text)


_Found = Iterator[tuple[ProviderEventKind, str, Any, str, str]]
"""Kind, recipient, time, status, text."""


def _bounces(bounce: Facts) -> _Found:
    at, permanent = at_text(bounce.get("timestamp")), text_of(bounce, "bounceType") == "Permanent"
    subtype = text_of(bounce, "bounceSubType")
    for recipient in bounce["bouncedRecipients"]:
        text = text_of(recipient, "diagnosticCode")
        status = status_in(text_of(recipient, "status")) or status_in(text)
        # NoEmail and the suppression lists are about the address, whatever the text says.
        hard = Kind.HARD_BOUNCE if subtype != "General" else hard_unless_otherwise(text, status)
        kind = hard if permanent else Kind.SOFT_BOUNCE
        yield kind, address_of(recipient, "emailAddress"), at, status, text or f"{subtype} bounce"


def _complaints(complaint: Facts) -> _Found:
    # On the account's own suppression list: SES did not send, and nobody complained now.
    kind = Kind.COMPLAINT if not text_of(complaint, "complaintSubType") else Kind.SOFT_BOUNCE
    at, text = at_text(complaint.get("timestamp")), text_of(complaint, "complaintFeedbackType", "complaintSubType")
    for recipient in complaint["complainedRecipients"]:
        yield kind, address_of(recipient, "emailAddress"), at, "", text


def _delays(delay: Facts) -> _Found:
    at = at_text(delay.get("timestamp"))
    for recipient in delay["delayedRecipients"]:
        text = text_of(recipient, "diagnosticCode")
        status = status_in(text_of(recipient, "status"))
        yield Kind.DELAY, address_of(recipient, "emailAddress"), at, status, text or text_of(delay, "delayType")


def _subscription(subscription: Facts, recipients: list[str]) -> _Found:
    left = member(subscription, "newTopicPreferences").get("unsubscribeAll") is True
    for recipient in recipients:
        yield Kind.UNSUBSCRIBE if left else Kind.OTHER, recipient, at_text(subscription.get("timestamp")), "", ""


def _single(details: Facts, kind: ProviderEventKind, recipients: list[str]) -> _Found:
    named = details.get("recipients")
    text = text_of(details, "smtpResponse", "reason", "errorMessage")
    for recipient in named if isinstance(named, list) else recipients:
        yield kind, clean(recipient, 320), at_text(details.get("timestamp")), status_in(text), text


def _destination(report: Facts) -> list[str]:
    addresses = member(report, "mail").get("destination")
    return [clean(address, 320) for address in addresses] if isinstance(addresses, list) else []


def _message_ids(mail: Facts, topic_arn: str) -> tuple[str, ...]:
    """Ours where headers are sent along; SES's own, bare and as the header that arrives."""
    headers = mail.get("headers")
    ours = [
        text_of(header, "value")
        for header in (headers if isinstance(headers, list) else [])
        if text_of(header, "name").lower() == "message-id"
    ]
    given, region = text_of(mail, "messageId"), topic_arn.split(":")[3] if topic_arn.count(":") == 5 else ""
    names = ["email", region] if region == "us-east-1" else [region]
    theirs = [f"<{given}@{name}.amazonses.com>" for name in names if given and name]
    return ids_of(text_of(member(mail, "commonHeaders"), "messageId"), *ours, *theirs, given)
