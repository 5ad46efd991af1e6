"""The account's own page: what its messages say of their sender."""

from typing import Any

import pytest

from ampout.accounts.models import Account
from tests.api import hostile
from tests.api.hostile import assert_refused
from tests.conftest import ApiClient

VALUES = {"name": "Alice & Co", "sender_name": "Alice", "postal_address": "1 Loopback Lane\n12345 Nowhere"}


def stored(api: ApiClient) -> dict[str, Any]:
    return dict(
        Account.objects.filter(pk=api.account.pk).values("name", "sender_name", "postal_address", "email").get()
    )


def test_it_is_shown(api: ApiClient) -> None:
    answer = api.get("/account").json()
    assert answer.pop("created_at").endswith("Z")
    assert answer == {"id": str(api.account.pk), **stored(api)}


def test_every_field_can_be_set(api: ApiClient) -> None:
    answer = api.patch("/account", {"account": VALUES}).json()
    assert {name: answer[name] for name in VALUES} == VALUES
    assert stored(api) == VALUES | {"email": api.account.email}


def test_what_is_not_given_stays(api: ApiClient) -> None:
    before = stored(api)
    api.patch("/account", {"sender_name": ""})
    assert stored(api) == before | {"sender_name": ""}
    assert api.patch("/account", {}).status_code == 200


@pytest.mark.parametrize("name", ["name", "sender_name"])
@pytest.mark.parametrize("value", [*hostile.NOT_TEXT, *hostile.HOSTILE_LINES, "n" * 201], ids=hostile.short_id)
def test_names_are_lines_of_text(api: ApiClient, name: str, value: Any) -> None:
    before = stored(api)
    assert_refused(api.patch("/account", {name: value, "postal_address": "moved"}), name)
    assert stored(api) == before


@pytest.mark.parametrize("value", [*hostile.NOT_TEXT, "nul\x00", "a\rb", "a\u2028b", "p" * 501], ids=hostile.short_id)
def test_the_postal_address_is_lines_of_text(api: ApiClient, value: Any) -> None:
    before = stored(api)
    assert_refused(api.patch("/account", {"postal_address": value}), "postal_address")
    assert stored(api) == before


@pytest.mark.parametrize("value", [None, "", "  "])
def test_the_name_cannot_be_emptied(api: ApiClient, value: Any) -> None:
    assert_refused(api.patch("/account", {"name": value}), "name")


@pytest.mark.parametrize("name", ["id", "email", "created_at", "suspended_at"])
def test_the_rest_is_not_the_accounts_to_set(api: ApiClient, name: str) -> None:
    before = stored(api)
    assert_refused(api.patch("/account", {name: None}), name)
    assert stored(api) == before
