"""Calls of Mailgun, signed with the account's webhook signing key.

Source: documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks. What is signed is a time and a
random token, not the event: so a call is good for 15 minutes, and its token for one body. django-anymail's validator
checks the signature; it looks at neither, and raises on some malformed values, so these are looked at first.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.webhooks.mailgun import MailgunTrackingWebhookView
from django.http import QueryDict

from dispatch.gateways.provider_events.payload import read_payload
from dispatch.intake.calls import Authenticated, Call, NotAuthentic

LONGEST_AGE = timedelta(minutes=15)

# Strict: time and token are signed as one text, so that a digit could be moved from one to the other.
_FORMS = {
    "timestamp": re.compile("[0-9]{10}"),
    "token": re.compile("[0-9A-Za-z]{20,100}"),
    "signature": re.compile("[0-9a-f]{64}"),
}


def authenticate(call: Call) -> Authenticated:
    """Raises NotAuthentic."""
    # Whoever knows that there is no key could sign.
    if not call.hook.signing_key:
        raise NotAuthentic
    given = _signature_fields(call)
    if any(not form.fullmatch(given.get(name, "")) for name, form in _FORMS.items()):
        raise NotAuthentic
    try:
        MailgunTrackingWebhookView(webhook_signing_key=call.hook.signing_key).run_validators(call.request)
    except AnymailWebhookValidationFailure:
        raise NotAuthentic from None
    signed_at = datetime.fromtimestamp(int(given["timestamp"]), tz=UTC)
    if abs(call.received_at - signed_at) > LONGEST_AGE:
        raise NotAuthentic
    return Authenticated(hashlib.sha256(b"mailgun\0" + given["token"].encode()).digest(), once=True)


def _signature_fields(call: Call) -> dict[str, str]:
    """Time, token and signature as texts, by the parser that the validator uses for this content type."""
    try:
        payload = read_payload(call.body)
    except ValueError:
        raise NotAuthentic from None
    is_form = isinstance(payload, QueryDict)
    if is_form == (call.request.content_type == "application/json") or not isinstance(payload, Mapping):
        raise NotAuthentic
    found: object = call.request.POST.dict() if is_form else payload.get("signature")
    if not isinstance(found, Mapping):
        raise NotAuthentic
    return {name: str(found[name]) for name in _FORMS if isinstance(found.get(name), str | int)}
