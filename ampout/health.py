"""Whether the web process is alive."""

from django.http import HttpRequest, JsonResponse


def healthz(_request: HttpRequest) -> JsonResponse:
    """200 as long as this process answers; it asks nobody else."""
    return JsonResponse({"status": "ok"})
