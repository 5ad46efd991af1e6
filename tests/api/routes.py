"""The routes of the API, taken from the URL conf: a new one is tested before anybody thinks of it."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from django.urls import URLPattern

from ampout.api.resources import Resource
from ampout.api.urls import urlpatterns

METHODS = ("GET", "POST", "PATCH", "DELETE")
PARAMETER = re.compile("<(?:[a-z]+:)?([a-z_]+)>")
"""A part of a path that is filled in: its name is the group."""


def is_resource(pattern: URLPattern) -> bool:
    """Whether a resource of an account answers there."""
    view: Any = getattr(pattern.callback, "cls", None)
    return view is not None and issubclass(view, Resource)


def view_of(pattern: URLPattern) -> Any:
    """The class that answers there."""
    callback: Any = pattern.callback
    return callback.cls


CALLS: list[tuple[str, str]] = [
    (method, "/" + str(pattern.pattern))
    for pattern in urlpatterns
    if is_resource(pattern)
    for method in METHODS
    if hasattr(view_of(pattern), method.lower())
]
"""Each method with each route: `("GET", "/contacts/<str:contact_id>")`."""


def names_in(route: str) -> list[str]:
    """The names of the ids in a route, from the left."""
    return PARAMETER.findall(route)


def filled(route: str, text: str | None = None) -> str:
    """The route with this text for its ids, or with ids of nothing."""
    return PARAMETER.sub(lambda _match: text or str(uuid.uuid4()), route)


def path_to(route: str, ids: Mapping[str, Any]) -> str:
    """The route with these ids."""
    return PARAMETER.sub(lambda match: str(ids[match[1]]), route)
