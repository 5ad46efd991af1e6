"""The pages that recipients see: one-click unsubscribe (RFC 8058). GET shows and changes nothing; POST acts."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from dispatch.services.unsubscribe import find_subscription, unsubscribe_by_token


# The token is the permission: a mailbox provider posts without a cookie or a form of ours.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST", "OPTIONS"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """The page behind `{{unsubscribe_url}}` and the `List-Unsubscribe` header."""
    if request.method == "OPTIONS":
        return HttpResponse(status=204, headers={"Allow": "GET, HEAD, POST, OPTIONS"})
    subscription = find_subscription(token)
    if subscription is None:
        return render(request, "unsubscribe_invalid.html", status=404)
    facts = {"sender_name": subscription.sender_name, "action_url": request.path}
    if request.method == "POST":
        unsubscribe_by_token(token)
        return render(request, "unsubscribed.html", facts)
    return render(request, "unsubscribe.html", facts)
