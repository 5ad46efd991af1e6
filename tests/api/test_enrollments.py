"""Enrollments over the API; who is left out and when is tested in tests/services/test_enrolment.py."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ampout.accounts.models import Account
from ampout.lib import clock
from campaigns.models import Campaign, ContactImport
from tests import factories
from tests.api.answers import NOBODY, assert_code
from tests.api.campaign_bodies import Table, cases
from tests.api.hostile import NOT_BOOLEANS, NOT_INTEGERS, NOT_TEXT, assert_refused
from tests.api.unchanged import nothing_changes
from tests.conftest import ApiClient

BAD_ENROLL: Table = {
    "contact_import_id": [*(value for value in NOT_TEXT), None],
    "batch_size": [*(value for value in NOT_INTEGERS if value is not None), 0],
    "force": NOT_BOOLEANS,
    "size": [5],
}
BAD_ENROLL_CONTACT: Table = {
    "contact_id": [*NOT_TEXT, None],
    "batch_number": NOT_INTEGERS,
    "priority": ["high", 1.5, -1, 101, None, [], {}],
    "force": NOT_BOOLEANS,
    "batch": [5],
}


@pytest.fixture
def campaign(account: Account) -> Campaign:
    """A pending campaign of one step."""
    return factories.make_campaign(account)


@pytest.fixture
def contact_import(account: Account) -> ContactImport:
    """An import of five people."""
    made = factories.make_import(account)
    for _ in range(5):
        factories.make_contact(account, contact_import=made)
    return made


def test_an_import_is_enrolled_in_batches(api: ApiClient, campaign: Campaign, contact_import: ContactImport) -> None:
    body = {"contact_import_id": str(contact_import.pk), "batch_size": 2}
    response = api.post(f"/campaigns/{campaign.pk}/enroll", body)
    assert response.status_code == 201
    assert response.json() == {"enrolled": 5, "batches": 3, "batch_numbers": [1, 2, 3], "batch_size": 2, "skipped": []}


def test_who_is_left_out_is_told(api: ApiClient, campaign: Campaign, contact_import: ContactImport) -> None:
    role = factories.make_contact(campaign.account, "abuse@recipient.example", contact_import=contact_import)
    body = {"contact_import_id": str(contact_import.pk)}
    answer = api.post(f"/campaigns/{campaign.pk}/enroll", body).json()
    assert (answer["enrolled"], answer["batches"], answer["batch_size"]) == (5, 1, 5)
    assert answer["skipped"] == [
        {"contact_id": str(role.pk), "email": "abuse@recipient.example", "reason": "role_address"}
    ]


@pytest.mark.parametrize(("field", "value"), cases(BAD_ENROLL))
def test_a_bad_value_enrolls_nobody(
    api: ApiClient, campaign: Campaign, contact_import: ContactImport, field: str, value: Any
) -> None:
    body = {"contact_import_id": str(contact_import.pk), field: value}
    with nothing_changes():
        assert_refused(api.post(f"/campaigns/{campaign.pk}/enroll", body), field)


def test_an_import_is_asked_for(api: ApiClient, campaign: Campaign) -> None:
    with nothing_changes():
        assert_refused(api.post(f"/campaigns/{campaign.pk}/enroll"), "contact_import_id")


def test_an_import_that_is_not_ones_own_is_a_404(
    api: ApiClient, campaign: Campaign, account: Account, other_account: Account
) -> None:
    foreign = factories.make_import(other_account)
    deleted = factories.make_import(account, deleted_at=clock.utc_now())
    with nothing_changes():
        for missing in (foreign.pk, deleted.pk, NOBODY, "no-uuid", ""):
            response = api.post(f"/campaigns/{campaign.pk}/enroll", {"contact_import_id": str(missing)})
            assert_code(response, 404, "contact_import_not_found")


def test_one_contact_is_enrolled(api: ApiClient, campaign: Campaign) -> None:
    contact = factories.make_contact(campaign.account)
    response = api.post(f"/campaigns/{campaign.pk}/enroll_contact", {"contact_id": str(contact.pk)})
    assert response.status_code == 201
    shown = response.json()
    expected = {
        "contact_id": str(contact.pk),
        "smtp_credential_id": None,
        "status": "pending",
        "batch_number": 0,
        "sent_at": None,
        "opened_at": None,
        "replied_at": None,
        "bounce_reason": None,
        "priority": 0,
    }
    assert {name: shown[name] for name in expected} == expected


@pytest.mark.parametrize(("given", "kept"), [(True, 100), (False, 0), (0, 0), (1, 1), (100, 100)])
def test_priority_is_a_flag_or_a_number(api: ApiClient, campaign: Campaign, given: Any, kept: int) -> None:
    contact = factories.make_contact(campaign.account)
    body = {"contact_id": str(contact.pk), "priority": given, "batch_number": 3}
    shown = api.post(f"/campaigns/{campaign.pk}/enroll_contact", body).json()
    assert (shown["priority"], shown["batch_number"]) == (kept, 3)


@pytest.mark.parametrize(("field", "value"), cases(BAD_ENROLL_CONTACT))
def test_a_bad_value_enrolls_no_contact(api: ApiClient, campaign: Campaign, field: str, value: Any) -> None:
    body = {"contact_id": str(factories.make_contact(campaign.account).pk), field: value}
    with nothing_changes():
        assert_refused(api.post(f"/campaigns/{campaign.pk}/enroll_contact", body), field)


def test_a_contact_is_enrolled_once(api: ApiClient, campaign: Campaign) -> None:
    body = {"contact_id": str(factories.enroll(campaign).contact_id)}
    with nothing_changes():
        assert_code(api.post(f"/campaigns/{campaign.pk}/enroll_contact", body), 422, "contact_already_enrolled")


def test_a_contact_that_must_not_be_written_to_is_refused_with_the_reason(api: ApiClient, campaign: Campaign) -> None:
    contact = factories.make_contact(campaign.account, unsubscribed_at=clock.utc_now())
    with nothing_changes():
        response = api.post(f"/campaigns/{campaign.pk}/enroll_contact", {"contact_id": str(contact.pk)})
    assert_code(response, 422, "unprocessable")
    assert response.json()["details"] == {"reason": "unsubscribed"}


def test_a_contact_that_is_not_ones_own_is_a_404(api: ApiClient, campaign: Campaign, other_account: Account) -> None:
    foreign = factories.make_contact(other_account)
    deleted = factories.make_contact(campaign.account, deleted_at=clock.utc_now())
    with nothing_changes():
        for missing in (foreign.pk, deleted.pk, NOBODY, "no-uuid", ""):
            response = api.post(f"/campaigns/{campaign.pk}/enroll_contact", {"contact_id": str(missing)})
            assert_code(response, 404, "contact_not_found")


def test_enrollments_are_listed_newest_first_in_pages(api: ApiClient, campaign: Campaign) -> None:
    made = [factories.enroll(campaign) for _ in range(3)]
    response = api.get(f"/campaigns/{campaign.pk}/enrollments", limit=2)
    assert [shown["id"] for shown in response.json()] == [str(made[2].pk), str(made[1].pk)]
    rest = api.get(response["Link"].partition("testserver")[2].partition(">")[0]).json()
    assert [shown["id"] for shown in rest] == [str(made[0].pk)]


def test_enrollments_of_one_moment_are_all_listed(
    api: ApiClient, campaign: Campaign, contact_import: ContactImport
) -> None:
    api.post(f"/campaigns/{campaign.pk}/enroll", {"contact_import_id": str(contact_import.pk)})
    path, seen = f"/campaigns/{campaign.pk}/enrollments?limit=2", []
    while path:
        response = api.get(path)
        seen += [shown["id"] for shown in response.json()]
        path = response.headers.get("Link", "").partition("testserver")[2].partition(">")[0]
    assert (len(seen), len(set(seen))) == (5, 5)


def test_enrollments_are_found_by_status_and_batch(api: ApiClient, campaign: Campaign) -> None:
    sent = factories.enroll(campaign, status="sent", batch_number=1)
    factories.enroll(campaign, status="sent", batch_number=2)
    factories.enroll(campaign, batch_number=1)
    shown = api.get(f"/campaigns/{campaign.pk}/enrollments", status="sent", batch_number=1).json()
    assert [one["id"] for one in shown] == [str(sent.pk)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "lost"),
        ("status", ""),
        ("status", "sent\x00"),
        ("batch_number", "-1"),
        ("batch_number", "one"),
        ("batch_number", ""),
        ("batch_number", "9" * 40),
        ("limit", "0"),
        ("limit", "1001"),
        ("cursor", "x"),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(api: ApiClient, campaign: Campaign, name: str, value: str) -> None:
    assert_refused(api.get(f"/campaigns/{campaign.pk}/enrollments", **{name: value}), name)


def test_the_list_takes_as_many_queries_for_many_as_for_one(api: ApiClient, campaign: Campaign) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as captured:
            api.get(f"/campaigns/{campaign.pk}/enrollments")
        return len(captured)

    factories.enroll(campaign)
    count()
    few = count()
    for _ in range(5):
        factories.enroll(campaign)
    assert count() == few
