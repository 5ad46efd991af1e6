"""A real browser, Debian's chromium, against a live server."""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.db import connections
from playwright.sync_api import Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str:
    """The browser's path. Without one the test is skipped, except where CI could have installed it."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and os.environ.get("CI") == "true" and shutil.which("apt-get"):
        pytest.fail("chromium is missing: apt-get install -y --no-install-recommends chromium")
    if found is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    return found


@pytest.fixture
def page(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A page of a fresh browser, opened at the live server."""
    path = find_chromium()
    # Until it stops, playwright keeps an event loop in this thread. Django would refuse the ORM there, and gives it
    # connections of its own, which nobody else closes.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=path, args=ARGUMENTS) as browser:
        page = browser.new_page(base_url=live_server.url, viewport={"width": 1440, "height": 900})
        page.set_default_timeout(15_000)
        yield page
        connections.close_all()
