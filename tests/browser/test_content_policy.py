"""The policies in a real browser: every page works under its own, and what they forbid does not run."""

import re

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import ConsoleMessage, Page, expect

from ampout.api.admin.columns import change_url, list_url
from campaigns.models import Campaign
from dispatch.models import Message
from dispatch.services.unsubscribe import make_token
from tests.pages.admin_records import MAKERS

PASSWORD = "a long word for Olga"
VIOLATION = re.compile("Content Security Policy", re.IGNORECASE)


@pytest.fixture
def violations(page: Page) -> list[str]:
    """What the browser refused, in its own words, and the errors of scripts."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if VIOLATION.search(message.text):
            found.append(f"{message.location.get('url')}: {message.text}")

    page.on("console", note)
    page.on("pageerror", lambda error: found.append(f"{page.url}: {error}"))
    return found


@pytest.fixture
def olga(transactional_db: None) -> User:
    return User.objects.create_superuser("olga", password=PASSWORD)


@pytest.fixture
def operator_page(olga: User, page: Page) -> Page:
    """The admin's first page, after Olga has logged in."""
    page.goto("/admin/")
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("link", name="Overview")).to_be_visible()
    return page


def test_the_admins_pages_work_under_their_policy(operator_page: Page, violations: list[str]) -> None:
    page = operator_page
    for model in (Campaign, Message, User):
        url = change_url(MAKERS[model]())
        for path in (list_url(model), url, url.replace("/change/", "/history/")):
            page.goto(path)
    page.goto("/admin/auth/user/add/", wait_until="networkidle")
    assert violations == []


@pytest.mark.parametrize("path", ["/admin/login/", "/u/"])
def test_no_script_block_runs_in_any_page(page: Page, olga: User, violations: list[str], path: str) -> None:
    page.goto(path if path != "/u/" else unsubscribe_path())
    page.evaluate(
        """() => { const script = document.createElement("script"); script.textContent = "window.ran = true";
                   document.body.append(script); }"""
    )
    assert page.evaluate("window.ran === undefined")
    assert violations


def unsubscribe_path() -> str:
    """The page behind the link of a message."""
    return f"/u/{make_token(MAKERS[Message]().pk)}"


def test_a_recipient_unsubscribes_under_the_pages_policy(
    page: Page, transactional_db: None, violations: list[str]
) -> None:
    page.goto(unsubscribe_path())
    button = page.get_by_role("button")
    assert button.evaluate("button => getComputedStyle(button).fontWeight") == "600"
    button.click()
    expect(page.get_by_role("heading", name="unsubscribed")).to_be_visible()
    assert violations == []


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_pages_of_the_api_work_under_theirs(
    page: Page, transactional_db: None, violations: list[str], path: str
) -> None:
    missing: list[str] = []
    page.on("response", lambda answer: missing.append(answer.url) if answer.status >= 400 else None)
    page.goto(path, wait_until="networkidle")
    expect(page.get_by_role("heading", name="Errors").first).to_be_visible(timeout=60_000)
    assert missing == []
    # Redoc's own mark, which nobody sees here: it would come from another host, and does not.
    expect(page.locator("img[src*='redoc.ly']")).to_be_hidden()
    assert [one for one in violations if "redoc/logo-mini.svg" not in one] == []
