"""How many requests pass, and what happens when the counter is away."""

import logging
import re

import pytest
from django.test import Client, RequestFactory, override_settings
from rest_framework.request import Request

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


def test_a_window_ends_with_its_length(db: None) -> None:
    name = f"test:{factories.make_account().pk}"
    assert throttles.count_request(name, 60) == (1, 60)
    count, seconds_left = throttles.count_request(name, 60)
    assert (count, 0 < seconds_left <= 60) == (2, True)


@override_settings(REDIS_URL=NOWHERE, RATE_LIMIT_PER_MINUTE=1)
def test_without_redis_requests_pass_and_it_is_logged_once(api: ApiClient, caplog: pytest.LogCaptureFixture) -> None:
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
