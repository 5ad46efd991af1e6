"""Outreaches: containers of campaigns, with the totals of all of them."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ampout.accounts.models import Account
from ampout.lib import clock
from tests import factories
from tests.api.campaign_bodies import TOO_LONG, Table, cases
from tests.api.hostile import HOSTILE_LINES, NOT_BOOLEANS, NOT_TEXT, assert_refused
from tests.api.unchanged import nothing_changes
from tests.conftest import ApiClient

BAD: Table = {
    "name": [*NOT_TEXT, *HOSTILE_LINES, "", "  ", None, TOO_LONG],
    "unique_contacts": NOT_BOOLEANS,
    "unique_contact": [True],
}


def test_an_outreach_is_made_and_listed(api: ApiClient) -> None:
    response = api.post("/outreaches", {"outreach": {"name": "2026"}})
    assert response.status_code == 201
    shown = api.get("/outreaches").json()
    assert [(one["id"], one["name"], one["unique_contacts"]) for one in shown] == [
        (response.json()["id"], "2026", False)
    ]


@pytest.mark.parametrize(("field", "value"), cases(BAD))
def test_a_bad_value_makes_nothing(api: ApiClient, field: str, value: Any) -> None:
    with nothing_changes():
        assert_refused(api.post("/outreaches", {"name": "2026"} | {field: value}), field)


@pytest.mark.parametrize(("field", "value"), cases(BAD))
def test_a_bad_value_changes_nothing(api: ApiClient, account: Account, field: str, value: Any) -> None:
    outreach = factories.make_outreach(account)
    with nothing_changes():
        assert_refused(api.patch(f"/outreaches/{outreach.pk}", {field: value}), field)


def test_a_name_is_required(api: ApiClient) -> None:
    with nothing_changes():
        assert_refused(api.post("/outreaches", {"unique_contacts": True}), "name")


def test_a_patch_changes_what_it_gives(api: ApiClient, account: Account) -> None:
    outreach = factories.make_outreach(account, name="before")
    shown = api.patch(f"/outreaches/{outreach.pk}", {"unique_contacts": True}).json()
    assert (shown["name"], shown["unique_contacts"]) == ("before", True)


def test_it_shows_its_campaigns_and_their_totals(api: ApiClient, account: Account) -> None:
    outreach = factories.make_outreach(account)
    older, newer = (factories.make_campaign(account, outreach=outreach) for _ in range(2))
    gone = factories.make_campaign(account, outreach=outreach, deleted_at=clock.utc_now())
    factories.enroll(older)
    factories.enroll(newer, status="sent")
    factories.enroll(gone)
    shown = api.get(f"/outreaches/{outreach.pk}").json()
    assert shown["totals"] == {"pending": 1, "sent": 1, "opened": 0, "replied": 0, "bounced": 0, "unsubscribed": 0}
    assert [campaign["id"] for campaign in shown["campaigns"]] == [str(newer.pk), str(older.pk)]
    assert [campaign["totals"]["sent"] for campaign in shown["campaigns"]] == [1, 0]


def test_it_takes_as_many_queries_however_many_campaigns_it_has(api: ApiClient, account: Account) -> None:
    outreach = factories.make_outreach(account)

    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            api.get(f"/outreaches/{outreach.pk}")
        return len(captured)

    factories.make_campaign(account, outreach=outreach)
    count()
    few = count()
    for _ in range(4):
        factories.enroll(factories.make_campaign(account, outreach=outreach))
    assert count() == few


def test_an_outreach_cannot_be_deleted(api: ApiClient, account: Account) -> None:
    response = api.delete(f"/outreaches/{factories.make_outreach(account).pk}")
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
