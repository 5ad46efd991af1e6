"""What holds for every route and method there is, taken from the routes themselves (promise F1)."""

from typing import Any

import pytest

from ampout.accounts.models import ApiKey
from ampout.accounts.services import suspend_account
from ampout.lib import clock
from tests.api.routes import CALLS, filled
from tests.conftest import ApiClient

ROUTES = [(method, route) for method, route in CALLS if route != "/signup"]
WITH_IDS = [(method, route) for method, route in ROUTES if "<" in route]
WITH_BODIES = [(method, route) for method, route in ROUTES if method == "POST" and "<" not in route]


def code_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_nobody_comes_in_without_a_key(anonymous: ApiClient, method: str, route: str) -> None:
    assert code_of(anonymous.send(method, filled(route))) == (401, "unauthorized")


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_a_revoked_key_is_no_key(api: ApiClient, method: str, route: str) -> None:
    ApiKey.objects.of(api.account).update(revoked_at=clock.utc_now())
    assert code_of(api.send(method, filled(route))) == (401, "unauthorized")


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
