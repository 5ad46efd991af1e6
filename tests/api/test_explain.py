"""`explain` and `forecast` by HTTP: what clients and people read."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ampout.accounts.models import Account
from ampout.lib import clock, sql
from campaigns.models import Campaign, Enrollment
from credentials.models import SmtpCredential
from dispatch import world_reads
from dispatch.rules.gates import GateName
from dispatch.services import explain, explain_campaign, forecast, lanes, lifecycle, plan, senders
from tests import factories
from tests.conftest import ApiClient

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the day is left, whenever the tests run."""
    monkeypatch.setattr(clock, "utc_now", lambda: NOON)


@pytest.fixture
def campaign(account: Account) -> Campaign:
    """Three contacts fit today; each keeps a gap of an hour."""
    credential = factories.make_credential(account, daily_limit=3, from_email="ann@example.com")
    facts = {"min_wait_seconds": 3_600, "max_wait_seconds": 3_600}
    return factories.make_campaign(account, credentials=[credential], steps=2, **facts)


def enroll(campaign: Campaign, count: int) -> list[Enrollment]:
    return [factories.enroll(campaign) for _ in range(count)]


def release(campaign: Campaign) -> None:
    lifecycle.release(campaign.account, campaign.pk)
    lanes.add_missing_lanes()


def gate(answer: Any, name: str) -> Any:
    [found] = [one for one in answer["gates"] if one["gate"] == name]
    return found


def test_a_step_that_nobody_released_says_so(api: ApiClient, campaign: Campaign) -> None:
    [enrolled] = enroll(campaign, 1)
    answer = api.get(f"/enrollments/{enrolled.pk}/explain").json()
    assert (answer["state"], answer["reason"]) == ("waiting", "not_released")
    assert (answer["earliest_at"], answer["expected_at"], answer["expected_reason"]) == (None, None, "not_released")
    assert gate(answer, "batch")["sentence"] == "Batch 0 was not dispatched yet: dispatch it."


def test_each_gate_has_a_verdict_and_a_sentence(api: ApiClient, campaign: Campaign) -> None:
    [enrolled] = enroll(campaign, 1)
    release(campaign)
    answer = api.get(f"/enrollments/{enrolled.pk}/explain").json()
    assert [one["gate"] for one in answer["gates"]] == [gate.value for gate in GateName]
    assert {one["verdict"] for one in answer["gates"]} == {"pass"}
    assert all(one["sentence"].endswith(".") for one in answer["gates"])
    assert answer["earliest_at"] == answer["expected_at"] == answer["at"]


def test_the_planner_does_what_was_expected(api: ApiClient, campaign: Campaign) -> None:
    enrolled = enroll(campaign, 2)
    release(campaign)
    plan.plan()
    first, second = (api.get(f"/enrollments/{one.pk}/explain").json() for one in enrolled)
    assert (first["reason"], second["reason"]) == ("in_flight", "in_flight")
    hours = datetime.fromisoformat(second["expected_at"]) - datetime.fromisoformat(first["expected_at"])
    assert hours.total_seconds() == 3_600


def test_whoever_does_not_fit_today_waits_for_a_later_day(api: ApiClient, campaign: Campaign) -> None:
    enrolled = enroll(campaign, 5)
    release(campaign)
    cap = gate(api.get(f"/enrollments/{enrolled[4].pk}/explain").json(), "daily_cap")
    assert (cap["verdict"], cap["value"], cap["limit"]) == ("wait", 0, 3)
    assert cap["opens_at"] == "2026-11-23T00:00:00Z"


def test_a_reply_ends_it(api: ApiClient, campaign: Campaign) -> None:
    [enrolled] = enroll(campaign, 1)
    Enrollment.everywhere.filter(pk=enrolled.pk).update(stopped_at="2026-01-01T00:00:00Z", stop_reason="replied")
    answer = api.get(f"/enrollments/{enrolled.pk}/explain").json()
    assert (answer["state"], answer["reason"]) == ("ended", "replied")
    assert [one["gate"] for one in answer["gates"]] == ["stopped"]


def test_a_disabled_credential_waits_for_somebody(api: ApiClient, campaign: Campaign) -> None:
    [enrolled] = enroll(campaign, 1)
    release(campaign)
    senders.disable_credential(campaign.credentials.get().pk, "operator")
    answer = api.get(f"/enrollments/{enrolled.pk}/explain").json()
    assert (answer["reason"], answer["expected_at"]) == ("paused", None)
    assert "all its credentials are disabled" in gate(answer, "campaign")["sentence"]


# -- Campaigns


def test_a_campaign_counts_what_its_contacts_wait_for(api: ApiClient, campaign: Campaign) -> None:
    enroll(campaign, 7)
    release(campaign)
    plan.plan()
    answer = api.get(f"/campaigns/{campaign.pk}/explain").json()
    counts = {one["reason"]: one["count"] for one in answer["reasons"]}
    assert counts == {"daily_cap": 4, "in_flight": 2, "gap": 1}
    assert answer["sentence"] == "7 waiting: 4 daily cap, 2 in flight, 1 gap"
    [credential] = answer["credentials"]
    assert (credential["used_today"], credential["daily_limit"], credential["reason"]) == (2, 3, "gap")


def test_the_counts_are_those_of_its_contacts_one_by_one(api: ApiClient, campaign: Campaign) -> None:
    disabled = factories.make_credential(campaign.account)
    campaign.attachments.create(credential=disabled)
    enrolled = enroll(campaign, 9)
    release(campaign)
    for one in enrolled[:2]:
        follow_up = {"next_position": 2, "smtp_credential": disabled, "status": "sent"}
        Enrollment.everywhere.filter(pk=one.pk).update(**follow_up)
    SmtpCredential.everywhere.filter(pk=disabled.pk).update(disabled_at="2026-01-01T00:00:00Z")
    factories.make_suppression(campaign.account, enrolled[3].contact.identity)
    one_by_one: dict[str, int] = {}
    for one in enrolled:
        reason = api.get(f"/enrollments/{one.pk}/explain").json()["reason"]
        one_by_one[reason] = one_by_one.get(reason, 0) + 1
    answer = api.get(f"/campaigns/{campaign.pk}/explain").json()
    assert {one["reason"]: one["count"] for one in answer["reasons"]} == one_by_one
    assert one_by_one == {"credential_disabled": 2, "suppressed": 1, "releasing": 1, "gap": 2, "daily_cap": 3}


@pytest.mark.parametrize("path", ["/campaigns/{}/explain", "/campaigns/{}/forecast"])
def test_the_number_of_queries_does_not_grow(api: ApiClient, campaign: Campaign, path: str) -> None:
    counts = []
    for more in (1, 3, 40):
        enroll(campaign, more)
        release(campaign)
        with CaptureQueriesContext(connection) as queries:
            assert api.get(path.format(campaign.pk)).status_code == 200
        counts.append(len(queries))
    # The first call notes that its key is used.
    assert counts[1] == counts[2]


# -- Forecasts


def test_the_forecast_counts_each_day_and_names_what_binds(api: ApiClient, campaign: Campaign) -> None:
    enroll(campaign, 5)
    answer = api.get(f"/campaigns/{campaign.pk}/forecast").json()
    assert (answer["assumes"], answer["sends"], answer["unfinished_reason"]) == ("dispatched", 10, None)
    assert sum(day["first_steps"] for day in answer["days"]) == 5
    assert all(day["first_steps"] <= 3 for day in answer["days"])
    assert answer["days"][-1]["binding"] is None
    assert answer["finish_at"][:10] == answer["days"][-1]["day"]
    assert answer["with_one_more_credential"]["daily_limit"] == 3
    assert answer["with_one_more_credential"]["finish_at"] < answer["finish_at"]


def test_a_horizon_is_told_where_the_end_lies_behind_it(api: ApiClient, campaign: Campaign) -> None:
    enroll(campaign, 20)
    release(campaign)
    answer = api.get(f"/campaigns/{campaign.pk}/forecast", days=1).json()
    assert (answer["finish_at"], answer["unfinished_reason"], answer["assumes"]) == (None, "after_horizon", None)


@pytest.mark.parametrize("days", ["0", "367", "soon", "-1"])
def test_a_horizon_that_is_none_is_refused_by_name(api: ApiClient, campaign: Campaign, days: str) -> None:
    answer = api.get(f"/campaigns/{campaign.pk}/forecast", days=days)
    assert answer.status_code == 422
    assert answer.json()["details"] == {"days": ["Must be a whole number between 1 and 366."]}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/enrollments/{}/explain", "enrollment_not_found"),
        ("/campaigns/{}/explain", "campaign_not_found"),
        ("/campaigns/{}/forecast", "campaign_not_found"),
    ],
)
def test_what_is_not_there_is_not_found(
    api: ApiClient, other_api: ApiClient, campaign: Campaign, path: str, code: str
) -> None:
    [enrolled] = enroll(campaign, 1)
    for missing in (campaign.pk, enrolled.pk):
        answer = other_api.get(path.format(missing))
        assert (answer.status_code, answer.json()["code"]) == (404, code)


# -- One snapshot


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/enrollments/{1}/explain", "/campaigns/{0}/explain", "/campaigns/{0}/forecast"])
def test_everything_is_read_in_one_snapshot_that_writes_nothing(
    api: ApiClient, campaign: Campaign, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    [enrolled] = enroll(campaign, 1)
    release(campaign)
    read_world, seen = world_reads.read_world, []

    def watched(asked: Any) -> Any:
        seen.append(
            sql.fetch("SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')")
        )
        return read_world(asked)

    for module in (explain, explain_campaign, forecast):
        monkeypatch.setattr(module, "read_world", watched)
    assert api.get(path.format(campaign.pk, enrolled.pk)).status_code == 200
    assert seen == [[("repeatable read", "on")]]
