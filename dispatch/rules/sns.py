"""What Amazon SNS posts: its fields, the text that it signs, and the only addresses that it may send us to.

Sources, at docs.aws.amazon.com/sns/latest/dg: sns-message-and-json-formats.html (fields),
SendMessageToHttp.prepare.html (confirmation), and sns-verify-signature-of-message-verify-message-signature.html (signed
text, versions 1 and 2).

Every value but Message and Subject has a strict form without line ends, so that the signed text cannot be cut into
fields in another way than Amazon did.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import quote

from credentials.rules.hook_provider import sns_host


class SnsType(StrEnum):
    """What SNS wants."""

    NOTIFICATION = "Notification"
    SUBSCRIPTION_CONFIRMATION = "SubscriptionConfirmation"
    """Somebody subscribed our URL to the topic; nothing is sent before we fetch an address of Amazon's."""
    UNSUBSCRIBE_CONFIRMATION = "UnsubscribeConfirmation"


@dataclass(frozen=True, slots=True)
class SnsMessage:
    """A call of SNS, well formed and about its topic, but not yet known to be Amazon's."""

    type: SnsType
    message_id: str
    sent_at: datetime
    token: str = field(repr=False)
    """Confirms the subscription; empty in notifications."""
    version: str
    """1 is SHA-1, 2 is SHA-256."""
    signature: str = field(repr=False)
    certificate_url: str
    signed_text: str = field(repr=False)


_FORMS = {
    "MessageId": re.compile(r"[0-9A-Za-z-]{8,64}"),
    "Timestamp": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z"),
    "SignatureVersion": re.compile("[12]"),
    "Signature": re.compile(r"[A-Za-z0-9+/]{100,2000}={0,2}"),
    "Token": re.compile(r"[0-9A-Za-z]{16,1000}"),
    "SubscribeURL": re.compile(r"[!-~]{1,2000}"),
}
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CERTIFICATE_PATH = r"/SimpleNotificationService-[0-9a-f]{16,64}\.pem"


def read_sns(fields: Mapping[str, object], topic_arn: str) -> SnsMessage | None:
    """The call, when all its fields are in order and name this topic, and its addresses the topic's own host.

    None for anything else. The signature is not looked at here.
    """
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    host = sns_host(topic_arn)
    if host is None or texts.get("TopicArn") != topic_arn or texts.get("Type") not in set(SnsType):
        return None
    kind = SnsType(texts["Type"])
    needed = ["Message", "MessageId", "Timestamp", "SignatureVersion", "Signature", "SigningCertURL"]
    needed += ["Token", "SubscribeURL"] if kind is not SnsType.NOTIFICATION else []
    if any(name not in texts or not _has_form(name, texts[name]) for name in needed) or _is_hidden(fields):
        return None
    if not re.fullmatch(re.escape(f"https://{host}") + _CERTIFICATE_PATH, texts["SigningCertURL"]):
        return None
    if kind is not SnsType.NOTIFICATION and not texts["SubscribeURL"].startswith(f"https://{host}/?"):
        return None
    sent_at = _read_time(texts["Timestamp"])
    return _make(kind, texts, sent_at) if sent_at else None


def _make(kind: SnsType, texts: Mapping[str, str], sent_at: datetime) -> SnsMessage:
    signed = _NOTIFICATION if kind is SnsType.NOTIFICATION else _CONFIRMATION
    return SnsMessage(
        type=kind,
        message_id=texts["MessageId"],
        sent_at=sent_at,
        token="" if kind is SnsType.NOTIFICATION else texts["Token"],
        version=texts["SignatureVersion"],
        signature=texts["Signature"],
        certificate_url=texts["SigningCertURL"],
        signed_text="".join(f"{name}\n{texts[name]}\n" for name in signed if name in texts),
    )


def _has_form(name: str, value: str) -> bool:
    form = _FORMS.get(name)
    return form is None or form.fullmatch(value) is not None


def _is_hidden(fields: Mapping[str, object]) -> bool:
    """Whether Subject is there and no text: it would be left out of the signed text."""
    return not isinstance(fields.get("Subject"), str | None)


def _read_time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def confirmation_url(topic_arn: str, token: str) -> str:
    """The address that confirms a subscription, made by us from signed facts: the one sent is only looked at.

    `topic_arn` is a topic (see `sns_host`). Raises ValueError for another.
    """
    host = sns_host(topic_arn)
    if host is None:
        raise ValueError(f"{topic_arn!r} is no topic of Amazon SNS.")
    return f"https://{host}/?Action=ConfirmSubscription&TopicArn={quote(topic_arn, safe='')}&Token={token}"
