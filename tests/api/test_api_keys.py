"""Keys: shown once, listed without their text, revoked but for the last."""

from typing import Any

import pytest

from ampout.accounts.models import ApiKey
from tests import factories
from tests.api import hostile
from tests.api.hostile import assert_refused
from tests.conftest import ApiClient


def key_count(api: ApiClient) -> int:
    return ApiKey.objects.of(api.account).count()


def test_a_new_key_works_and_is_shown_once(api: ApiClient) -> None:
    answer = api.post("/api_keys", {"api_key": {"label": "robot", "client_kind": "mcp"}}).json()
    assert (answer["label"], answer["client_kind"]) == ("robot", "mcp")
    assert answer["plaintext"].startswith("ak_live_")
    assert (len(answer["plaintext"]), answer["prefix"]) == (51, answer["plaintext"][:12])
    listed = ApiClient(api.account, answer["plaintext"]).get("/api_keys").json()
    assert "plaintext" not in listed[0]
    assert answer["plaintext"] not in str(listed)


def test_a_key_without_wishes_is_direct(api: ApiClient) -> None:
    answer = api.post("/api_keys", {}).json()
    assert (answer["label"], answer["client_kind"]) == ("", "direct")


def test_times_are_utc_with_a_z(api: ApiClient) -> None:
    listed = api.get("/api_keys").json()[0]
    assert listed["created_at"].endswith("Z")
    assert listed["last_used_at"].endswith("Z")


def test_only_live_keys_of_the_account_are_listed(api: ApiClient, other_api: ApiClient) -> None:
    gone = factories.make_key(api.account, label="gone")
    api.delete(f"/api_keys/{gone.key.pk}")
    assert [key["prefix"] for key in api.get("/api_keys").json()] == [(api.key or "")[:12]]


@pytest.mark.parametrize("label", [*hostile.NOT_TEXT, *hostile.HOSTILE_LINES, "l" * 201], ids=hostile.short_id)
def test_label_is_a_line_of_text(api: ApiClient, label: Any) -> None:
    assert_refused(api.post("/api_keys", {"label": label}), "label")
    assert key_count(api) == 1


@pytest.mark.parametrize("kind", ["", "admin", "DIRECT", "direct ", None, 7, True, [], ["direct"], {}])
def test_client_kind_is_one_of_three(api: ApiClient, kind: Any) -> None:
    assert_refused(api.post("/api_keys", {"client_kind": kind}), "client_kind")
    assert key_count(api) == 1


def test_the_last_key_cannot_be_revoked(api: ApiClient) -> None:
    key = ApiKey.objects.of(api.account).get()
    response = api.delete(f"/api_keys/{key.pk}")
    assert (response.status_code, response.json()["code"]) == (422, "cannot_revoke_last_key")
    assert api.get("/api_keys").status_code == 200


def test_a_key_is_revoked_once(api: ApiClient) -> None:
    path = f"/api_keys/{factories.make_key(api.account).key.pk}"
    assert [api.delete(path).status_code, api.delete(path).status_code] == [204, 404]
