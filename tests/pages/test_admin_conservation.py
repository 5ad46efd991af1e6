"""A campaign's page shows where each of its steps is, and whether they add up (law 2)."""

import re
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.test import Client

from ampout.accounts.models import Account
from ampout.api.admin.columns import change_url
from ampout.lib import clock
from campaigns.models import Campaign
from dispatch.models import Message
from dispatch.services.tallied import tallied_conservation_of
from tests import factories
from tests.pages.admin_pages import count_queries, read

pytestmark = pytest.mark.django_db

ROW = re.compile(r"<th[^>]*>(.*?)</th>\s*<td[^>]*>(.*?)</td>", re.DOTALL)


@pytest.fixture
def operator(client: Client) -> Client:
    """Olga, who may do everything."""
    client.force_login(User.objects.create(username="olga", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def campaign(account: Account) -> Campaign:
    """Three sequences of two steps: one is through with a step and was answered, two have not begun."""
    campaign = factories.make_campaign(account, status="active", steps=2)
    now = clock.utc_now()
    answered = factories.enroll(campaign, status="replied", replied_at=now, stopped_at=now, stop_reason="replied")
    factories.make_message(answered, state="accepted")
    type(answered).everywhere.filter(pk=answered.pk).update(next_position=2)
    for _ in range(2):
        factories.enroll(campaign)
    return campaign


def account_of(client: Client, campaign: Campaign) -> tuple[dict[str, str], str]:
    """The rows of the account, and what is said below."""
    page = read(client, change_url(campaign))
    table, below = page.partition('id="conservation"')[2].split("</table>", 1)
    words = " ".join(re.sub(r"<[^>]*>", " ", below.partition("</p>")[0]).split())
    return {unescape(name): number for name, number in ROW.findall(table)}, words


def test_the_page_names_where_each_step_is(operator: Client, campaign: Campaign) -> None:
    rows, words = account_of(operator, campaign)
    assert rows == {
        "due to its enrollments": "6",
        "accepted": "1",
        "refused": "0",
        "gave up": "0",
        "quarantined": "0",
        "unknown": "0",
        "stopped: replied": "1",
        "waiting: earlier step": "2",
        "waiting: not released": "2",
        "accounted for": "6",
    }
    assert words == "balanced"


def test_the_page_says_the_same_as_the_api(operator: Client, campaign: Campaign) -> None:
    account = tallied_conservation_of([campaign.pk], now=clock.utc_now())[campaign.pk]
    rows, _ = account_of(operator, campaign)
    assert (rows["due to its enrollments"], rows["accounted for"]) == (str(account.due), str(account.accounted))
    assert len(rows) == 2 + 5 + len(account.stopped) + len(account.waiting)


def test_a_step_that_is_nowhere_is_missed(operator: Client, campaign: Campaign) -> None:
    Message.everywhere.filter(campaign=campaign).delete()
    rows, words = account_of(operator, campaign)
    assert (rows["due to its enrollments"], rows["accounted for"]) == ("6", "5")
    assert words == "not balanced It is off by 1: run manage.py audit, which names what is wrong."


def test_the_page_costs_as_many_queries_whatever_its_size(operator: Client, campaign: Campaign) -> None:
    read(operator, change_url(campaign))
    before = count_queries(operator, change_url(campaign))
    for reason in ("delay", "daily_cap", "gap"):
        factories.enroll(campaign, next_due_at=clock.utc_now(), wait_reason=reason)
    assert count_queries(operator, change_url(campaign)) == before
