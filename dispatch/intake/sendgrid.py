"""Calls of SendGrid: signed where the signed event webhook is on (elliptic curve), known by our secret where not.

Source: twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features. The
signature covers the time and the raw body. django-anymail's view is not used: it warns, each time it is made, that its
support of SendGrid has ended.
"""

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from credentials.provider_hooks import read_public_key
from dispatch.intake import secret
from dispatch.intake.calls import Authenticated, Call, NotAuthentic

SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"
LONGEST_AGE = timedelta(hours=25)
"""SendGrid tries for 24 hours, and does not say that it signs anew. A body that was taken already has no effect."""
MOST_AHEAD = timedelta(minutes=15)

_TIMESTAMP = re.compile("[0-9]{10}")


def authenticate(call: Call) -> Authenticated:
    """Raises NotAuthentic."""
    if not call.hook.signing_key or not call.hook.provider:
        return secret.authenticate(call)
    key = read_public_key(call.hook.signing_key)
    timestamp = call.request.headers.get(TIMESTAMP_HEADER, "")
    if key is None or not _TIMESTAMP.fullmatch(timestamp):
        raise NotAuthentic
    try:
        signature = base64.b64decode(call.request.headers.get(SIGNATURE_HEADER, ""), validate=True)
        key.verify(signature, timestamp.encode() + call.body, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        raise NotAuthentic from None
    age = call.received_at - datetime.fromtimestamp(int(timestamp), tz=UTC)
    if not -MOST_AHEAD <= age <= LONGEST_AGE:
        raise NotAuthentic
    return Authenticated(secret.digest_of(call))
