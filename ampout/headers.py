"""What every answer carries, whoever gave it: the outermost middleware, so that no other can answer past it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from ampout.lib import content_policy

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class HeadersMiddleware:
    """Adds the headers of safety that an answer does not have yet; a view that needs other ones sets them itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """The answer, with its headers."""
        response = self.get_response(request)
        for name, value in ALWAYS.items():
            response.headers.setdefault(name, value)
        media_type = response.headers.get("Content-Type", "").partition(";")[0]
        response.headers.setdefault(content_policy.HEADER, _policy(request, media_type))
        if media_type == "application/json":
            # Some answers hold what is shown once.
            response.headers.setdefault("Cache-Control", "no-store")
        if isinstance(response, HttpResponse):
            response.headers.setdefault("Content-Length", str(len(response.content)))
            if request.method == "HEAD":
                # The headers of GET and no body (RFC 9110, 9.3.2).
                response.content = b""
        return response


def _policy(request: HttpRequest, media_type: str) -> str:
    if media_type != "text/html":
        return content_policy.NOTHING
    match = request.resolver_match
    return content_policy.ADMIN if match is not None and "admin" in match.app_names else content_policy.PAGE
