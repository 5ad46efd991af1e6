"""Single contacts: shown, changed, unsubscribed, exported, erased, deleted (contract: Contacts)."""

from typing import Any

import pytest

from campaigns.models import Contact, Enrollment, Suppression
from tests import factories
from tests.api import hostile
from tests.api.hostile import assert_refused
from tests.conftest import ApiClient


@pytest.fixture
def anna(api: ApiClient) -> Contact:
    return factories.make_contact(
        api.account, "Anna@Recipient.example", first_name="Anna", custom_fields={"city": "Ulm", "zip": "89073"}
    )


def stored(contact: Contact) -> dict[str, Any]:
    return Contact.objects.of(contact.account).filter(pk=contact.pk).values().get()


# -- Reading


def test_a_contact_is_shown(api: ApiClient, anna: Contact) -> None:
    shown = api.get(f"/contacts/{anna.pk}").json()
    assert shown.pop("created_at").endswith("Z")
    assert shown == {
        "id": str(anna.pk),
        "contact_import_id": None,
        "email": "Anna@Recipient.example",
        "first_name": "Anna",
        "last_name": "",
        "company": "",
        "custom_fields": {"city": "Ulm", "zip": "89073"},
        "source": "",
        "lawful_basis": "",
        "consent_at": None,
        "unsubscribed_at": None,
    }


def test_the_list_shows_the_same_newest_first(api: ApiClient, anna: Contact) -> None:
    newer = factories.make_contact(api.account)
    listed = api.get("/contacts").json()
    assert [row["id"] for row in listed] == [str(newer.pk), str(anna.pk)]
    assert listed[1] == api.get(f"/contacts/{anna.pk}").json()


def test_one_can_be_looked_up_by_its_address(api: ApiClient, anna: Contact) -> None:
    factories.make_contact(api.account)
    assert [row["id"] for row in api.get("/contacts", email="anna@RECIPIENT.example").json()] == [str(anna.pk)]
    assert api.get("/contacts", email="bert@recipient.example").json() == []
    assert_refused(api.get("/contacts", email="anna"), "email")


def test_the_list_costs_the_same_queries_however_long(api: ApiClient, django_assert_num_queries: Any) -> None:
    for _ in range(20):
        factories.make_contact(api.account)
    api.get("/contacts")
    with django_assert_num_queries(2):  # the key, the page
        api.get("/contacts")


# -- Changing


def test_every_field_can_be_changed(api: ApiClient, anna: Contact) -> None:
    values = {
        "email": "New@Recipient.example",
        "first_name": "Ann",
        "last_name": "Über",
        "company": "ACME",
        "source": "fair",
        "lawful_basis": "consent",
        "consent_at": "2026-01-31T09:00:00Z",
    }
    shown = api.patch(f"/contacts/{anna.pk}", {"contact": values}).json()
    assert {name: shown[name] for name in values} == values
    assert shown == api.get(f"/contacts/{anna.pk}").json()


def test_the_identity_follows_the_address(api: ApiClient, anna: Contact) -> None:
    other = factories.make_contact(api.account, "New@münchen.example")
    expected = stored(other)
    other.delete()
    api.patch(f"/contacts/{anna.pk}", {"email": "New@münchen.example"})
    names = ("email", "identity", "domain", "address_digest", "domain_digest")
    assert {name: stored(anna)[name] for name in names} == {name: expected[name] for name in names}


def test_what_is_not_given_stays(api: ApiClient, anna: Contact) -> None:
    before = stored(anna)
    assert api.patch(f"/contacts/{anna.pk}", {}).status_code == 200
    api.patch(f"/contacts/{anna.pk}", {"company": "ACME"})
    assert stored(anna) == before | {"company": "ACME"}


def test_custom_fields_are_changed_one_by_one(api: ApiClient, anna: Contact) -> None:
    change = {"custom_fields": {"city": "Köln", "zip": None, "seats": 3}}
    assert api.patch(f"/contacts/{anna.pk}", change).json()["custom_fields"] == {"city": "Köln", "seats": "3"}


def test_consent_can_be_taken_back(api: ApiClient, anna: Contact) -> None:
    api.patch(f"/contacts/{anna.pk}", {"consent_at": "2026-01-31T09:00:00Z"})
    assert api.patch(f"/contacts/{anna.pk}", {"consent_at": None}).json()["consent_at"] is None


@pytest.mark.parametrize("email", hostile.NOT_ADDRESSES, ids=hostile.short_id)
def test_email_is_an_address(api: ApiClient, anna: Contact, email: Any) -> None:
    email = email[:1_000_000] if isinstance(email, str) else email
    before = stored(anna)
    assert_refused(api.patch(f"/contacts/{anna.pk}", {"email": email, "company": "ACME"}), "email")
    assert stored(anna) == before


@pytest.mark.parametrize("name", ["first_name", "last_name", "company", "source", "lawful_basis"])
@pytest.mark.parametrize("value", [*hostile.HOSTILE_LINES, [], {}, "x" * 201], ids=hostile.short_id)
def test_texts_are_lines(api: ApiClient, anna: Contact, name: str, value: Any) -> None:
    before = stored(anna)
    assert_refused(api.patch(f"/contacts/{anna.pk}", {name: value}), name)
    assert stored(anna) == before


@pytest.mark.parametrize("value", [*hostile.HOSTILE_LINES, [], {}, "x" * 5_001], ids=hostile.short_id)
def test_custom_values_are_lines(api: ApiClient, anna: Contact, value: Any) -> None:
    before = stored(anna)
    assert_refused(api.patch(f"/contacts/{anna.pk}", {"custom_fields": {"city": value}}), "custom_fields.city")
    assert stored(anna) == before


@pytest.mark.parametrize("name", ["two words", "1st", "id", "email", "first_name", "consent_at", "unsubscribe_url"])
def test_custom_names_can_be_borne_by_a_merge_tag(api: ApiClient, anna: Contact, name: str) -> None:
    before = stored(anna)
    assert_refused(api.patch(f"/contacts/{anna.pk}", {"custom_fields": {name: "x"}}), f"custom_fields.{name}")
    assert stored(anna) == before


@pytest.mark.parametrize("value", [None, 7, "city", [], True], ids=repr)
def test_custom_fields_are_an_object(api: ApiClient, anna: Contact, value: Any) -> None:
    assert_refused(api.patch(f"/contacts/{anna.pk}", {"custom_fields": value}), "custom_fields")


def test_custom_fields_are_at_most_a_hundred_in_all(api: ApiClient, anna: Contact) -> None:
    before = stored(anna)
    many = {f"field_{number}": "x" for number in range(99)}
    assert_refused(api.patch(f"/contacts/{anna.pk}", {"custom_fields": many}), "custom_fields")
    assert stored(anna) == before


@pytest.mark.parametrize("value", ["yesterday", "2026-01-31T10:00:00", 7, True, [], {}])
def test_consent_at_is_a_time_with_its_zone(api: ApiClient, anna: Contact, value: Any) -> None:
    assert_refused(api.patch(f"/contacts/{anna.pk}", {"consent_at": value}), "consent_at")


@pytest.mark.parametrize("name", ["id", "unsubscribed_at", "contact_import_id", "created_at", "city", "frist_name"])
def test_the_rest_is_unknown(api: ApiClient, anna: Contact, name: str) -> None:
    before = stored(anna)
    assert_refused(api.patch(f"/contacts/{anna.pk}", {name: "x"}), name)
    assert stored(anna) == before


def test_an_address_belongs_to_one_contact(api: ApiClient, anna: Contact) -> None:
    factories.make_contact(api.account, "taken@recipient.example")
    before = stored(anna)
    assert_refused(api.patch(f"/contacts/{anna.pk}", {"email": "Taken@recipient.example", "company": "X"}), "email")
    assert stored(anna) == before


def test_a_contact_that_was_enrolled_keeps_its_address_but_not_its_spelling(api: ApiClient, anna: Contact) -> None:
    factories.enroll(factories.make_campaign(api.account), anna)
    response = api.patch(f"/contacts/{anna.pk}", {"email": "other@recipient.example"})
    assert (response.status_code, response.json()["code"]) == (422, "unprocessable")
    assert api.patch(f"/contacts/{anna.pk}", {"email": "anna@recipient.example"}).status_code == 200
    assert (stored(anna)["email"], stored(anna)["identity"]) == ("anna@recipient.example", "anna@recipient.example")


# -- Stopping, exporting, erasing, deleting


def test_unsubscribing_stops_the_contacts_sequences_for_good(api: ApiClient, anna: Contact) -> None:
    enrollment = factories.enroll(factories.make_campaign(api.account), anna)
    shown = api.post(f"/contacts/{anna.pk}/unsubscribe").json()
    assert shown["unsubscribed_at"].endswith("Z")
    assert Enrollment.objects.of(api.account).get(pk=enrollment.pk).stop_reason == "unsubscribed"
    assert Suppression.objects.of(api.account).get().reason == "unsubscribed"


def test_unsubscribing_twice_changes_nothing(api: ApiClient, anna: Contact) -> None:
    first = api.post(f"/contacts/{anna.pk}/unsubscribe").json()
    assert api.post(f"/contacts/{anna.pk}/unsubscribe").json() == first


@pytest.mark.parametrize("action", ["unsubscribe", "erase"])
def test_actions_take_no_fields(api: ApiClient, anna: Contact, action: str) -> None:
    before = stored(anna)
    assert_refused(api.post(f"/contacts/{anna.pk}/{action}", {"reason": "x"}), "reason")
    assert stored(anna) == before


def test_an_export_holds_everything_about_the_person(api: ApiClient, anna: Contact) -> None:
    contact_import = factories.make_import(api.account, name="fair")
    Contact.objects.of(api.account).update(contact_import=contact_import)
    message = factories.make_message(factories.enroll(factories.make_campaign(api.account, name="spring"), anna))
    api.post(f"/contacts/{anna.pk}/unsubscribe")
    export = api.get(f"/contacts/{anna.pk}/export").json()
    assert export["contact"]["email"] == "Anna@Recipient.example"
    assert export["contact_import"]["name"] == "fair"
    assert export["enrollments"][0]["campaign__name"] == "spring"
    assert export["messages"][0]["message_id"] == message.message_id
    assert export["suppressions"][0]["reason"] == "unsubscribed"
    assert [event["type"] for event in export["events"]] == ["enrollment.unsubscribed"]
    assert export["attempts"] == []


@pytest.mark.parametrize("how", ["delete", "erase"])
def test_a_contact_that_is_gone_leaves_only_its_suppression(api: ApiClient, anna: Contact, how: str) -> None:
    enrollment = factories.enroll(factories.make_campaign(api.account), anna)
    api.post(f"/contacts/{anna.pk}/unsubscribe")
    gone = api.delete(f"/contacts/{anna.pk}") if how == "delete" else api.post(f"/contacts/{anna.pk}/erase")
    assert gone.status_code in {200, 204}
    assert api.get(f"/contacts/{anna.pk}").json()["code"] == "contact_not_found"
    assert api.get("/contacts").json() == []
    left = stored(anna)
    assert (left["email"], left["identity"], left["first_name"], left["custom_fields"]) == ("", "", "", {})
    assert Enrollment.objects.of(api.account).get(pk=enrollment.pk).stopped_at is not None
    assert Suppression.objects.of(api.account).get().reason == "unsubscribed"


@pytest.mark.parametrize(
    ("method", "suffix"),
    [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/unsubscribe"), ("GET", "/export")],
)
def test_what_is_gone_is_gone_for_every_action(api: ApiClient, anna: Contact, method: str, suffix: str) -> None:
    api.delete(f"/contacts/{anna.pk}")
    response = api.send(method, f"/contacts/{anna.pk}{suffix}")
    assert (response.status_code, response.json()["code"]) == (404, "contact_not_found")


def test_the_same_person_lives_in_two_accounts_apart(api: ApiClient, other_api: ApiClient) -> None:
    ours = factories.make_contact(api.account, "anna@x.example")
    theirs = factories.make_contact(other_api.account, "anna@x.example")
    api.post(f"/contacts/{ours.pk}/unsubscribe")
    assert other_api.get(f"/contacts/{theirs.pk}").json()["unsubscribed_at"] is None
    assert other_api.get("/suppressions").json() == []
    exported = api.get(f"/contacts/{ours.pk}/export").content.decode()
    assert str(theirs.pk) not in exported
