"""The page behind an unsubscribe link: looking changes nothing, one POST does it (RFC 8058; promise G10)."""

from typing import Any

import pytest
from django.test import Client

from ampout.events.models import Event
from campaigns.models import Contact, Enrollment, Suppression
from dispatch.models import Message
from dispatch.services.deletion import delete_campaign, delete_contact
from dispatch.services.unsubscribe import make_token
from tests.services.desk import Desk

ONE_CLICK: dict[str, Any] = {"data": "List-Unsubscribe=One-Click", "content_type": "application/x-www-form-urlencoded"}


@pytest.fixture
def desk(db: None) -> Desk:
    """An engine that has sent one message."""
    made = Desk()
    made.released(1, steps=2)
    made.send_due()
    return made


@pytest.fixture
def url(desk: Desk) -> str:
    """The link in that message."""
    return f"/u/{make_token(Message.everywhere.get().pk)}"


@pytest.fixture
def stranger() -> Client:
    """Somebody without a cookie, who would notice a missing CSRF token."""
    return Client(enforce_csrf_checks=True)


def changes() -> tuple[Any, ...]:
    """Everything an unsubscription would change."""
    return (
        list(Enrollment.everywhere.values_list("status", "stopped_at", "unsubscribed_at", "next_due_at")),
        list(Contact.everywhere.values_list("unsubscribed_at", flat=True)),
        list(Suppression.everywhere.values_list("scope", "reason")),
        list(Message.everywhere.values_list("state", flat=True)),
        Event.everywhere.count(),
    )


# -- Looking


LOOKS: list[tuple[str, dict[str, str]]] = [
    ("GET", {}),
    ("HEAD", {}),
    ("OPTIONS", {}),
    ("GET", {"Purpose": "prefetch", "X-Moz": "prefetch", "Sec-Purpose": "prefetch;prerender"}),
    ("GET", {"User-Agent": "Mozilla/5.0 (compatible; BarracudaCentral; link protection)"}),
    ("GET", {"User-Agent": "Microsoft Office Protected View", "X-Forwarded-For": "203.0.113.9"}),
    ("OPTIONS", {"Origin": "https://mail.example", "Access-Control-Request-Method": "POST"}),
]


@pytest.mark.parametrize(("method", "headers"), LOOKS)
def test_looking_changes_nothing(stranger: Client, url: str, method: str, headers: dict[str, str]) -> None:
    before = changes()
    for _ in range(20):
        answer = stranger.generic(method, url, headers=headers)
        assert answer.status_code == (204 if method == "OPTIONS" else 200)
        assert not answer.cookies
    assert changes() == before


def test_a_body_or_a_query_on_a_get_changes_nothing(stranger: Client, url: str) -> None:
    before = changes()
    stranger.generic("GET", f"{url}?List-Unsubscribe=One-Click", **ONE_CLICK)
    assert changes() == before


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE"])
def test_other_methods_are_refused(stranger: Client, url: str, method: str) -> None:
    before = changes()
    assert stranger.generic(method, url).status_code == 405
    assert changes() == before


def test_the_page_has_a_form_that_posts_to_itself_and_tells_nothing_of_the_contact(
    stranger: Client, desk: Desk, url: str
) -> None:
    page = stranger.get(url).content.decode()
    assert f'action="{url}"' in page
    assert 'method="post"' in page.lower()
    assert desk.account.sender_name in page
    assert Contact.everywhere.get().email not in page


def test_nobody_may_keep_or_frame_the_page(stranger: Client, url: str) -> None:
    for answer in (stranger.get(url), stranger.post(url, **ONE_CLICK)):
        assert "no-store" in answer.headers["Cache-Control"]
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "same-origin"


# -- Acting


def test_one_post_without_cookie_or_redirect_unsubscribes(stranger: Client, url: str) -> None:
    answer = stranger.post(url, **ONE_CLICK)
    assert (answer.status_code, dict(answer.cookies)) == (200, {})
    assert Enrollment.everywhere.get().status == "unsubscribed"
    assert Suppression.everywhere.get().reason == "unsubscribed"


def test_posting_again_changes_nothing_more(stranger: Client, url: str) -> None:
    stranger.post(url, **ONE_CLICK)
    once = changes()
    for _ in range(5):
        assert stranger.post(url, **ONE_CLICK).status_code == 200
    assert changes() == once
    assert Event.everywhere.filter(type="enrollment.unsubscribed").count() == 1


@pytest.mark.parametrize(
    "request_facts",
    [
        {"data": {}, "content_type": "application/x-www-form-urlencoded"},
        {"data": b"List-Unsubscribe=One-Click", "content_type": "text/plain"},
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"data": b"\x00\xff" * 100, "content_type": "application/octet-stream"},
    ],
)
def test_whatever_the_body_looks_like_a_post_is_a_wish(
    stranger: Client, url: str, request_facts: dict[str, Any]
) -> None:
    """Also the page's own form, whose button sends no field."""
    if request_facts["data"] == {}:
        request_facts = {**request_facts, "data": b""}
    assert stranger.post(url, **request_facts).status_code == 200
    assert Enrollment.everywhere.get().status == "unsubscribed"


def test_it_works_after_everything_was_deleted(stranger: Client, desk: Desk, url: str) -> None:
    enrollment = Enrollment.everywhere.get()
    delete_contact(desk.account, enrollment.contact_id, now=desk.now)
    delete_campaign(desk.account, enrollment.campaign_id, now=desk.now)
    assert stranger.get(url).status_code == 200
    assert stranger.post(url, **ONE_CLICK).status_code == 200
    assert Suppression.everywhere.get().reason == "unsubscribed"


def test_after_it_nothing_more_is_sent(stranger: Client, desk: Desk, url: str) -> None:
    stranger.post(url, **ONE_CLICK)
    desk.wait(days=30)
    assert desk.send_due() == []
    assert desk.violations() == []


# -- What is no link of ours


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        "x",
        "A" * 43,
        "A" * 10_000,
        "%00%00",
        "..%2f..%2fetc%2fpasswd",
        "%F0%9F%92%A9",
        "<script>alert(1)</script>",
        "{{7*7}}",
    ],
)
def test_a_garbled_link_is_not_found_and_echoes_nothing(db: None, stranger: Client, method: str, path: str) -> None:
    answer = stranger.generic(method, f"/u/{path}")
    assert answer.status_code == 404
    assert b"alert(1)" not in answer.content
    assert not Suppression.everywhere.exists()


def test_a_forged_link_is_not_found_and_changes_nothing(stranger: Client, url: str) -> None:
    before = changes()
    last = "B" if url[-1] != "B" else "C"
    for forged in (url[:-1] + last, url[:-1], url + "A", url.swapcase()):
        assert stranger.post(forged, **ONE_CLICK).status_code == 404
    assert changes() == before
