"""The pixel and the links over HTTP."""

from urllib.parse import urlsplit

import pytest
from django.test import Client

from campaigns.models import Enrollment
from dispatch.models import Hit, Message
from dispatch.pages import PIXEL
from dispatch.services import tracking
from tests import factories

pytestmark = pytest.mark.django_db

FIREFOX = {"HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"}


@pytest.fixture
def message() -> Message:
    campaign = factories.make_campaign(factories.make_account())
    return factories.make_message(factories.enroll(campaign, status="sent"), state="accepted")


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def test_the_pixel_is_a_picture_that_nobody_keeps(client: Client, message: Message) -> None:
    response = client.get(path_of(tracking.open_url(message.pk)), **FIREFOX)  # type: ignore[arg-type]
    assert (response.status_code, response["Content-Type"], response.content) == (200, "image/gif", PIXEL)
    assert "no-store" in response["Cache-Control"]
    assert Enrollment.everywhere.get().status == "opened"
    assert Hit.everywhere.get().network == "127.0.0.0/24"


@pytest.mark.parametrize("token", ["x", "A" * 43, "%00", "ü"])
def test_a_strange_token_gets_the_picture_and_changes_nothing(client: Client, message: Message, token: str) -> None:
    response = client.get(f"/o/{token}")
    assert (response.status_code, response.content) == (200, PIXEL)
    assert Hit.everywhere.count() == 0


def test_a_head_request_is_a_scanners(client: Client, message: Message) -> None:
    response = client.head(path_of(tracking.open_url(message.pk)), **FIREFOX)  # type: ignore[arg-type]
    assert (response.status_code, response.content, response["Content-Length"]) == (200, b"", str(len(PIXEL)))
    assert Hit.everywhere.get().label == "scanner"
    assert Enrollment.everywhere.get().status == "sent"


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("https://x.example/a?b=c&d=e#f", "https://x.example/a?b=c&d=e#f"),
        ("https://x.example/ü?q=%20a", "https://x.example/%C3%BC?q=%20a"),
        ("http://[2001:db8::1]:8080/", "http://[2001:db8::1]:8080/"),
    ],
)
def test_a_link_leads_to_its_target(client: Client, message: Message, target: str, location: str) -> None:
    response = client.get(path_of(tracking.click_url(message.pk, target)), **FIREFOX)  # type: ignore[arg-type]
    assert (response.status_code, response["Location"]) == (302, location)
    assert (response["Referrer-Policy"], "no-store" in response["Cache-Control"]) == ("no-referrer", True)
    assert Hit.everywhere.get().url == target


def test_a_target_that_was_not_signed_leads_nowhere(client: Client, message: Message) -> None:
    good = path_of(tracking.click_url(message.pk, "https://x.example/"))
    token = good.partition("?")[0]
    for tried in [
        f"{token}?u=https://evil.example/",
        token,
        f"{good}/evil",
        f"{token}?u=",
        "/c/x?u=https://x.example/",
    ]:
        response = client.get(tried)
        assert response.status_code == 404, tried
        assert "Location" not in response, tried
    assert Hit.everywhere.count() == 0


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_nothing_but_get_and_head_is_taken(client: Client, message: Message, method: str) -> None:
    for url in [tracking.open_url(message.pk), tracking.click_url(message.pk, "https://x.example/")]:
        assert getattr(client, method)(path_of(url)).status_code == 405
    assert Hit.everywhere.count() == 0


@pytest.mark.parametrize("header", ["HTTP_PURPOSE", "HTTP_SEC_PURPOSE", "HTTP_X_MOZ"])
def test_a_prefetch_is_no_open(client: Client, message: Message, header: str) -> None:
    client.get(path_of(tracking.open_url(message.pk)), **FIREFOX, **{header: "prefetch"})  # type: ignore[arg-type]
    assert Hit.everywhere.get().label == "scanner"


def test_an_operator_who_is_logged_in_counts_for_nobody(admin_client: Client, message: Message) -> None:
    admin_client.get(path_of(tracking.open_url(message.pk)), **FIREFOX)  # type: ignore[arg-type]
    assert Hit.everywhere.get().label == "self"
