"""Imports as JSON: all rows or none, known addresses skipped and counted (contract: Contact imports)."""

from typing import Any

import pytest

from campaigns.models import Contact, ContactImport
from campaigns.rules.suppression import SuppressionReason
from tests import factories
from tests.api import hostile
from tests.api.hostile import assert_refused
from tests.conftest import ApiClient

PERSON = {"email": "Anna@Recipient.example", "first_name": "Anna", "last_name": "Ü", "company": "ACME", "city": "Ulm"}
GOOD = {"email": "good@recipient.example"}


def imported(api: ApiClient, *contacts: Any) -> Any:
    return api.post("/contact_imports", {"contact_import": {"name": "list", "contacts": list(contacts)}})


def counts(api: ApiClient) -> tuple[int, int]:
    return ContactImport.objects.of(api.account).count(), Contact.objects.of(api.account).count()


def test_contacts_come_in_with_every_field(api: ApiClient) -> None:
    facts = {"source": "fair", "lawful_basis": "consent", "consent_at": "2026-01-31T10:00:00+01:00"}
    answer = imported(api, PERSON | facts | {"seats": 7, "vip": True, "note": None}).json()
    assert (answer["name"], answer["record_count"], answer["skipped"]) == ("list", 1, 0)
    shown = api.get(f"/contact_imports/{answer['id']}/contacts").json()[0]
    assert {name: shown[name] for name in ("email", "first_name", "last_name", "company")} == {
        name: PERSON[name] for name in ("email", "first_name", "last_name", "company")
    }
    assert shown["custom_fields"] == {"city": "Ulm", "seats": "7", "vip": "true"}
    assert (shown["source"], shown["lawful_basis"]) == ("fair", "consent")
    assert (shown["consent_at"], shown["contact_import_id"]) == ("2026-01-31T09:00:00Z", answer["id"])


def test_the_contracts_fields_are_answered(api: ApiClient) -> None:
    answer = imported(api, PERSON).json()
    assert {"id", "name", "record_count", "skipped"} <= answer.keys()
    assert answer["created_at"].endswith("Z")


def test_an_unwrapped_body_is_read_as_well(api: ApiClient) -> None:
    assert api.post("/contact_imports", {"name": "list", "contacts": [PERSON]}).json()["record_count"] == 1


def test_known_repeated_and_suppressed_addresses_are_skipped_and_counted(api: ApiClient) -> None:
    factories.make_contact(api.account, "known@recipient.example")
    factories.make_suppression(api.account, "gone@recipient.example", SuppressionReason.HARD_BOUNCE)
    factories.make_suppression(api.account, "left@recipient.example", SuppressionReason.UNSUBSCRIBED)
    factories.make_suppression(api.account, "blocked.example")
    emails = ["KNOWN@Recipient.Example", "gone@recipient.example", "left@recipient.example", "x@blocked.example"]
    answer = imported(api, *({"email": email} for email in [*emails, "new@x.example", "New@x.example"])).json()
    assert (answer["record_count"], answer["skipped"]) == (1, 5)
    assert answer["skipped_reasons"] == {"known": 1, "repeated": 1, "hard_bounce": 1, "unsubscribed": 1, "manual": 1}
    assert counts(api) == (1, 2)


def test_the_first_of_two_spellings_is_kept(api: ApiClient) -> None:
    imported(api, {"email": "A@x.example", "first_name": "first"}, {"email": "a@X.example", "first_name": "second"})
    assert Contact.objects.of(api.account).get().first_name == "first"


def test_a_second_import_of_the_same_people_inserts_nothing(api: ApiClient) -> None:
    imported(api, PERSON, GOOD)
    answer = imported(api, PERSON, GOOD).json()
    assert (answer["record_count"], answer["skipped"]) == (0, 2)
    assert api.get(f"/contact_imports/{answer['id']}").json()["skipped_reasons"] == {"known": 2}


def test_what_another_account_knows_is_new_here(api: ApiClient, other_api: ApiClient) -> None:
    imported(other_api, PERSON)
    factories.make_suppression(other_api.account, "recipient.example")
    assert imported(api, PERSON).json()["record_count"] == 1


def test_a_deleted_contact_may_come_back_unless_it_is_suppressed(api: ApiClient) -> None:
    imported(api, PERSON, GOOD)
    by_email = {contact["email"]: contact["id"] for contact in api.get("/contacts").json()}
    api.post(f"/contacts/{by_email['good@recipient.example']}/unsubscribe")
    for contact_id in by_email.values():
        api.delete(f"/contacts/{contact_id}")
    answer = imported(api, PERSON, GOOD).json()
    assert (answer["record_count"], answer["skipped_reasons"]) == (1, {"unsubscribed": 1})


def test_role_addresses_are_imported(api: ApiClient) -> None:
    assert imported(api, {"email": "postmaster@recipient.example"}).json()["record_count"] == 1


def test_contacts_keep_the_order_of_the_list(api: ApiClient) -> None:
    imported(api, *({"email": f"p{number}@x.example"} for number in (3, 1, 2)))
    emails = Contact.objects.of(api.account).order_by("created_at", "pk").values_list("email", flat=True)
    assert list(emails) == ["p3@x.example", "p1@x.example", "p2@x.example"]


# -- Bad input changes nothing


@pytest.mark.parametrize("email", hostile.NOT_ADDRESSES, ids=hostile.short_id)
def test_email_is_an_address(api: ApiClient, email: Any) -> None:
    email = email[:1_000_000] if isinstance(email, str) else email
    assert_refused(imported(api, GOOD, {"email": email}), "contacts.1.email")
    assert counts(api) == (0, 0)


def test_email_is_required(api: ApiClient) -> None:
    assert_refused(imported(api, GOOD, {"first_name": "Anna"}), "contacts.1.email")


@pytest.mark.parametrize("name", ["first_name", "last_name", "company", "source", "lawful_basis", "city"])
@pytest.mark.parametrize("value", [*hostile.HOSTILE_LINES, [], {}, ["a"], 10**50, "x" * 5_001], ids=hostile.short_id)
def test_every_text_is_one_line(api: ApiClient, name: str, value: Any) -> None:
    assert_refused(imported(api, GOOD, {"email": "bad@x.example", name: value}), f"contacts.1.{name}")
    assert counts(api) == (0, 0)


@pytest.mark.parametrize("name", ["first_name", "last_name", "company", "source", "lawful_basis"])
def test_standard_fields_have_two_hundred_characters(api: ApiClient, name: str) -> None:
    assert imported(api, GOOD | {name: "n" * 200}).status_code == 201
    assert_refused(imported(api, {"email": "b@x.example", name: "n" * 201}), f"contacts.0.{name}")


@pytest.mark.parametrize("value", ["yesterday", "2026-01-31T10:00:00", 7, True, [], {}, "0001-01-01T00:00:00+14:00"])
def test_consent_at_is_a_time_with_its_zone(api: ApiClient, value: Any) -> None:
    assert_refused(imported(api, GOOD | {"consent_at": value}), "contacts.0.consent_at")
    assert counts(api) == (0, 0)


@pytest.mark.parametrize("name", ["two words", "1st", "größe", "a-b", "", "x" * 65, "id", "custom_fields", "Identity"])
def test_a_custom_field_has_a_name_that_a_merge_tag_can_bear(api: ApiClient, name: str) -> None:
    response = imported(api, GOOD, {"email": "bad@x.example", name: "value"})
    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert next(iter(response.json()["details"])).startswith("contacts.1.")
    assert counts(api) == (0, 0)


def test_a_contact_has_at_most_a_hundred_custom_fields(api: ApiClient) -> None:
    many = {f"field_{number}": "x" for number in range(101)}
    assert_refused(imported(api, GOOD | many), "contacts.0.custom_fields")


@pytest.mark.parametrize("row", [None, 7, "a@x.example", [], True], ids=repr)
def test_a_row_is_an_object(api: ApiClient, row: Any) -> None:
    assert_refused(imported(api, GOOD, row), "contacts.1")
    assert counts(api) == (0, 0)


def test_every_bad_row_is_told_up_to_a_hundred(api: ApiClient) -> None:
    assert_refused(imported(api, {"email": "x"}, GOOD, {}), "contacts.0.email", "contacts.2.email")
    assert len(imported(api, *([{}] * 500)).json()["details"]) == 100


@pytest.mark.parametrize("body", [{"name": "list"}, {"name": "list", "contacts": []}])
def test_an_import_needs_contacts(api: ApiClient, body: Any) -> None:
    response = api.post("/contact_imports", body)
    assert (response.status_code, response.json()["code"]) == (422, "no_contacts_provided")
    assert counts(api) == (0, 0)


@pytest.mark.parametrize("contacts", [None, {}, "a@x.example", 7, True], ids=repr)
def test_contacts_are_an_array(api: ApiClient, contacts: Any) -> None:
    assert_refused(api.post("/contact_imports", {"name": "list", "contacts": contacts}), "contacts")


@pytest.mark.parametrize(
    "name", [*hostile.NOT_TEXT, *hostile.HOSTILE_LINES, None, "", " ", "n" * 201], ids=hostile.short_id
)
def test_name_is_a_line_of_text(api: ApiClient, name: Any) -> None:
    assert_refused(api.post("/contact_imports", {"name": name, "contacts": [GOOD]}), "name")
    assert counts(api) == (0, 0)


def test_name_is_required(api: ApiClient) -> None:
    assert_refused(api.post("/contact_imports", {"contacts": [GOOD]}), "name")


# -- Reading and deleting


def test_an_import_shows_what_came_in_and_what_is_left(api: ApiClient) -> None:
    made = imported(api, PERSON, GOOD).json()
    api.delete(f"/contacts/{api.get('/contacts').json()[0]['id']}")
    shown = api.get(f"/contact_imports/{made['id']}").json()
    assert (shown["record_count"], shown["contact_count"], shown["skipped"]) == (2, 1, 0)
    assert api.get("/contact_imports").json() == [shown]


def test_the_list_costs_the_same_queries_however_long(api: ApiClient, django_assert_num_queries: Any) -> None:
    for number in range(5):
        imported(api, {"email": f"p{number}@x.example"})
    with django_assert_num_queries(2):  # the key, the page with its counts
        assert len(api.get("/contact_imports").json()) == 5


def test_deleting_an_import_takes_its_contacts_along(api: ApiClient) -> None:
    made = imported(api, PERSON, GOOD).json()
    kept = imported(api, {"email": "kept@x.example"}).json()
    path = f"/contact_imports/{made['id']}"
    assert [api.delete(path).status_code, api.delete(path).status_code, api.get(path).status_code] == [204, 404, 404]
    assert api.get(f"{path}/contacts").json()["code"] == "contact_import_not_found"
    assert [contact["email"] for contact in api.get("/contacts").json()] == ["kept@x.example"]
    assert [row["id"] for row in api.get("/contact_imports").json()] == [kept["id"]]
