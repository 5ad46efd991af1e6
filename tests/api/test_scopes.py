"""What a key may do is written on it: every route asks for one scope, and nothing gets past it."""

from typing import Any

import pytest

from ampout.accounts.models import ApiKey
from ampout.accounts.rules.keys import ALL_SCOPES
from ampout.api.scopes import scope_for
from tests import factories
from tests.api import hostile
from tests.api.hostile import assert_refused
from tests.api.routes import filled
from tests.api.test_every_route import ROUTES, code_of
from tests.api.unchanged import nothing_changes
from tests.conftest import ApiClient
from tests.docs.pages import bare, read, rows, section

CAMPAIGN = "/campaigns/<str:campaign_id>"
SENDING = {
    ("POST", f"{CAMPAIGN}/dispatch"),
    ("POST", f"{CAMPAIGN}/resume"),
    ("POST", f"{CAMPAIGN}/test_send"),
    ("POST", f"{CAMPAIGN}/smtp_credentials/<str:smtp_credential_id>/reenable"),
    ("POST", "/messages/<str:message_id>/resolve"),
}


def expected(method: str, route: str) -> str:
    """The scope of a route, as people would say it."""
    if route.startswith(("/api_keys", "/webhooks")) or (method, route) == ("PATCH", "/account"):
        return "admin"
    if (method, route) in SENDING:
        return "send"
    return "read" if method == "GET" else "write"


def client_with(api: ApiClient, *scopes: str) -> ApiClient:
    return ApiClient(api.account, factories.make_key(api.account, scopes=scopes).plaintext)


def test_the_routes_that_send_are_there() -> None:
    assert set(ROUTES) >= SENDING


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_a_key_without_the_scope_is_told_which_one_it_lacks(api: ApiClient, method: str, route: str) -> None:
    wanted = expected(method, route)
    others = [scope for scope in ALL_SCOPES if scope != wanted]
    with nothing_changes():
        response = client_with(api, *others).send(method, filled(route), {"no_such_field": 1})
    assert code_of(response) == (403, "insufficient_scope")
    assert response.json()["details"] == {"required_scope": wanted, "scopes": others}
    assert f"`{wanted}`" in response.json()["message"]


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_the_scope_alone_is_enough(api: ApiClient, method: str, route: str) -> None:
    response = client_with(api, expected(method, route)).send(method, filled(route), {"no_such_field": 1})
    assert response.status_code in {200, 404, 422}


def test_head_asks_for_what_get_asks_for() -> None:
    assert scope_for("HEAD", "contacts") == "read"
    assert scope_for("HEAD", "api_keys") == "admin"


def test_a_route_that_nobody_thought_of_is_walled() -> None:
    assert [scope_for(method, "new/<str:new_id>/things") for method in ("GET", "POST")] == ["read", "write"]


def test_a_key_has_all_scopes_unless_told_otherwise(api: ApiClient) -> None:
    assert api.post("/api_keys", {}).json()["scopes"] == ["read", "write", "send", "admin"]


def test_scopes_are_kept_in_one_order_and_once(api: ApiClient) -> None:
    made = api.post("/api_keys", {"scopes": ["send", "read", "send"]}).json()
    assert made["scopes"] == ["read", "send"]
    assert api.get("/api_keys").json()[0]["scopes"] == ["read", "send"]
    made_client = ApiClient(api.account, made["plaintext"])
    assert (made_client.get("/contacts").status_code, made_client.post("/contact_imports", {}).status_code) == (
        200,
        403,
    )


@pytest.mark.parametrize("scopes", [None, "", "read", [], ["all"], ["READ"], [1], [None], {}, ["read"] * 5])
def test_scopes_are_a_list_of_four_words(api: ApiClient, scopes: Any) -> None:
    response = api.post("/api_keys", {"scopes": scopes})
    assert response.status_code == 422
    assert next(iter(response.json()["details"])).startswith("scopes")
    assert ApiKey.objects.of(api.account).count() == 1


@pytest.mark.parametrize("value", hostile.NOT_TEXT, ids=hostile.short_id)
def test_a_scope_is_a_word(api: ApiClient, value: Any) -> None:
    assert_refused(api.post("/api_keys", {"scopes": [value]}), "scopes.0")


def test_a_key_grants_no_more_than_it_has(api: ApiClient) -> None:
    lesser = client_with(api, "read", "admin")
    response = lesser.post("/api_keys", {"scopes": ["read", "send"]})
    assert code_of(response) == (403, "insufficient_scope")
    assert response.json()["details"] == {"required_scope": "send", "scopes": ["read", "admin"]}
    assert ApiKey.objects.of(api.account).count() == 2
    assert lesser.post("/api_keys", {}).json()["scopes"] == ["read", "admin"]


def test_the_last_key_that_can_make_others_stays(api: ApiClient) -> None:
    """One that cannot is no way back in."""
    first = ApiKey.objects.of(api.account).get()
    reader = factories.make_key(api.account, scopes=["read", "write", "send"])
    response = api.delete(f"/api_keys/{first.pk}")
    assert (response.status_code, response.json()["code"]) == (422, "cannot_revoke_last_key")
    assert api.delete(f"/api_keys/{reader.key.pk}").status_code == 204


def test_scopes_that_were_taken_away_are_gone_at_once(api: ApiClient) -> None:
    assert api.get("/contacts").status_code == 200
    ApiKey.objects.of(api.account).update(scopes=["send"])
    assert api.get("/contacts").status_code == 403


def test_a_foreign_id_is_no_way_around(api: ApiClient, other_api: ApiClient) -> None:
    foreign = factories.make_contact(other_api.account)
    writer = client_with(api, "write")
    assert writer.get(f"/contacts/{foreign.pk}").content == writer.get("/contacts/nothing").content


def test_the_page_says_the_same() -> None:
    table = rows(section(read("reference/api.md"), "### Scopes"))
    assert [bare(row[0]) for row in table] == list(ALL_SCOPES)
    for method, route in SENDING:
        assert f"`{route.rsplit('/', 1)[1]}`" in table[2][1], (method, route)
