"""One envelope for every refusal, whoever refuses."""

import logging
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404
from django.test import Client

from ampout.api import api_keys
from tests.conftest import ApiClient


def assert_envelope(response: Any, status: int, code: str) -> None:
    answer = response.json()
    assert (response.status_code, answer["code"]) == (status, code)
    assert sorted(answer) == ["code", "details", "message", "type"]
    assert answer["type"].endswith(f"/{code}")
    assert response["Content-Type"] == "application/json"


def test_an_unknown_path(api: ApiClient) -> None:
    assert_envelope(api.get("/nothing"), 404, "not_found")
    assert_envelope(api.get("/api_keys/"), 404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "HACK"])
def test_a_method_that_the_path_does_not_have(api: ApiClient, method: str) -> None:
    response = api.send(method, "/api_keys")
    assert_envelope(response, 405, "method_not_allowed")
    assert response["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("given", ["x", "1", "%00", "..%2f", "9f0fe1b08d4e4f3e9a5e0d6f6a1a0000", "ffffffff-" * 20])
def test_an_id_that_is_none_is_answered_like_a_missing_one(api: ApiClient, given: str) -> None:
    missing = api.delete("/api_keys/9f0fe1b0-8d4e-4f3e-9a5e-0d6f6a1a0000")
    malformed = api.delete(f"/api_keys/{given}")
    assert_envelope(missing, 404, "api_key_not_found")
    if "%2f" not in given:
        assert malformed.content == missing.content


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Http404("a path of ours"), 404, "not_found"),
        (PermissionDenied("a reason of ours"), 403, "insufficient_scope"),
        (SuspiciousOperation("a detail of ours"), 400, "bad_request"),
    ],
)
def test_djangos_own_refusals(
    api: ApiClient, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    monkeypatch.setattr(api_keys.ApiKeys, "get", _raiser(error))
    api.is_described = False
    response = api.get("/api_keys")
    assert_envelope(response, status, code)
    assert "of ours" not in response.content.decode()


def test_a_fault_of_ours_tells_nothing(
    api: ApiClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(api_keys.ApiKeys, "get", _raiser(RuntimeError("canary of the inside")))
    client = Client(raise_request_exception=False)
    with caplog.at_level(logging.ERROR):
        response = client.get("/api_keys", headers={"Authorization": f"Bearer {api.key}"})
    assert_envelope(response, 500, "internal_error")
    assert "canary" not in response.content.decode()
    assert api.key is not None
    assert api.key not in caplog.text


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*", "nonsense", "text/html;q=\x7f"])
def test_answers_are_json_whatever_is_asked_for(api: ApiClient, accept: str) -> None:
    response = api.send("GET", "/api_keys", accept=accept)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")


def test_a_request_for_another_host_is_refused(api: ApiClient) -> None:
    assert_envelope(api.send("GET", "/api_keys", host="attacker.example"), 400, "bad_request")


def _raiser(error: Exception) -> Any:
    def handler(_view: object, _request: object) -> None:
        raise error

    return handler
