"""Calls known by our secret alone: Postmark, SMTP2GO, Brevo, and SendGrid where it does not sign.

The secret is the password of basic authentication, which all four send when it stands in their URL, and which, unlike
a query, no proxy writes down. Sources: postmarkapp.com/developer/webhooks/webhooks-overview#protecting-your-webhook,
developers.smtp2go.com/docs/webhooks-overview, developers.brevo.com/docs/username-and-password-authentication.
django-anymail's validator takes it from the request and compares it in constant time.
"""

import hashlib

from anymail.exceptions import AnymailWebhookValidationFailure
from anymail.webhooks.base import AnymailBaseWebhookView

from credentials.rules.hook_provider import SECRET_USER
from dispatch.intake.calls import Authenticated, Call, NotAuthentic


class _SecretView(AnymailBaseWebhookView):  # type: ignore[misc]  # anymail has no types
    """Made for its validator alone: no URL leads to it."""

    esp_name = "provider"


def authenticate(call: Call) -> Authenticated:
    """Raises NotAuthentic."""
    # Without a secret the validator would let everybody in.
    if not call.hook.secret:
        raise NotAuthentic
    try:
        _SecretView(webhook_secret=f"{SECRET_USER}:{call.hook.secret}").run_validators(call.request)
    except AnymailWebhookValidationFailure:
        raise NotAuthentic from None
    return Authenticated(digest_of(call))


def digest_of(call: Call) -> bytes:
    """SHA-256 of the provider and the whole body: no two different events have the same."""
    return hashlib.sha256(call.hook.provider.encode() + b"\0" + call.body).digest()
