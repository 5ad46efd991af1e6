"""What holds for every route and method there is, taken from the routes themselves (promise F1)."""

import re
import uuid
from typing import Any

import pytest
from django.urls import URLPattern

from ampout.accounts.services import suspend_account
from ampout.api.signup import Signup
from ampout.api.urls import urlpatterns
from tests.conftest import ApiClient

METHODS = ("GET", "POST", "PATCH", "DELETE")


def view_of(pattern: URLPattern) -> Any:
    callback: Any = pattern.callback
    return callback.cls


ROUTES: list[tuple[str, str]] = [
    (method, "/" + str(pattern.pattern))
    for pattern in urlpatterns
    for method in METHODS
    if hasattr(view_of(pattern), method.lower()) and view_of(pattern) is not Signup
]
WITH_IDS = [(method, route) for method, route in ROUTES if "<" in route]
WITH_BODIES = [(method, route) for method, route in ROUTES if method == "POST" and "<" not in route]


def filled(route: str, text: str | None = None) -> str:
    """The route with this text for its ids, or with ids of nothing."""
    return re.sub("<str:[a-z_]+>", lambda _match: text or str(uuid.uuid4()), route)


def code_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_nobody_comes_in_without_a_key(anonymous: ApiClient, method: str, route: str) -> None:
    assert code_of(anonymous.send(method, filled(route))) == (401, "unauthorized")


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_a_suspended_account_can_do_nothing(api: ApiClient, method: str, route: str) -> None:
    suspend_account(api.account.pk, "complaints")
    assert code_of(api.send(method, filled(route))) == (403, "account_suspended")


@pytest.mark.parametrize(("method", "route"), WITH_IDS)
def test_an_id_of_nothing_is_not_found_whatever_it_looks_like(api: ApiClient, method: str, route: str) -> None:
    missing = api.send(method, filled(route))
    status, code = code_of(missing)
    assert (status, code.endswith("not_found")) == (404, True)
    assert [api.send(method, filled(route, text)).content for text in ("x", "%00", "9" * 300)] == [missing.content] * 3


@pytest.mark.parametrize(("method", "route"), WITH_BODIES)
@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"a": 1, "a": 2}', b"[" * 50_000])
def test_what_cannot_be_read_is_a_bad_request(api: ApiClient, method: str, route: str, body: bytes) -> None:
    assert code_of(api.send(method, route, body)) == (400, "bad_request")


@pytest.mark.parametrize(("method", "route"), WITH_BODIES)
def test_an_unknown_field_is_named(api: ApiClient, method: str, route: str) -> None:
    response = api.send(method, route, {"no_such_field": 1})
    assert code_of(response) == (422, "validation_failed")
    assert "no_such_field" in response.json()["details"]
