"""Bearer keys are the only way in (contract: Ground rules; promises F2, F7)."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from ampout.accounts.models import ApiKey
from ampout.accounts.services import lift_suspension, suspend_account
from tests import factories
from tests.api.routes import CALLS, filled
from tests.conftest import ApiClient

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_live_key_is_let_in(api: ApiClient) -> None:
    assert api.get("/api_keys").status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Bearer ak_live_" + "A" * 43,
        "Bearer " + "A" * 100_000,
        "Bearer schlüssel",
        "Basic {key}",
        "Token {key}",
        "{key}",
        "Bearer {key}x",
        "Bearer {key} x",
        "Bearer '{key}'",
        "Bearer {prefix}",
    ],
    ids=lambda header: header[:30],
)
def test_anything_else_is_not(api: ApiClient, header: str) -> None:
    key = api.key or ""
    response = Client().get("/api_keys", headers={"Authorization": header.format(key=key, prefix=key[:12])})
    assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
    assert response["WWW-Authenticate"] == 'Bearer realm="ampout"'
    assert key not in response.content.decode()


@pytest.mark.parametrize("header", ["bearer {key}", "BEARER {key}", "Bearer  {key} "])
def test_the_scheme_is_read_as_http_writes_it(api: ApiClient, header: str) -> None:
    assert Client().get("/api_keys", headers={"Authorization": header.format(key=api.key)}).status_code == 200


def test_a_request_without_a_key_is_not(anonymous: ApiClient) -> None:
    response = anonymous.get("/api_keys")
    assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
    assert response["WWW-Authenticate"] == 'Bearer realm="ampout"'


@pytest.mark.parametrize("name", ["api_key", "access_token", "key", "token", "authorization"])
def test_a_key_in_the_query_string_is_not_looked_at(api: ApiClient, anonymous: ApiClient, name: str) -> None:
    assert anonymous.get("/api_keys", **{name: api.key or ""}).status_code == 401


@pytest.mark.parametrize("name", ["Authorization", "api_key", "sessionid", "csrftoken"])
def test_a_key_in_a_cookie_is_not_looked_at(api: ApiClient, name: str) -> None:
    browser = Client()
    browser.cookies[name] = api.key or ""
    assert browser.get("/api_keys").status_code == 401
    assert browser.get("/api_keys", headers={"Cookie": f"{name}=Bearer {api.key}"}).status_code == 401


@pytest.mark.parametrize("name", ["api_key", "authorization", "X-Api-Key", "Proxy-Authorization"])
def test_a_key_in_a_body_or_another_header_is_not_looked_at(api: ApiClient, anonymous: ApiClient, name: str) -> None:
    assert anonymous.post("/api_keys", {name: api.key}).status_code == 401
    other_headers = {name: f"Bearer {api.key}"} if name != "authorization" else {}
    assert Client().get("/api_keys", headers=other_headers).status_code == 401


@pytest.mark.parametrize(("method", "route"), CALLS)
def test_a_session_of_the_admin_is_no_way_in(anonymous: ApiClient, method: str, route: str) -> None:
    operator = Client()
    operator.force_login(User.objects.create_superuser("operator"))
    expected = 403 if route == "/signup" else 401
    assert operator.generic(method, filled(route), b"{}", content_type="application/json").status_code == expected


def test_the_api_never_opens_a_session(api: ApiClient) -> None:
    answers = [api.get("/account"), api.post("/api_keys", {"label": "robot"}), api.get("/no_such_path")]
    assert [answer.cookies for answer in answers] == [{}, {}, {}]


@pytest.mark.parametrize("path", ["/admin/", "/admin/accounts/account/", "/admin/login/"])
def test_a_key_is_no_way_into_the_admin(api: ApiClient, path: str) -> None:
    answer = Client().get(path, headers={"Authorization": f"Bearer {api.key}"}, follow=True)
    assert answer.request["PATH_INFO"] == "/admin/login/"


def test_the_admin_wants_its_token_from_everybody(anonymous: ApiClient) -> None:
    browser = Client(enforce_csrf_checks=True)
    assert browser.post("/admin/login/", {"username": "operator", "password": "x"}).status_code == 403
    browser.force_login(User.objects.create_superuser("operator"))
    for path in ("/admin/logout/", "/admin/accounts/account/add/", "/admin/accounts/account/", "/admin/jsi18n/"):
        assert browser.post(path, {"action": "suspend"}).status_code == 403, path


def test_a_revoked_key_is_out_at_once(api: ApiClient) -> None:
    other = factories.make_key(api.account)
    assert api.delete(f"/api_keys/{other.key.pk}").status_code == 204
    assert ApiClient(None, other.plaintext).get("/api_keys").status_code == 401


def test_a_revoked_key_gets_no_kept_answer_either(api: ApiClient) -> None:
    other = factories.make_key(api.account)
    robot = ApiClient(api.account, other.plaintext)
    assert robot.post("/api_keys", {"label": "robot"}, idempotency_key="one").status_code == 201
    api.delete(f"/api_keys/{other.key.pk}")
    refused = robot.post("/api_keys", {"label": "robot"}, idempotency_key="one")
    assert (refused.status_code, "plaintext" in refused.content.decode()) == (401, False)


def test_a_key_whose_scope_is_gone_gets_no_kept_answer_either(api: ApiClient) -> None:
    assert api.post("/api_keys", {"label": "robot"}, idempotency_key="one").status_code == 201
    ApiKey.objects.of(api.account).update(scopes=["read"])
    assert api.post("/api_keys", {"label": "robot"}, idempotency_key="one").status_code == 403


def test_a_suspended_account_is_told_so_until_it_is_lifted(api: ApiClient) -> None:
    suspend_account(api.account.pk, "complaints")
    response = api.post("/api_keys", {"label": "robot"})
    assert (response.status_code, response.json()["code"]) == (403, "account_suspended")
    assert "complaints" not in response.content.decode()
    assert ApiKey.objects.of(api.account).count() == 1
    lift_suspension(api.account.pk)
    assert api.get("/api_keys").status_code == 200


def test_the_last_use_is_noted_to_the_minute(api: ApiClient) -> None:
    for seconds, noted in [(0, 0), (59, 0), (61, 61), (62, 61)]:
        with time_machine.travel(START + timedelta(seconds=seconds), tick=False):
            api.get("/api_keys")
        assert ApiKey.objects.of(api.account).get().last_used_at == START + timedelta(seconds=noted)
