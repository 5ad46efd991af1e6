"""One call of a provider: read within limits, and the two answers that authentication has."""

from dataclasses import dataclass, field
from datetime import datetime

from django.http import HttpRequest

from ampout.lib.errors import AmpoutError
from credentials.models import ProviderHook
from dispatch.rules.sns import SnsMessage

LARGEST_BODY = 1024 * 1024
"""Bytes. SendGrid's batches have at most 768 KB, SNS's messages 256 KB, Brevo's batches 500 events."""


class NotAuthentic(AmpoutError):
    """The call is not known to be the provider's. One wording for every reason: a stranger learns nothing from it."""

    code = "insufficient_scope"
    http_status = 403

    def __init__(self) -> None:
        super().__init__("This call is not known to be the provider's.")


class CallTooLarge(AmpoutError):
    """The body is larger than any provider's."""

    code = "payload_too_large"
    http_status = 413


class CallUnreadable(AmpoutError):
    """The call is the provider's, and its body cannot be read."""

    code = "bad_request"
    http_status = 400


class CallOfWrongType(AmpoutError):
    """The body is of a type that this provider does not send."""

    code = "unsupported_media_type"
    http_status = 415


class WrongMethod(AmpoutError):
    """Calls are POST."""

    code = "method_not_allowed"
    http_status = 405


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it came, and the hook it names; a hook that nothing is known by where it names none."""

    request: HttpRequest = field(repr=False)
    body: bytes = field(repr=False)
    hook: ProviderHook
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A call that is the provider's.

    `dedupe` is what makes it the same call when it comes again. `once` says that another body with the same `dedupe`
    is a forgery: the signature did not cover the body. `sns` is Amazon's envelope.
    """

    dedupe: bytes
    once: bool = False
    sns: SnsMessage | None = None


def read_body(request: HttpRequest) -> bytes:
    """The raw body. Raises CallTooLarge, CallUnreadable."""
    if "HTTP_TRANSFER_ENCODING" in request.META:
        raise CallUnreadable("Send the body with a Content-Length; chunked bodies are not read.")
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_BODY:
        raise CallTooLarge(f"The body is larger than {LARGEST_BODY} bytes.")
    return bytes(request.body)
