"""Sign-up: off unless the operator allows it."""

from typing import Any

import pytest
from django.test import override_settings

from ampout.accounts.models import Account, ApiKey
from tests.api import hostile
from tests.api.hostile import assert_refused
from tests.conftest import ApiClient

BODY = {"email": "New@Tenant.example", "name": "New"}
ON = override_settings(ALLOW_SIGNUP=True)


@ON
def test_a_new_account_gets_its_first_key(anonymous: ApiClient) -> None:
    answer = anonymous.post("/signup", BODY).json()
    account = Account.objects.get()
    key = ApiKey.objects.of(account).get()
    assert answer["account"] == {"id": str(account.pk), "email": "new@tenant.example", "name": "New"}
    assert answer["api_key"]["id"] == str(key.pk)
    assert {"id", "prefix", "label", "client_kind", "created_at", "plaintext"} <= answer["api_key"].keys()
    assert ApiClient(account, answer["api_key"]["plaintext"]).get("/account").json()["name"] == "New"


@ON
def test_the_body_may_be_wrapped(anonymous: ApiClient) -> None:
    assert anonymous.post("/signup", {"signup": BODY}).status_code == 201


@override_settings(ALLOW_SIGNUP=False)
def test_it_is_off_unless_the_operator_turns_it_on(anonymous: ApiClient) -> None:
    response = anonymous.post("/signup", BODY)
    assert (response.status_code, response.json()["code"]) == (403, "insufficient_scope")
    assert "ALLOW_SIGNUP" in response.json()["message"]
    assert not Account.objects.exists()


@ON
@pytest.mark.parametrize("email", hostile.NOT_ADDRESSES, ids=hostile.short_id)
def test_email_is_an_address(anonymous: ApiClient, email: Any) -> None:
    if isinstance(email, str) and len(email) > 1_000_000:
        email = email[:1_000_000]
    assert_refused(anonymous.post("/signup", BODY | {"email": email}), "email")
    assert not Account.objects.exists()


@ON
@pytest.mark.parametrize(
    "name", [*hostile.NOT_TEXT, *hostile.HOSTILE_LINES, None, "", "  ", "n" * 201], ids=hostile.short_id
)
def test_name_is_a_line_of_text(anonymous: ApiClient, name: Any) -> None:
    assert_refused(anonymous.post("/signup", BODY | {"name": name}), "name")
    assert not Account.objects.exists()


@ON
def test_both_are_required(anonymous: ApiClient) -> None:
    assert_refused(anonymous.post("/signup", {}), "email", "name")


@ON
def test_a_key_is_neither_needed_nor_looked_at(anonymous: ApiClient) -> None:
    assert anonymous.post("/signup", BODY, authorization="Bearer nonsense").status_code == 201
