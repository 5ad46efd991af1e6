"""Logging in to the admin: guesses are limited by address and name, with Redis and without it."""

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import Settings

from ampout.api import operator_login as login

pytestmark = pytest.mark.django_db
PASSWORD = "a long word for Olga"
TOO_MANY = "Too many attempts to log in. Try again in 15 minutes."


@pytest.fixture(autouse=True)
def quick_hashes(settings: Settings) -> None:
    """A slow hash is the point of a password, not of these tests."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(params=["with Redis", "while Redis is away"])
def counters(request: pytest.FixtureRequest, settings: Settings) -> Iterator[None]:
    """Both places where guesses are counted."""
    if request.param != "with Redis":
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
    yield
    login._own_counters.clear()


@pytest.fixture
def olga(quick_hashes: None) -> User:
    return User.objects.create_superuser("olga", password=PASSWORD)


def stranger() -> str:
    """An address of its own for each test."""
    return str(IPv4Address(b"\x0a" + uuid4().bytes[:3]))


def attempt(address: str, name: str = "olga", password: str = "wrong") -> Any:
    return Client(REMOTE_ADDR=address).post("/admin/login/?next=/admin/", {"username": name, "password": password})


def test_whoever_guesses_has_to_wait_even_with_the_right_password(olga: User, counters: None) -> None:
    address = stranger()
    for _ in range(login.MOST_FOR_A_NAME):
        assert TOO_MANY not in attempt(address).content.decode()
    assert TOO_MANY in attempt(address).content.decode()
    refused = attempt(address, password=PASSWORD)
    assert (refused.status_code, "sessionid" in refused.cookies) == (200, False)
    assert TOO_MANY in attempt(address, name="OLGA").content.decode()


def test_nobody_elsewhere_and_no_other_name_has_to(olga: User, counters: None) -> None:
    address = stranger()
    for _ in range(login.MOST_FOR_A_NAME + 1):
        attempt(address)
    assert attempt(stranger(), password=PASSWORD).status_code == 302
    assert TOO_MANY not in attempt(address, name="otto").content.decode()


def test_an_address_has_a_limit_whatever_names_it_tries(
    olga: User, counters: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "MOST_FOR_AN_ADDRESS", 5)
    address = stranger()
    for number in range(5):
        attempt(address, name=f"name{number}")
    assert TOO_MANY in attempt(address, password=PASSWORD).content.decode()


def test_who_logs_in_starts_anew(olga: User, counters: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "MOST_FOR_AN_ADDRESS", 5)
    address = stranger()
    for _ in range(3):
        assert attempt(address).status_code == 200
        assert attempt(address, password=PASSWORD).status_code == 302


def test_many_addresses_of_one_network_are_one(olga: User, counters: None) -> None:
    network = f"2001:db8:{uuid4().hex[:4]}:2::"
    for number in range(login.MOST_FOR_A_NAME):
        attempt(f"{network}{number + 1:x}")
    assert TOO_MANY in attempt(f"{network}ffff").content.decode()


@pytest.mark.parametrize("name", ["", "x" * 10_000, "a\x00b", "\ud800", "olga\r\nX: y"])
def test_any_name_is_counted(olga: User, counters: None, name: str) -> None:
    assert attempt(stranger(), name=name.encode("utf-8", "replace").decode()).status_code == 200


def test_the_counters_of_one_process_do_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "MOST_KEPT", 3)
    for number in range(10):
        login._count_here(str(number), 0.0)
    assert list(login._own_counters) == ["7", "8", "9"]
    assert login._count_here("9", 1.0) == (2, login.WINDOW_SECONDS - 1)
    assert login._count_here("9", login.WINDOW_SECONDS + 1.0) == (1, login.WINDOW_SECONDS)
    login._own_counters.clear()
