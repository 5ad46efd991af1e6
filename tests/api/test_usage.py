"""`GET /usage`, the kind of key that a send counts under, and the refusals at the operator's limit (contract)."""

from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from ampout.accounts.models import Account, MonthlyUsage
from ampout.accounts.row_security import behind_wall
from ampout.accounts.rules.keys import ClientKind
from ampout.lib import clock
from campaigns.models import Batch, Campaign
from dispatch.models import Message, UsageTally
from dispatch.services.limits import set_monthly_limit
from dispatch.usage import usage_of
from tests import factories
from tests.api.answers import assert_code
from tests.conftest import ApiClient
from tests.services.usage_ledger import left

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOTHING = {"direct": 0, "mcp": 0, "sdk": 0}
EMAILS = {"emails": ["me@recipient.example"]}


@pytest.fixture(autouse=True)
def _at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "utc_now", lambda: NOW)


def limited(api: ApiClient, sends: int, limit: int) -> None:
    """This much was sent of this much."""
    left(api.account, NOW, times=sends)
    set_monthly_limit(api.account.pk, limit, now=NOW)


def ready(account: Account) -> Campaign:
    """A campaign of one contact, not dispatched yet."""
    campaign = factories.make_campaign(account)
    factories.enroll(campaign)
    return campaign


# -- The page


def test_it_shows_this_month_and_the_twelve_before(api: ApiClient) -> None:
    left(api.account, NOW, times=2)
    left(api.account, NOW, kind="sdk")
    left(api.account, datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC), kind="mcp")
    MonthlyUsage.objects.create(account=api.account, month=date(2025, 11, 1), client_kind="sdk", sends=12)
    answer = api.get("/usage").json()
    history = answer.pop("history")
    assert answer == {
        "current_period": {
            "start": "2026-11-01T00:00:00Z",
            "end": "2026-12-01T00:00:00Z",
            "sends": 3,
            "by_client_kind": NOTHING | {"direct": 2, "sdk": 1},
        },
        "current_period_sends": 3,
        "monthly_limit": None,
        "remaining": None,
    }
    assert len(history) == 12
    assert history[0] == {"month": "2026-10", "sends": 1, "by_client_kind": NOTHING | {"mcp": 1}}
    assert history[1] == {"month": "2026-09", "sends": 0, "by_client_kind": NOTHING}
    assert history[-1] == {"month": "2025-11", "sends": 12, "by_client_kind": NOTHING | {"sdk": 12}}


@pytest.mark.parametrize(("sends", "limit", "remaining"), [(0, 5, 5), (4, 5, 1), (5, 5, 0), (6, 5, 0), (0, 0, 0)])
def test_what_is_left_of_the_limit_is_never_less_than_nothing(
    api: ApiClient, sends: int, limit: int, remaining: int
) -> None:
    limited(api, sends, limit)
    answer = api.get("/usage").json()
    assert (answer["current_period_sends"], answer["monthly_limit"], answer["remaining"]) == (sends, limit, remaining)


def test_it_is_the_accounts_own(api: ApiClient, other_api: ApiClient) -> None:
    left(other_api.account, NOW, times=7)
    set_monthly_limit(other_api.account.pk, 9, now=NOW)
    assert (api.get("/usage").json()["current_period_sends"], api.get("/usage").json()["monthly_limit"]) == (0, None)
    assert other_api.get("/usage").json()["remaining"] == 2


def test_a_key_that_may_only_read_reads_it(account: Account) -> None:
    key = factories.make_key(account, scopes=["read"]).plaintext
    assert ApiClient(account, key).get("/usage").status_code == 200


def test_it_takes_as_many_queries_for_a_long_past_as_for_none(
    api: ApiClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    api.get("/usage")
    with CaptureQueriesContext(connection) as for_none:
        api.get("/usage")
    for month in range(1, 12):
        left(api.account, datetime(2026, month, 3, tzinfo=UTC), times=3)
    with django_assert_num_queries(len(for_none)):
        assert api.get("/usage").json()["current_period_sends"] == 3


def test_behind_the_wall_it_is_read_from_the_tally_of_this_account(api: ApiClient, other_account: Account) -> None:
    left(other_account, NOW, times=2)
    left(api.account, NOW, times=3)
    with behind_wall(api.account.pk):
        assert [tally.count for tally in UsageTally.everywhere.all()] == [3]
        assert usage_of(api.account.pk, now=NOW).current.sends == 3
        # A call that moves a message has its trigger write to the tally, too.
        Message.everywhere.update(state="cancelled")
        assert usage_of(api.account.pk, now=NOW).current.sends == 0
    assert usage_of(other_account.pk, now=NOW).current.sends == 2


# -- The kind of key


@pytest.mark.parametrize("kind", ClientKind)
def test_what_a_key_releases_counts_under_its_kind(account: Account, kind: ClientKind) -> None:
    api = ApiClient(account, factories.make_key(account, client_kind=kind).plaintext)
    campaign = ready(account)
    assert api.post(f"/campaigns/{campaign.pk}/dispatch").status_code == 200
    assert Batch.objects.get(campaign=campaign).client_kind == kind
    assert api.post(f"/campaigns/{campaign.pk}/test_send", EMAILS).json()["sent"] == EMAILS["emails"]
    assert Message.everywhere.get(stream="test").client_kind == kind


# -- The limit


def test_a_dispatch_at_the_limit_is_a_402_with_the_figures(api: ApiClient) -> None:
    campaign = ready(api.account)
    limited(api, 5, 5)
    answer = api.post(f"/campaigns/{campaign.pk}/dispatch")
    assert_code(answer, 402, "plan_limit_reached")
    assert answer.json()["details"] == {"current_period_sends": 5, "monthly_limit": 5}
    assert "2026-12-01" in answer.json()["message"]
    campaign.refresh_from_db()
    assert campaign.status == "pending"


def test_a_test_send_at_the_limit_is_a_402_and_is_queued_once_there_is_room(api: ApiClient) -> None:
    campaign = ready(api.account)
    limited(api, 5, 5)
    assert_code(api.post(f"/campaigns/{campaign.pk}/test_send", EMAILS), 402, "plan_limit_reached")
    assert not Message.everywhere.filter(state="planned").exists()
    set_monthly_limit(api.account.pk, 6, now=NOW)
    assert api.post(f"/campaigns/{campaign.pk}/test_send", EMAILS).json()["sent"] == EMAILS["emails"]
    assert_code(api.post(f"/campaigns/{campaign.pk}/test_send", EMAILS), 402, "plan_limit_reached")


def test_a_dispatch_of_more_than_is_left_goes_through_with_a_warning(api: ApiClient) -> None:
    campaign = ready(api.account)
    factories.enroll(campaign)
    limited(api, 4, 5)
    answer = api.post(f"/campaigns/{campaign.pk}/dispatch").json()
    assert answer["released"] == 2
    assert "monthly_limit_exceeded" in [warning["code"] for warning in answer["warnings"]]


def test_a_resume_at_the_limit_is_no_402(api: ApiClient) -> None:
    campaign = factories.make_campaign(api.account, status="paused", pause_reason="manual")
    limited(api, 5, 5)
    assert api.post(f"/campaigns/{campaign.pk}/resume").json()["status"] == "active"


def test_other_calls_do_not_ask_for_the_limit(api: ApiClient) -> None:
    limited(api, 5, 5)
    assert (
        api.post("/contact_imports", {"name": "list", "contacts": [{"email": "p@recipient.example"}]}).status_code
        == 201
    )
    assert api.get(f"/campaigns/{ready(api.account).pk}").status_code == 200


def test_a_refusal_at_the_limit_is_kept_for_its_idempotency_key(api: ApiClient) -> None:
    path = f"/campaigns/{ready(api.account).pk}/dispatch"
    limited(api, 5, 5)
    assert_code(api.post(path, Idempotency_Key="one"), 402, "plan_limit_reached")
    set_monthly_limit(api.account.pk, 6, now=NOW)
    again = api.post(path, Idempotency_Key="one")
    assert_code(again, 402, "plan_limit_reached")
    assert again["Idempotent-Replayed"] == "true"
    assert api.post(path, Idempotency_Key="two").status_code == 200


def test_nobody_sets_a_limit_by_the_api(api: ApiClient) -> None:
    assert_code(api.patch("/account", {"monthly_limit": 9}), 422, "validation_failed")
