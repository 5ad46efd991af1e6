"""`POST /hooks/in/<provider>/<credential>`: taken when it is authentic, stored, and answered after the commit.

Refusals come in an order that tells a stranger nothing: method and size before anything is looked up; then 403, worded
alike for an unknown credential, an unknown provider and a wrong signature or secret; and only the provider itself is
told that a body cannot be read.
"""

import uuid
from collections.abc import Callable, Mapping
from types import MappingProxyType

from django.http import HttpRequest, JsonResponse, QueryDict
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from ampout.lib import clock
from ampout.lib.errors import AmpoutError, envelope
from credentials.provider_hooks import hook_called, note_subscription
from credentials.rules.hook_provider import HookProvider
from dispatch.gateways.provider_events.payload import read_json, read_payload
from dispatch.gateways.sns import Amazon
from dispatch.intake import amazon_ses, mailgun, secret, sendgrid
from dispatch.intake.calls import (
    Authenticated,
    Call,
    CallOfWrongType,
    CallUnreadable,
    NotAuthentic,
    WrongMethod,
    read_body,
)
from dispatch.services.provider_calls import TokenReused, take_in, wants_confirmation

AMAZON = Amazon()
"""The one that is asked; it keeps certificates for the life of the process."""

Authenticate = Callable[[Call], Authenticated]

_BY_PROVIDER: Mapping[str, Authenticate] = MappingProxyType(
    {
        HookProvider.BREVO.value: secret.authenticate,
        HookProvider.MAILGUN.value: mailgun.authenticate,
        HookProvider.POSTMARK.value: secret.authenticate,
        HookProvider.SENDGRID.value: sendgrid.authenticate,
        HookProvider.SMTP2GO.value: secret.authenticate,
    }
)
"""All but Amazon's, which needs to ask Amazon."""

_JSON = frozenset({"application/json"})
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_TYPES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        HookProvider.AMAZON_SES.value: _JSON | {"text/plain"},
        HookProvider.MAILGUN.value: _JSON | _FORMS,
        HookProvider.SMTP2GO.value: _JSON | _FORMS,
    }
)
"""What providers send besides JSON. SNS calls its JSON text/plain."""


# A provider posts without a cookie or a form of ours; the call itself carries what it is known by.
@csrf_exempt
@never_cache
def take_call(request: HttpRequest, provider: str, credential_id: str, amazon: Amazon = AMAZON) -> JsonResponse:
    """Take one call: 200 `{}` when it is stored, or was before. `amazon` is another where a test plays Amazon."""
    try:
        if request.method != "POST":
            raise WrongMethod("Calls of providers are POST.")
        _take(request, provider, credential_id, amazon)
    except AmpoutError as error:
        return _refuse(error)
    return JsonResponse({})


def _take(request: HttpRequest, provider: str, credential_id: str, amazon: Amazon) -> None:
    body = read_body(request)
    call = Call(request, body, hook_called(provider, _read_id(credential_id)), clock.utc_now())
    authenticated = _authenticate(call, provider, amazon)
    _check_readable(call)
    try:
        take_in(
            call.hook,
            body,
            authenticated.dedupe,
            received_at=call.received_at,
            once=authenticated.once,
            sns=authenticated.sns,
        )
    except TokenReused:
        raise NotAuthentic from None
    if authenticated.sns is not None and wants_confirmation(call.hook, authenticated.sns):
        # Committed, and outside of any transaction. If Amazon is silent now, it will call again.
        amazon.confirm(call.hook.topic_arn, authenticated.sns.token)
        note_subscription(call.hook, clock.utc_now())


def _authenticate(call: Call, provider: str, amazon: Amazon) -> Authenticated:
    if provider == HookProvider.AMAZON_SES:
        return amazon_ses.authenticate(call, amazon)
    return _BY_PROVIDER.get(provider, secret.authenticate)(call)


def _check_readable(call: Call) -> None:
    """Only its form is looked at: an event of an unknown type is stored, and has no effect."""
    types = _TYPES.get(call.hook.provider, _JSON)
    if call.request.content_type not in types:
        raise CallOfWrongType(f"Send the call as {' or '.join(sorted(types))}.")
    is_form = call.request.content_type in _FORMS
    try:
        payload = read_payload(call.body) if is_form else read_json(call.body)
    except ValueError as error:
        raise CallUnreadable(str(error)) from None
    if is_form != isinstance(payload, QueryDict) or not isinstance(payload, Mapping | list):
        raise CallUnreadable("The body is not what its Content-Type says.")


def _read_id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _refuse(error: AmpoutError) -> JsonResponse:
    response = JsonResponse(envelope(error.code, error.message, error.details), status=error.http_status)
    if isinstance(error, WrongMethod):
        response["Allow"] = "POST"
    return response
