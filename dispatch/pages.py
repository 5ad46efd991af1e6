"""What recipients' programs ask for: one-click unsubscribe (RFC 8058; GET changes nothing), pixels, and links."""

from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from ampout.lib.client import client_address, client_network, is_apple
from dispatch.rules.hits import HitKind
from dispatch.services.tokens import read_token
from dispatch.services.tracking import Visitor, record_hit
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


PIXEL = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")
"""A transparent GIF of one pixel."""


# Nothing but GET and HEAD is answered, and another method is told so, not asked for a form's token.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD"])
def open_pixel(request: HttpRequest, token: str) -> HttpResponse:
    """The pixel at the end of a message. A strange token gets the same picture, and changes nothing."""
    message_id = read_token(HitKind.OPEN, token)
    if message_id is not None:
        record_hit(HitKind.OPEN, message_id, _visitor(request))
    return HttpResponse(PIXEL, content_type="image/gif")


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD"])
def follow_link(request: HttpRequest, token: str) -> HttpResponse:
    """Lead on to where a message's link goes; only to a target that we signed for this very message."""
    target = request.GET.get("u", "")
    message_id = read_token(HitKind.CLICK, token, target)
    if message_id is None:
        return render(request, "link_invalid.html", status=404)
    record_hit(HitKind.CLICK, message_id, _visitor(request), target=target)
    # Nothing of this address is for the target's owner to see.
    headers = {"Location": quote(target, safe="!#$%&'()*+,/:;=?@[]~"), "Referrer-Policy": "no-referrer"}
    return HttpResponse(status=302, headers=headers)


def _visitor(request: HttpRequest) -> Visitor:
    address = client_address(request)
    purpose = " ".join(request.headers.get(name, "") for name in ("Purpose", "Sec-Purpose", "X-Purpose", "X-Moz"))
    return Visitor(
        method=request.method or "",
        user_agent=request.headers.get("User-Agent", ""),
        network=client_network(address, ipv4=24, ipv6=48),
        is_prefetch="prefetch" in purpose.lower() or "preview" in purpose.lower(),
        is_operator=request.user.is_authenticated,
        from_apple=is_apple(address),
    )
