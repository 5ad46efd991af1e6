"""How many requests pass, and what happens when the counter is away."""

import logging
import re
from typing import Any

import pytest
from django.test import Client, RequestFactory, override_settings
from pytest_django.fixtures import Settings
from rest_framework.request import Request

from ampout.accounts.models import ApiKey
from ampout.accounts.services import limit_key
from ampout.api import throttles
from ampout.lib.client import client_address, client_network
from tests import factories
from tests.conftest import ApiClient

NOWHERE = "redis://127.0.0.1:1/0"


@override_settings(RATE_LIMIT_PER_MINUTE=3)
def test_a_key_is_limited_and_told_when_to_come_back(api: ApiClient) -> None:
    assert [api.get("/api_keys").status_code for _ in range(4)] == [200, 200, 200, 429]
    response = api.get("/api_keys")
    assert response.json()["code"] == "rate_limited"
    assert re.fullmatch(r"[1-9]\d?", response["Retry-After"])
    assert int(response["Retry-After"]) <= 60


@override_settings(RATE_LIMIT_PER_MINUTE=1)
def test_each_key_has_a_limit_of_its_own(api: ApiClient) -> None:
    other = ApiClient(api.account, factories.make_key(api.account).plaintext)
    assert [api.get("/api_keys").status_code, api.get("/api_keys").status_code] == [200, 429]
    assert other.get("/api_keys").status_code == 200


def limit_headers(response: Any) -> dict[str, str]:
    return {name: value for name, value in response.items() if name.startswith(("RateLimit", "Retry-After"))}


@override_settings(RATE_LIMIT_PER_MINUTE=2)
def test_every_answer_to_a_key_says_what_is_left(api: ApiClient) -> None:
    answers = [api.get("/contacts"), api.post("/contacts/x/erase"), api.get("/contacts"), api.get("/contacts")]
    assert [answer.status_code for answer in answers] == [200, 404, 429, 429]
    for answer, remaining in zip(answers, ["1", "0", "0", "0"], strict=True):
        headers = limit_headers(answer)
        seconds = headers["RateLimit-Reset"]
        assert 0 < int(seconds) <= 60
        assert headers.pop("Retry-After", seconds) == seconds
        assert headers == {
            "RateLimit-Limit": "2",
            "RateLimit-Remaining": remaining,
            "RateLimit-Reset": seconds,
            "RateLimit-Policy": '"key";q=2;w=60',
            "RateLimit": f'"key";r={remaining};t={seconds}',
        }


def test_refusals_are_counted_and_say_so_too(api: ApiClient) -> None:
    reader = ApiClient(api.account, factories.make_key(api.account, scopes=["read"]).plaintext)
    answers = [
        reader.post("/contact_imports", {}),
        reader.send("PUT", "/contacts"),
        reader.get("/contacts", limit="x"),
        reader.get("/contacts/x"),
    ]
    assert [answer.status_code for answer in answers] == [403, 405, 422, 404]
    assert [answer["RateLimit-Remaining"] for answer in answers] == ["59", "58", "57", "56"]


def test_a_repeated_answer_tells_what_is_left_now(api: ApiClient) -> None:
    answers = [api.post("/outreaches", {"name": "Spring"}, idempotency_key="once") for _ in range(2)]
    assert answers[1]["Idempotent-Replayed"] == "true"
    assert [answer["RateLimit-Remaining"] for answer in answers] == ["59", "58"]


def test_who_has_no_key_is_told_nothing(anonymous: ApiClient) -> None:
    assert limit_headers(anonymous.get("/contacts")) == {}


@override_settings(RATE_LIMIT_PER_MINUTE=1)
def test_an_unlimited_key_is_not_counted(api: ApiClient) -> None:
    key = ApiKey.objects.of(api.account).get()
    assert limit_key(key.pk, is_limited=False)
    answers = [api.get("/contacts") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert [limit_headers(answer) for answer in answers] == [{}] * 3
    assert limit_key(key.pk, is_limited=True)
    assert [api.get("/contacts").status_code for _ in range(2)] == [200, 429]


@override_settings(REDIS_URL=NOWHERE)
def test_without_redis_nothing_is_said_of_a_limit(api: ApiClient) -> None:
    assert limit_headers(api.get("/contacts")) == {}


@pytest.mark.parametrize("body", [{"is_rate_limited": False}, {"rate_limit": None}])
def test_no_key_makes_itself_unlimited(api: ApiClient, body: Any) -> None:
    assert api.post("/api_keys", body).status_code == 422


def test_a_window_ends_with_its_length(db: None) -> None:
    name = f"test:{factories.make_account().pk}"
    assert throttles.count_request(name, 60) == (1, 60)
    count, seconds_left = throttles.count_request(name, 60)
    assert (count, 0 < seconds_left <= 60) == (2, True)


def test_without_redis_requests_pass_and_it_is_logged_once(
    api: ApiClient, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    # It answers first, as another test may have ended without it.
    assert api.get("/api_keys").status_code == 200
    settings.REDIS_URL, settings.RATE_LIMIT_PER_MINUTE = NOWHERE, 1
    with caplog.at_level(logging.WARNING, logger="ampout.api.throttles"):
        assert [api.get("/api_keys").status_code for _ in range(3)] == [200, 200, 200]
    assert [record.getMessage() for record in caplog.records if record.name == "ampout.api.throttles"] == [
        "Redis does not answer: requests are not limited."
    ]


@override_settings(ALLOW_SIGNUP=True, SIGNUP_LIMIT_PER_HOUR=2)
def test_sign_up_is_limited_by_client_address(db: None) -> None:
    def sign_up(number: int, address: str) -> int:
        body = {"email": f"new{number}@tenant.example", "name": "New"}
        return Client(REMOTE_ADDR=address).post("/signup", body, content_type="application/json").status_code

    assert [sign_up(number, "203.0.113.7") for number in range(3)] == [201, 201, 429]
    assert sign_up(4, "203.0.113.8") == 201


def request_from(address: str, forwarded: str | None = None) -> Request:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return Request(RequestFactory().get("/", headers=headers, REMOTE_ADDR=address))


@pytest.mark.parametrize(
    ("behind_proxy", "forwarded", "expected"),
    [
        (False, "198.51.100.1", "10.0.0.1"),
        (True, None, "10.0.0.1"),
        (True, "198.51.100.1", "198.51.100.1"),
        (True, "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        (True, "x" * 500, "x" * 100),
    ],
)
def test_the_client_address_is_what_our_own_proxy_saw(behind_proxy: bool, forwarded: str | None, expected: str) -> None:
    with override_settings(BEHIND_PROXY=behind_proxy):
        assert client_address(request_from("10.0.0.1", forwarded)) == expected


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_one_ipv6_client_is_one_network(address: str, network: str) -> None:
    assert client_network(address) == network
