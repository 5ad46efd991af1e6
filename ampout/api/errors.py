"""The one envelope of every refusal: `{"code", "type", "message", "details"}` (contract: Errors)."""

from typing import Any

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import Http404, HttpRequest, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions
from rest_framework.response import Response

from ampout.lib.errors import AmpoutError, envelope


class BadRequest(AmpoutError):
    """The request cannot be read."""

    code = "bad_request"
    http_status = 400


class PayloadTooLarge(AmpoutError):
    """The body is larger than this endpoint reads."""

    code = "payload_too_large"
    http_status = 413


class UnsupportedMediaType(AmpoutError):
    """The body is of a type that this endpoint does not read."""

    code = "unsupported_media_type"
    http_status = 415


class InsufficientScope(AmpoutError):
    """The caller may not do this."""

    code = "insufficient_scope"
    http_status = 403


class AccountSuspended(AmpoutError):
    """An operator suspended the account: none of its keys works."""

    code = "account_suspended"
    http_status = 403


_UNREADABLE = (exceptions.ParseError, MultiPartParserError, SuspiciousOperation, UnreadablePostError)
_TOO_MANY = "There are too many query parameters, or too many parts of a form."
_KNOWN: tuple[tuple[tuple[type[Exception], ...], int, str, str], ...] = (
    ((RequestDataTooBig,), 413, "payload_too_large", "The body is larger than this endpoint reads."),
    ((TooManyFieldsSent, TooManyFilesSent), 400, "bad_request", _TOO_MANY),
    (_UNREADABLE, 400, "bad_request", "The request cannot be read."),
    ((exceptions.PermissionDenied, PermissionDenied), 403, "insufficient_scope", "This is not allowed."),
    ((exceptions.NotFound, Http404), 404, "not_found", "Nothing is here."),
)
"""Refusals of Django's and DRF's own; the first kind that fits counts."""
UNAUTHENTICATED = (exceptions.NotAuthenticated, exceptions.AuthenticationFailed)


def exception_handler(error: Exception, _context: dict[str, Any]) -> Response | None:
    """The answer to a refusal; None for a fault of ours, which Django logs and answers by `server_error`."""
    if isinstance(error, AmpoutError):
        return _refusal(error.http_status, error.code, error.message, error.details)
    if isinstance(error, UNAUTHENTICATED):
        return _unauthorized(error)
    if isinstance(error, exceptions.Throttled):
        return _rate_limited(error)
    return _known_refusal(error)


def _known_refusal(error: Exception) -> Response | None:
    if isinstance(error, exceptions.MethodNotAllowed):
        return _refusal(405, "method_not_allowed", str(error.detail))
    for kinds, status, code, sentence in _KNOWN:
        if isinstance(error, kinds):
            return _refusal(status, code, sentence)
    return None


def _unauthorized(error: exceptions.APIException) -> Response:
    response = _refusal(401, "unauthorized", str(error.detail))
    response["WWW-Authenticate"] = getattr(error, "auth_header", "Bearer")
    return response


def _rate_limited(error: exceptions.Throttled) -> Response:
    wait_seconds = max(1, int(getattr(error, "wait", 1)))
    response = _refusal(429, "rate_limited", f"Too many requests. Try again in {wait_seconds} seconds.")
    response["Retry-After"] = str(wait_seconds)
    return response


def _refusal(status: int, code: str, message: str, details: dict[str, Any] | None = None) -> Response:
    return Response(envelope(code, message, details), status=status)


def page_not_found(_request: HttpRequest, exception: Exception) -> JsonResponse:  # noqa: ARG001  # Django names it
    """A path that is not in the contract."""
    return JsonResponse(envelope("not_found", "Nothing is here."), status=404)


def server_error(_request: HttpRequest) -> JsonResponse:
    """A fault of ours, without its details."""
    return JsonResponse(envelope("internal_error", "Something failed on our side; it was logged."), status=500)


def bad_request(_request: HttpRequest, exception: Exception) -> JsonResponse:  # noqa: ARG001  # Django names it
    """A request that cannot be read."""
    return JsonResponse(envelope("bad_request", "The request cannot be read."), status=400)


def permission_denied(_request: HttpRequest, exception: Exception) -> JsonResponse:  # noqa: ARG001  # Django names it
    """A refusal by Django itself."""
    return JsonResponse(envelope("insufficient_scope", "This is not allowed."), status=403)
