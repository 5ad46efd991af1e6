"""Calls that do to many what others do to one: all or none, in a fixed number of queries (promise F5)."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ampout.accounts.models import Account
from ampout.api.fields import MOST_ITEMS
from ampout.events.models import Event
from ampout.lib import clock
from campaigns.models import Campaign, Contact, Enrollment, SkipCount, Suppression
from campaigns.rules.suppression import SuppressionReason
from dispatch.models import Message
from dispatch.services.audit import audit
from tests import factories
from tests.api.answers import NOBODY, assert_code
from tests.api.hostile import assert_refused
from tests.conftest import ApiClient

ENROLL = "/campaigns/{campaign}/enroll_contacts"
UNSUBSCRIBE = "/contacts/unsubscribe"
DELETE = "/contacts/delete"
ROUTES = [ENROLL, UNSUBSCRIBE, DELETE]


@pytest.fixture
def campaign(account: Account) -> Campaign:
    return factories.make_campaign(account, steps=2)


@pytest.fixture
def call(api: ApiClient, campaign: Campaign) -> Callable[..., Any]:
    """POST to a route, whose `{campaign}` is the campaign."""

    def post(route: str, body: Any, **headers: str) -> Any:
        return api.post(route.format(campaign=campaign.pk), body, **headers)

    return post


def people(account: Account, count: int, **fields: Any) -> list[str]:
    """The ids of fresh contacts."""
    return [str(factories.make_contact(account, **fields).pk) for _ in range(count)]


def snapshot(account: Account) -> list[Any]:
    """What the calls could change."""
    models = (Contact, Enrollment, Suppression, Event, Message)
    return [sorted(map(str, model.objects.of(account).values_list())) for model in models]


# -- Enrolling


def test_many_are_enrolled_in_their_order_each_once(call: Callable[..., Any], account: Account) -> None:
    ids = people(account, 3)
    answer = call(ENROLL, {"contact_ids": [*ids, ids[0]], "batch_number": 4, "priority": True})
    assert answer.status_code == 201
    shown = answer.json()
    assert (shown["enrolled"], shown["skipped"]) == (3, [])
    assert [one["contact_id"] for one in shown["enrollments"]] == ids
    assert {(one["batch_number"], one["priority"]) for one in shown["enrollments"]} == {(4, 100)}
    assert Enrollment.objects.of(account).count() == 3


def test_who_must_be_left_out_is_told_with_the_reason(
    call: Callable[..., Any], account: Account, campaign: Campaign
) -> None:
    enrolled = factories.make_contact(account, "in@recipient.example")
    factories.enroll(campaign, enrolled)
    gone = factories.make_contact(account, "gone@recipient.example", unsubscribed_at=campaign.created_at)
    role = factories.make_contact(account, "abuse@recipient.example")
    factories.make_suppression(account, "bad@recipient.example")
    bad, fine = factories.make_contact(account, "bad@recipient.example"), factories.make_contact(account)
    ids = [str(contact.pk) for contact in (enrolled, gone, role, bad, fine)]
    shown = call(ENROLL, {"contact_ids": ids}).json()
    assert [one["contact_id"] for one in shown["enrollments"]] == [str(fine.pk)]
    reasons = {skip["email"].partition("@")[0]: skip["reason"] for skip in shown["skipped"]}
    assert reasons == {"in": "already_enrolled", "gone": "unsubscribed", "abuse": "role_address", "bad": "suppressed"}
    counted = dict(SkipCount.objects.filter(campaign=campaign).values_list("reason", "count"))
    assert counted == dict.fromkeys(reasons.values(), 1)
    assert call(ENROLL, {"contact_ids": [str(role.pk)], "force": True}).json()["enrolled"] == 1


def test_those_of_a_released_batch_are_due_and_the_campaign_goes_on(
    call: Callable[..., Any], account: Account, campaign: Campaign
) -> None:
    factories.make_batch(campaign, 1, released_at=campaign.created_at)
    Campaign.everywhere.filter(pk=campaign.pk).update(status="completed", completed_at=campaign.created_at)
    shown = call(ENROLL, {"contact_ids": people(account, 2), "batch_number": 1}).json()
    assert all(one["next_due_at"] for one in shown["enrollments"])
    campaign.refresh_from_db()
    assert campaign.status == "active"


def test_where_nobody_can_be_enrolled_a_completed_campaign_stays_so(
    call: Callable[..., Any], account: Account, campaign: Campaign
) -> None:
    factories.make_batch(campaign, 1, released_at=campaign.created_at)
    Campaign.everywhere.filter(pk=campaign.pk).update(status="completed", completed_at=campaign.created_at)
    role = factories.make_contact(account, "abuse@recipient.example")
    assert call(ENROLL, {"contact_ids": [str(role.pk)], "batch_number": 1}).json()["enrolled"] == 0
    campaign.refresh_from_db()
    assert campaign.status == "completed"


# -- Unsubscribing and suppressing


def test_many_contacts_are_unsubscribed_and_their_sequences_stop(
    call: Callable[..., Any], account: Account, campaign: Campaign
) -> None:
    contacts = [factories.make_contact(account) for _ in range(3)]
    for contact in contacts[:2]:
        factories.make_message(factories.enroll(campaign, contact))
    answer = call(UNSUBSCRIBE, {"contact_ids": [str(contact.pk) for contact in contacts]})
    assert (answer.status_code, answer.json()) == (200, {"unsubscribed": 3})
    assert Contact.objects.of(account).filter(unsubscribed_at__isnull=True).count() == 0
    assert set(Enrollment.objects.of(account).values_list("status", "stop_reason")) == {("unsubscribed",) * 2}
    assert set(Message.objects.of(account).values_list("state", "reason")) == {("cancelled", "unsubscribed")}
    assert Event.objects.of(account).filter(type="enrollment.unsubscribed").count() == 2
    assert list(audit(clock.utc_now())) == []


def test_addresses_need_not_be_contacts(call: Callable[..., Any], api: ApiClient, account: Account) -> None:
    factories.make_contact(account, "anna@recipient.example")
    emails = ["anna@recipient.example", "ANNA@recipient.example", "nobody@recipient.example"]
    assert call(UNSUBSCRIBE, {"emails": emails}).json() == {"unsubscribed": 2}
    entries = api.get("/suppressions").json()
    assert [(entry["scope"], entry["reason"]) for entry in entries] == [("marketing", "unsubscribed")] * 2
    assert Contact.objects.of(account).get().unsubscribed_at is not None


def test_a_list_of_entries_is_suppressed_and_answered_in_its_order(api: ApiClient, account: Account) -> None:
    factories.make_suppression(account, "old@recipient.example", reason=SuppressionReason.COMPLAINT)
    entries = [
        {"email": "new@recipient.example"},
        {"domain": "corp.example"},
        {"email": "old@recipient.example"},
        {"email": "NEW@recipient.example"},
    ]
    answer = api.post("/suppressions", {"suppressions": entries})
    assert answer.status_code == 201
    shown = [(entry["kind"], entry["scope"], entry["reason"]) for entry in answer.json()]
    assert shown == [("address", "all", "manual"), ("domain", "all", "manual"), ("address", "all", "complaint")]
    assert api.get("/suppressions", domain="corp.example").json() == [answer.json()[1]]


def test_a_list_stops_whom_it_names_by_address_and_by_domain(
    api: ApiClient, account: Account, campaign: Campaign
) -> None:
    by_address, by_domain, other = (
        factories.enroll(campaign, factories.make_contact(account, email))
        for email in ("a@one.example", "b@two.example", "c@three.example")
    )
    api.post("/suppressions", {"suppressions": [{"email": "a@one.example"}, {"domain": "two.example"}]})
    stopped = Enrollment.objects.of(account).filter(stop_reason="suppressed")
    assert set(stopped.values_list("pk", flat=True)) == {by_address.pk, by_domain.pk}
    other.refresh_from_db()
    assert other.stopped_at is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"suppressions": []}, "suppressions"),
        ({"suppressions": [{}]}, "suppressions.0.email"),
        (
            {"suppressions": [{"email": "a@x.example"}, {"email": "a@x.example", "domain": "x.example"}]},
            "suppressions.1.email",
        ),
        ({"suppressions": [{"email": "nobody"}]}, "suppressions.0.email"),
        ({"suppressions": ["a@x.example"]}, "suppressions.0"),
        ({"suppressions": [{"mail": "a@x.example"}]}, "suppressions.0.mail"),
        ({"suppressions": [{"email": "a@x.example"}], "email": "b@x.example"}, "suppressions"),
        ({"suppressions": [{"email": "a@x.example"}] * (MOST_ITEMS + 1)}, "suppressions"),
    ],
)
def test_a_list_that_cannot_be_read_suppresses_nobody(api: ApiClient, body: Any, field: str) -> None:
    assert_refused(api.post("/suppressions", body), field)
    assert not Suppression.objects.of(api.account).exists()


# -- Deleting


def test_many_contacts_are_deleted(call: Callable[..., Any], api: ApiClient, account: Account) -> None:
    ids, [kept] = people(account, 3), people(account, 1)
    answer = call(DELETE, {"contact_ids": [*ids, ids[0]]})
    assert (answer.status_code, answer.json()) == (200, {"deleted": 3})
    assert [contact["id"] for contact in api.get("/contacts").json()] == [kept]


# -- All of them


@pytest.mark.parametrize("route", ROUTES)
def test_one_that_is_missing_refuses_all_and_is_told_by_its_place(
    call: Callable[..., Any], account: Account, other_account: Account, route: str
) -> None:
    [mine], [foreign] = people(account, 1), people(other_account, 1)
    deleted = str(factories.make_contact(account, deleted_at=account.created_at).pk)
    before = snapshot(account)
    answers = [call(route, {"contact_ids": [mine, other]}) for other in (foreign, deleted, str(NOBODY), "no-uuid")]
    assert_code(answers[0], 404, "contact_not_found")
    assert answers[0].json()["details"] == {"contact_ids.1": ["No such contact."]}
    assert {answer.content for answer in answers} == {answers[0].content}
    assert (snapshot(account), len(snapshot(other_account)[0])) == (before, 1)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"contact_ids": []}, "contact_ids"),
        ({"contact_ids": None}, "contact_ids"),
        ({"contact_ids": "x"}, "contact_ids"),
        ({"contact_ids": [7]}, "contact_ids.0"),
        ({"contact_ids": [str(NOBODY)] * (MOST_ITEMS + 1)}, "contact_ids"),
        ({"contact_ids": [str(NOBODY)], "all": True}, "all"),
        ({}, "contact_ids"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_by_field(
    call: Callable[..., Any], route: str, body: Any, field: str
) -> None:
    assert_refused(call(route, body), field)


def test_unsubscribing_takes_one_of_two_lists(call: Callable[..., Any], account: Account) -> None:
    both = {"contact_ids": people(account, 1), "emails": ["a@x.example"]}
    assert_refused(call(UNSUBSCRIBE, both), "contact_ids")
    assert_refused(call(UNSUBSCRIBE, {"emails": ["nobody"]}), "emails.0")
    assert not Suppression.objects.of(account).exists()


@pytest.mark.parametrize("route", ROUTES)
def test_a_repeated_call_has_one_effect(call: Callable[..., Any], account: Account, route: str) -> None:
    body = {"contact_ids": people(account, 2)}
    first = call(route, body, idempotency_key="one")
    after = snapshot(account)
    second = call(route, body, idempotency_key="one")
    assert (second.content, second["Idempotent-Replayed"]) == (first.content, "true")
    assert snapshot(account) == after
    assert call(route, {"contact_ids": people(account, 1)}, idempotency_key="one").status_code == 422


@pytest.mark.parametrize("route", [*ROUTES, "/suppressions"])
def test_many_cost_as_many_queries_as_few(
    call: Callable[..., Any], account: Account, campaign: Campaign, route: str
) -> None:
    def cost(count: int) -> int:
        contacts = [factories.make_contact(account) for _ in range(count)]
        if route != ENROLL:
            for contact in contacts:
                factories.enroll(campaign, contact)
        ids = [str(contact.pk) for contact in contacts]
        entries = {"suppressions": [{"email": contact.email} for contact in contacts]}
        with CaptureQueriesContext(connection) as queries:
            assert call(route, entries if route == "/suppressions" else {"contact_ids": ids}).status_code < 300
        return len(queries)

    cost(2)
    assert cost(40) == cost(2)


def test_a_thousand_is_allowed(call: Callable[..., Any], account: Account) -> None:
    emails = [f"person{number}@recipient.example" for number in range(MOST_ITEMS)]
    assert call(UNSUBSCRIBE, {"emails": emails}).json() == {"unsubscribed": MOST_ITEMS}


def test_the_words_are_no_ids(api: ApiClient) -> None:
    for path in (UNSUBSCRIBE, DELETE):
        assert_code(api.get(path), 405, "method_not_allowed")
    assert_code(api.get(f"/contacts/{uuid.uuid4()}"), 404, "contact_not_found")
