"""The description for programs, and two pages for people that need no other server."""

import json
from functools import cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from ampout.api.openapi.document import published
from ampout.lib import content_policy


@cache
def _text() -> bytes:
    return json.dumps(published(), ensure_ascii=False, separators=(",", ":")).encode()


# Nothing but GET and HEAD is answered, and another method is told so, not asked for a form's token.
@csrf_exempt
@require_safe
def openapi_json(_request: HttpRequest) -> HttpResponse:
    """The description, as OpenAPI 3.1. Any page may read it."""
    return HttpResponse(_text(), content_type="application/json", headers={"Access-Control-Allow-Origin": "*"})


@csrf_exempt
@require_safe
def swagger(request: HttpRequest) -> HttpResponse:
    """Swagger UI: read the API, and try it with a key of one's own."""
    return _page(request, "openapi/swagger.html")


@csrf_exempt
@require_safe
def redoc(request: HttpRequest) -> HttpResponse:
    """Redoc: the API as one page to read."""
    return _page(request, "openapi/redoc.html")


def _page(request: HttpRequest, template: str) -> HttpResponse:
    page = render(request, template)
    page.headers[content_policy.HEADER] = content_policy.DOCS
    return page
