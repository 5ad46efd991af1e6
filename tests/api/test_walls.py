"""Another account's object answers exactly as one that does not exist (design, law 9; promise F1)."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ampout.accounts.models import Account, ApiKey
from campaigns.models import Contact, ContactImport, Suppression
from tests import factories
from tests.conftest import ApiClient

ROUTES = [
    ("DELETE", "/api_keys/{}", "api_key_not_found"),
    ("GET", "/contact_imports/{}", "contact_import_not_found"),
    ("GET", "/contact_imports/{}/contacts", "contact_import_not_found"),
    ("DELETE", "/contact_imports/{}", "contact_import_not_found"),
    ("GET", "/contacts/{}", "contact_not_found"),
    ("PATCH", "/contacts/{}", "contact_not_found"),
    ("DELETE", "/contacts/{}", "contact_not_found"),
    ("POST", "/contacts/{}/unsubscribe", "contact_not_found"),
    ("GET", "/contacts/{}/export", "contact_not_found"),
    ("POST", "/contacts/{}/erase", "contact_not_found"),
    ("DELETE", "/suppressions/{}", "not_found"),
]
MAKERS: dict[str, Callable[[Account], Any]] = {
    "/api_keys": lambda account: factories.make_key(account).key,
    "/contact_imports": factories.make_import,
    "/contacts": factories.make_contact,
    "/suppressions": lambda account: factories.make_suppression(account, "anna@x.example"),
}


def rows(account: Account) -> list[Any]:
    models = (ApiKey, Contact, ContactImport, Suppression)
    return [list(model.objects.of(account).order_by("pk").values()) for model in models]


@pytest.mark.parametrize(("method", "path", "code"), ROUTES)
def test_a_foreign_id_is_a_missing_one(
    api: ApiClient, other_account: Account, django_assert_num_queries: Any, method: str, path: str, code: str
) -> None:
    factories.make_key(other_account)
    factories.make_key(api.account)
    foreign = MAKERS["/" + path.split("/")[1]](other_account)
    before = rows(other_account)
    api.get("/account")
    missing = api.send(method, path.format(uuid.uuid4()))
    with django_assert_num_queries(_queries_of(lambda: api.send(method, path.format(uuid.uuid4())))):
        response = api.send(method, path.format(foreign.pk))
    assert (response.status_code, response.json()["code"]) == (404, code)
    assert response.content == missing.content == api.send(method, path.format("nonsense")).content
    assert rows(other_account) == before


@pytest.mark.parametrize("path", ["/api_keys", "/contact_imports", "/contacts", "/suppressions"])
def test_lists_hold_nothing_of_others(api: ApiClient, other_api: ApiClient, path: str) -> None:
    foreign = MAKERS[path](other_api.account)
    assert str(foreign.pk) in {row["id"] for row in other_api.get(path).json()}
    assert str(foreign.pk) not in {row["id"] for row in api.get(path).json()}


def test_look_ups_find_nothing_of_others(api: ApiClient, other_account: Account) -> None:
    factories.make_contact(other_account, "anna@x.example")
    factories.make_suppression(other_account, "anna@x.example")
    assert api.get("/contacts", email="anna@x.example").json() == []
    assert api.get("/suppressions", email="anna@x.example").json() == []


def test_a_cursor_of_another_account_shows_nothing_of_it(api: ApiClient, other_api: ApiClient) -> None:
    for _ in range(3):
        factories.make_contact(other_api.account)
    link = other_api.get("/contacts", limit=1)["Link"]
    path = link.removeprefix("<http://testserver").removesuffix('>; rel="next"')
    assert api.get(path).json() == []


def test_the_same_person_lives_in_two_accounts_apart(api: ApiClient, other_api: ApiClient) -> None:
    ours = factories.make_contact(api.account, "anna@x.example")
    theirs = factories.make_contact(other_api.account, "anna@x.example")
    api.post(f"/contacts/{ours.pk}/unsubscribe")
    assert other_api.get(f"/contacts/{theirs.pk}").json()["unsubscribed_at"] is None
    assert other_api.get("/suppressions").json() == []
    exported = api.get(f"/contacts/{ours.pk}/export").content.decode()
    assert str(theirs.pk) not in exported


def _queries_of(call: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        call()
    return len(captured)
