"""Failures by will, each at a place where secrets lie in local variables.

The web process fails where a request's `X-Sabotage` says; the worker for whatever is called "sabotaged".
"""

import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.http import HttpRequest, HttpResponse

PLACES = {
    "encrypt": ("ampout.lib.crypto", "encrypt"),
    "authenticate": ("django.contrib.auth.backends", "ModelBackend.authenticate"),
    "render": ("rest_framework.renderers", "JSONRenderer.render"),
    "digest": ("ampout.accounts.rules.keys", "key_digest"),
    "keep": ("ampout.accounts.idempotency", "keep"),
    "smtp": ("credentials.gateways.smtp_login", "resolve_target"),
    "imap": ("credentials.gateways.imap_login", "check_target"),
    "hook": ("dispatch.intake.secret", "digest_of"),
    "url": ("ampout.lib.http", "parse_url"),
    "token": ("dispatch.pages", "find_subscription"),
}
"""Functions that are given secrets, by what a request calls them."""

_wanted = threading.local()


class Sabotaged(RuntimeError):
    """What is raised."""


class SabotageMiddleware:
    """Notes where this request is to fail."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        _wanted.place = request.headers.get("X-Sabotage")
        return self.get_response(request)


class Sabotage(AppConfig):
    """Puts the failures in their places."""

    name = "tests.secrets"
    label = "sabotage"

    def ready(self) -> None:
        for place, (module, path) in PLACES.items():
            _replace(module, path, _when(lambda *_given, place=place: getattr(_wanted, "place", None) == place))
        _replace("credentials.gateways.smtp_connection", "SmtpConnection._auth_plain", _when(_is_sabotaged_login))
        _replace("credentials.gateways.imap_connection", "_log_in", _when(_is_sabotaged_login))
        _replace("ampout.lib.http", "send", _when(lambda *given: "sabotaged" in str(given)))
        _replace("dispatch.services.reconcile", "reconcile", _failing_once)


def _is_sabotaged_login(*given: Any) -> bool:
    logins = [*given, *(getattr(thing, "login", None) for thing in given)]
    return any(getattr(login, "username", "") == "sabotaged" for login in logins)


def _when(condition: Callable[..., bool]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A function that fails, its arguments at hand, where the condition says so."""

    def replacing(original: Callable[..., Any]) -> Callable[..., Any]:
        def sabotaged(*given: Any, **named: Any) -> Any:
            if condition(*given, *named.values()):
                raise Sabotaged("sabotaged")
            return original(*given, **named)

        return sabotaged

    return replacing


def _failing_once(original: Callable[[], Any]) -> Callable[[], Any]:
    """A task that fails with every password of the database in its hands."""
    tries = [0]

    def sabotaged() -> Any:
        from credentials.models import SmtpCredential  # noqa: PLC0415  # needs the apps to be ready

        passwords = [(row.smtp_password, row.imap_password) for row in SmtpCredential.everywhere.all()]
        tries[0] += bool(passwords)
        if tries[0] == 1:
            raise Sabotaged("sabotaged")
        return original()

    return sabotaged


def _replace(module: str, path: str, replacing: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    owner: Any = import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    setattr(owner, name, replacing(getattr(owner, name)))
