"""Calls of Amazon SNS: known by our secret in the query first, then by Amazon's signature for the hook's own topic.

The secret comes first so that no stranger can make us fetch a certificate. It stands in the query because SNS sends
basic authentication only after a challenge by 401. django-anymail's validator compares headers with the body alone and
verifies no signature, and its view needs boto3: this is done here.
"""

import hashlib
from collections.abc import Mapping
from datetime import timedelta

from django.utils.crypto import constant_time_compare

from dispatch.gateways.provider_events.payload import read_json
from dispatch.gateways.sns import Amazon
from dispatch.intake.calls import Authenticated, Call, NotAuthentic
from dispatch.rules.sns import SnsMessage, read_sns

LONGEST_AGE = timedelta(hours=2)
"""SNS tries for an hour at most (docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html)."""
MOST_AHEAD = timedelta(minutes=15)


def authenticate(call: Call, amazon: Amazon) -> Authenticated:
    """Raises NotAuthentic, and AmazonSilent when the certificate cannot be had. Asks Amazon last of all."""
    given = call.request.GET.getlist("secret")
    if not constant_time_compare(given[0] if len(given) == 1 else "", call.hook.secret) or not call.hook.secret:
        raise NotAuthentic
    message = _read(call)
    age = call.received_at - message.sent_at
    if not -MOST_AHEAD <= age <= LONGEST_AGE or not amazon.has_signed(message, call.received_at):
        raise NotAuthentic
    # SNS sends a message again under the same id.
    return Authenticated(hashlib.sha256(b"sns\0" + message.message_id.encode()).digest(), sns=message)


def _read(call: Call) -> SnsMessage:
    try:
        fields = read_json(call.body)
    except ValueError:
        raise NotAuthentic from None
    message = read_sns(fields, call.hook.topic_arn) if isinstance(fields, Mapping) else None
    if message is None:
        raise NotAuthentic
    return message
