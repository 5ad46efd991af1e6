"""An operator at work in the admin."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from ampout.accounts.models import Account
from campaigns.models import Campaign
from tests import factories

PASSWORD = "a long word for Olga"


@pytest.fixture
def campaign(transactional_db: None) -> Campaign:
    """An active campaign that somebody has complained of."""
    return factories.make_campaign(factories.make_account(), name="Spring outreach", status="active", steps=2)


@pytest.fixture
def operator_page(campaign: Campaign, page: Page) -> Page:
    """The admin's first page, after Olga has logged in."""
    User.objects.create_superuser("olga", password=PASSWORD)
    page.goto("/admin/")
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    return page


def test_an_operator_logs_in_finds_a_campaign_and_pauses_it(operator_page: Page, campaign: Campaign) -> None:
    page = operator_page
    page.get_by_role("link", name="Active campaigns").click()
    page.get_by_role("link", name="Spring outreach").click()
    page.get_by_role("button", name=re.compile("^Pause")).click()

    expect(page.get_by_text("Spring outreach: paused.")).to_be_visible()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.pause_reason) == ("paused", "operator")
    assert LogEntry.objects.get().user.get_username() == "olga"


def test_an_action_is_run_for_the_rows_chosen_in_a_list(operator_page: Page) -> None:
    page = operator_page
    page.goto("/admin/accounts/account/")
    page.locator("tbody input.action-select").first.check()
    page.get_by_label("Select action to run").select_option("suspend")
    page.get_by_role("button", name="Run").click()
    page.get_by_label("Reason").fill("sends what nobody asked for")
    page.get_by_role("button", name="Yes, do it").click()

    expect(page.get_by_text("suspended (sends what nobody asked for).")).to_be_visible()
    assert Account.objects.get().suspension_reason == "sends what nobody asked for"


def test_no_page_asks_another_host_for_anything(operator_page: Page, campaign: Campaign) -> None:
    page, hosts = operator_page, set[str]()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    for path in ("", "campaigns/campaign/", f"campaigns/campaign/{campaign.pk}/change/", "auth/user/add/"):
        page.goto(f"/admin/{path}", wait_until="networkidle")
    own = page.url.split("/")[2]
    assert hosts == {own}


def test_no_page_has_an_error_in_its_scripts(operator_page: Page, campaign: Campaign) -> None:
    page, errors = operator_page, list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    for path in ("", "dispatch/message/", f"campaigns/campaign/{campaign.pk}/change/", "accounts/account/add/"):
        page.goto(f"/admin/{path}", wait_until="networkidle")
    assert errors == []
