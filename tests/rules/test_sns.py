"""Calls of Amazon SNS: what is in order, what Amazon signs, and where we may be sent."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.rules.hook_provider import sns_host
from dispatch.rules.sns import SnsMessage, confirmation_url, read_sns

TOPIC = "arn:aws:sns:eu-west-1:123456789012:bounces"
HOST = "sns.eu-west-1.amazonaws.com"
NOTIFICATION: dict[str, Any] = {
    "Type": "Notification",
    "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
    "TopicArn": TOPIC,
    "Subject": "My First Message",
    "Message": "Hello\nworld!",
    "Timestamp": "2026-11-22T09:30:00.000Z",
    "SignatureVersion": "1",
    "Signature": "E" * 340 + "==",
    "SigningCertURL": f"https://{HOST}/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem",
    "UnsubscribeURL": f"https://{HOST}/?Action=Unsubscribe",
}
CONFIRMATION = NOTIFICATION | {
    "Type": "SubscriptionConfirmation",
    "Token": "2336412f37fb687f5d51e6e241d09c805a5a57b30d712f794cc5f6a988666d92",
    "SubscribeURL": f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f",
}


def read(**changes: Any) -> SnsMessage | None:
    return read_sns(NOTIFICATION | changes, TOPIC)


def signed_text(call: dict[str, Any]) -> str:
    message = read_sns(call, TOPIC)
    assert message is not None
    return message.signed_text


def test_what_amazon_signs_of_a_notification() -> None:
    assert signed_text(NOTIFICATION) == (
        "Message\nHello\nworld!\nMessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\nSubject\nMy First Message\n"
        f"Timestamp\n2026-11-22T09:30:00.000Z\nTopicArn\n{TOPIC}\nType\nNotification\n"
    )


def test_what_amazon_signs_of_a_notification_without_subject() -> None:
    call = {name: value for name, value in NOTIFICATION.items() if name != "Subject"}
    assert "Subject" not in signed_text(call)


def test_what_amazon_signs_of_a_confirmation() -> None:
    names = signed_text(CONFIRMATION | {"Message": "m"}).split("\n")[::2]
    assert names[:-1] == ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]


@pytest.mark.parametrize(
    ("topic", "host"),
    [
        (TOPIC, HOST),
        ("arn:aws-cn:sns:cn-north-1:123456789012:b", "sns.cn-north-1.amazonaws.com.cn"),
        ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:b", "sns.us-gov-west-1.amazonaws.com"),
        ("arn:aws:sns:ap-southeast-3:123456789012:b_1-2", "sns.ap-southeast-3.amazonaws.com"),
        ("arn:aws:sqs:eu-west-1:123456789012:b", None),
        ("arn:aws:sns:eu-west-1.evil.example/:123456789012:b", None),
        ("arn:aws:sns:eu-west-1:12345678901:b", None),
        ("arn:aws:sns::123456789012:b", None),
        (f"{TOPIC}\n", None),
        ("", None),
    ],
)
def test_a_topic_has_one_host(topic: str, host: str | None) -> None:
    assert sns_host(topic) == host


def test_a_subscription_is_confirmed_at_an_address_of_ours() -> None:
    url = confirmation_url(TOPIC, "abc")
    arn = "arn%3Aaws%3Asns%3Aeu-west-1%3A123456789012%3Abounces"
    assert url == f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={arn}&Token=abc"
    with pytest.raises(ValueError, match="is no topic"):
        confirmation_url("x", "abc")


@pytest.mark.parametrize("name", sorted(CONFIRMATION.keys() - {"Subject", "UnsubscribeURL"}))
@pytest.mark.parametrize("value", [None, 5, [], {}, ""])
def test_a_field_that_is_missing_or_of_another_kind_is_not_in_order(name: str, value: object) -> None:
    assert read_sns(CONFIRMATION, TOPIC) is not None
    if (name, value) != ("Message", ""):
        assert read_sns(CONFIRMATION | {name: value}, TOPIC) is None


@given(st.sampled_from(sorted(CONFIRMATION)), st.text(max_size=40) | st.sampled_from(list(CONFIRMATION.values())))
def test_whatever_is_in_order_names_our_topic_and_amazons_host(name: str, value: str) -> None:
    message = read_sns(CONFIRMATION | {name: value}, TOPIC)
    if message is not None:
        assert re.fullmatch(
            rf"https://{re.escape(HOST)}/SimpleNotificationService-[0-9a-f]+\.pem", message.certificate_url
        )
        assert f"TopicArn\n{TOPIC}\n" in message.signed_text


@given(st.text(max_size=60))
def test_no_other_certificate_address_is_in_order(tail: str) -> None:
    for url in (f"https://{HOST}{tail}", f"https://{HOST}/{tail}", f"https://{tail}", tail):
        found = read(SigningCertURL=url)
        assert found is None or re.fullmatch(r"/?SimpleNotificationService-[0-9a-f]{16,64}\.pem", tail)
