"""Bodies: what is read as JSON, how it may be wrapped, and what is refused before any field is looked at."""

import json
from typing import Any

import pytest

from ampout.accounts.models import ApiKey
from tests.api.hostile import assert_refused
from tests.conftest import ApiClient

LIMIT = 2 * 1024 * 1024


def key_count(api: ApiClient) -> int:
    return ApiKey.objects.of(api.account).count()


@pytest.mark.parametrize(
    "body",
    [
        b'{"api_key": {"label": "robot"}}',
        b'{"label": "robot"}',
        b'\xef\xbb\xbf{"label": "robot"}',
        b' \n{"label":\t"\\u0072obot"} ',
    ],
)
def test_a_body_may_be_wrapped_in_the_resources_name_or_not(api: ApiClient, body: bytes) -> None:
    assert api.post("/api_keys", body).json()["label"] == "robot"


def test_no_body_is_an_empty_object(api: ApiClient) -> None:
    assert api.post("/api_keys").status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"label=robot",
        b'{"label": "a"} trailing',
        b'{"label": "\xff"}',
        b'{"label": "\xed\xa0\x80"}',
        '{"label": "robot"}'.encode("utf-16"),
        b'{"label": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"label": NaN}',
        b'{"label": -Infinity}',
        b'{"label": "a", "label": "b"}',
        b'{"api_key": {"label": "a", "label": "b"}}',
        b"[]",
        b'"robot"',
        b"7",
        b"null",
        b'{"label": ' + b"9" * 5_000 + b"}",
        b"[" * 100_000,
        b'{"label":' * 100_000,
        b'{"label": "nul \x00"}',
    ],
    ids=lambda body: repr(body)[:40],
)
def test_what_is_no_json_object_is_a_bad_request(api: ApiClient, body: bytes) -> None:
    response = api.post("/api_keys", body)
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")
    assert key_count(api) == 1


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", ""])
def test_a_body_of_another_type_is_refused(api: ApiClient, content_type: str) -> None:
    response = api.send("POST", "/api_keys", b'{"label": "robot"}', content_type=content_type)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
    assert key_count(api) == 1


def test_json_may_name_its_encoding(api: ApiClient) -> None:
    response = api.send("POST", "/api_keys", {}, content_type="application/json; charset=utf-8")
    assert response.status_code == 201


def test_a_body_over_two_megabytes_is_refused(api: ApiClient) -> None:
    response = api.post("/api_keys", b" " * (LIMIT + 1))
    assert (response.status_code, response.json()["code"]) == (413, "payload_too_large")
    assert api.post("/api_keys", b" " * (LIMIT - 2) + b"{}").status_code == 201


def test_a_chunked_body_is_refused_instead_of_being_taken_for_none(api: ApiClient) -> None:
    response = api.post("/api_keys", {"label": "robot"}, transfer_encoding="chunked")
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"lable": "a"}, "lable"),
        ({"api_key": {"lable": "a"}}, "lable"),
        ({"api_key": [], "label": "a"}, "api_key"),
        ({"api_key": {"label": "a"}, "label": "b"}, "label"),
        ({"apikey": {"label": "a"}}, "apikey"),
        ({"id": "x"}, "id"),
        ({"x" * 5_000: 1}, "x" * 100),
        ({"a\x00\r\nb": 1}, "a\x00\r\nb"),
    ],
)
def test_an_unknown_field_is_refused_by_name(api: ApiClient, body: dict[str, Any], field: str) -> None:
    assert_refused(api.post("/api_keys", body), field)
    assert key_count(api) == 1


def test_the_nearest_known_name_is_told(api: ApiClient) -> None:
    details = api.post("/api_keys", {"lable": "a"}).json()["details"]
    assert details == {"lable": ["Unknown field. Did you mean `label`?"]}


def test_a_body_of_very_many_unknown_fields_is_answered_at_once_and_briefly(api: ApiClient) -> None:
    body = json.dumps({f"field{number}": 1 for number in range(100_000)}).encode()
    response = api.post("/api_keys", body)
    assert (response.status_code, len(response.json()["details"])) == (422, 20)
