"""Whether the web process is alive."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe


@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers; it asks nobody else."""
    return JsonResponse({"status": "ok"})


class HealthMiddleware:
    """Answers /healthz before any other middleware: load balancers ask by address, with a Host that is not allowed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The answer, without asking anything behind this."""
        return healthz(request) if request.path == "/healthz" else self.get_response(request)
