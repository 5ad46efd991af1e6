"""The one envelope of every refusal: `{"code", "type", "message", "details"}`."""

from typing import Any

from django.http import HttpRequest, JsonResponse


def envelope(code: str, message: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """The contract's error body."""
    return {"code": code, "type": f"https://ampout.dev/errors/{code}", "message": message, "details": details or {}}


def page_not_found(_request: HttpRequest, _exception: Exception) -> JsonResponse:
    """A path that is not in the contract."""
    return JsonResponse(envelope("not_found", "Nothing is here."), status=404)


def server_error(_request: HttpRequest) -> JsonResponse:
    """A fault of ours, without its details."""
    return JsonResponse(envelope("internal_error", "Something failed on our side; it was logged."), status=500)


def bad_request(_request: HttpRequest, _exception: Exception) -> JsonResponse:
    """A request that cannot be read."""
    return JsonResponse(envelope("bad_request", "The request cannot be read."), status=400)


def permission_denied(_request: HttpRequest, _exception: Exception) -> JsonResponse:
    """A refusal by Django itself."""
    return JsonResponse(envelope("insufficient_scope", "This is not allowed."), status=403)
