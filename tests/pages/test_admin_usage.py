"""What operators see of an account's usage, and how they limit it."""

from datetime import date
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from ampout.accounts.models import Account, MonthlyUsage
from ampout.api.admin.columns import change_url, list_url
from ampout.lib import clock
from dispatch.models import MonthlyReservation
from tests import factories
from tests.pages.admin_pages import read
from tests.services.usage_ledger import left

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client: Client) -> Client:
    """Olga, who may do everything."""
    client.force_login(User.objects.create(username="olga", is_staff=True, is_superuser=True))
    return client


def set_limit(client: Client, account: Account, limit: str) -> Any:
    """Send the form of an account's page with another limit."""
    particulars = {"name": account.name, "email": account.email, "sender_name": "", "postal_address": ""}
    return client.post(change_url(account), particulars | {"monthly_limit": limit})


def limit_of(account: Account) -> int | None:
    account.refresh_from_db()
    return account.monthly_limit


def test_the_page_of_an_account_shows_what_it_sent_this_month(operator: Client, account: Account) -> None:
    left(account, clock.utc_now(), times=41)
    page = " ".join(read(operator, change_url(account)).split())
    assert "Sends this month" in page
    assert "41" in page.partition("Sends this month")[2][:600]
    assert f"{list_url(MonthlyUsage)}?account__exact={account.pk}" in page


def test_closed_months_are_listed(operator: Client, account: Account) -> None:
    MonthlyUsage.objects.create(account=account, month=date(2026, 10, 1), client_kind="sdk", sends=987)
    page = read(operator, f"{list_url(MonthlyUsage)}?account__exact={account.pk}")
    assert all(words in page for words in ("987", "sdk", "2026"))


def test_a_limit_is_set_changed_and_lifted_and_who_did_it_is_kept(operator: Client, account: Account) -> None:
    assert set_limit(operator, account, "500").status_code == 302
    assert limit_of(account) == 500
    set_limit(operator, account, "0")
    assert limit_of(account) == 0
    set_limit(operator, account, "")
    assert limit_of(account) is None
    entries = LogEntry.objects.filter(object_id=str(account.pk)).select_related("user")
    assert {(entry.user.get_username(), "Monthly limit" in entry.get_change_message()) for entry in entries} == {
        ("olga", True)
    }


def test_setting_a_limit_counts_what_was_sent(operator: Client, account: Account) -> None:
    left(account, clock.utc_now(), times=3)
    set_limit(operator, account, "5")
    assert MonthlyReservation.objects.of(account).get().reserved == 3


def test_other_particulars_leave_the_reservation_alone(operator: Client, account: Account) -> None:
    set_limit(operator, account, "5")
    MonthlyReservation.objects.of(account).update(reserved=4)
    account.name = "Alice & Co"
    set_limit(operator, account, "5")
    assert (limit_of(account), account.name) == (5, "Alice & Co")
    assert MonthlyReservation.objects.of(account).get().reserved == 4


@pytest.mark.parametrize("limit", ["-1", "many", "1.5", "2147483648", "9" * 30])
def test_a_limit_that_is_none_is_refused_on_the_page(operator: Client, account: Account, limit: str) -> None:
    answer = set_limit(operator, account, limit)
    assert answer.status_code == 200
    assert "monthly_limit" in answer.context["adminform"].form.errors
    assert limit_of(account) is None


def test_a_new_account_may_have_a_limit_from_the_start(operator: Client) -> None:
    particulars = {"name": "Bob", "email": "bob@tenant.example", "sender_name": "", "postal_address": ""}
    operator.post("/admin/accounts/account/add/", particulars | {"monthly_limit": "7"})
    assert Account.objects.get(name="Bob").monthly_limit == 7


def test_who_may_only_look_sets_no_limit(client: Client) -> None:
    account = factories.make_account("Alice")
    viewer = User.objects.create(username="victor", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_account"))
    client.force_login(viewer)
    assert set_limit(client, account, "5").status_code == 403
    assert limit_of(account) is None
