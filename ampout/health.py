"""What monitors ask: whether this process is alive, whether the installation does its work, and its metrics."""

import hmac
import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from ampout.lib.client import client_address
from ampout.lib.errors import envelope
from dispatch.rules.readiness import Check
from dispatch.services import metrics as metrics_service
from dispatch.services import watch


@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers; it asks nobody else."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 while the installation does its work, else 503 with a sentence for each thing that is wrong.

    Strangers are told no more than that.
    """
    checks = watch.check_readiness()
    known = is_monitor(request)
    shown = {name: _shown(check) for name, check in checks.items()} if known else {}
    if all(check.ok for check in checks.values()):
        return JsonResponse({"status": "ready", "checks": shown})
    problems = " ".join(check.message for check in checks.values() if not check.ok)
    words = problems if known else "Something does not work; monitors are told what."
    return JsonResponse(envelope("unavailable", words, {"status": "unready", "checks": shown}), status=503)


def _shown(check: Check) -> dict[str, object]:
    value = None if check.value is None else round(check.value, 1)
    return {"ok": check.ok, "value": value, "limit": check.limit, "message": check.message}


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics, for those who may see them."""
    if not is_monitor(request):
        how = (
            "Send METRICS_TOKEN as a bearer token."
            if settings.METRICS_TOKEN
            else "Ask from a private network, or set METRICS_TOKEN."
        )
        answer = JsonResponse(envelope("unauthorized", f"Metrics are not for everybody. {how}"), status=401)
        answer["WWW-Authenticate"] = "Bearer"
        return answer
    try:
        page, content_type = metrics_service.metrics_page(request.headers.get("Accept", ""))
    except DatabaseError:
        return JsonResponse(envelope("unavailable", "The database does not answer."), status=503)
    return HttpResponse(page, content_type=content_type)


def is_monitor(request: HttpRequest) -> bool:
    """Whether the caller has the token; where there is none, whether it calls from this machine or a private network.

    A proxy that we were not told of hides who calls: what comes through one is a stranger's.
    """
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode())
    if not settings.BEHIND_PROXY and {"X-Forwarded-For", "Forwarded"} & set(request.headers):
        return False
    try:
        address = ipaddress.ip_address(client_address(request))
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_private or address.is_loopback


VIEWS: dict[str, Callable[[HttpRequest], HttpResponse]] = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}


class HealthMiddleware:
    """Answers monitors before any other middleware: they ask by address, with a Host that is not allowed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Their answer, without asking anything behind this."""
        return VIEWS.get(request.path, self.get_response)(request)
