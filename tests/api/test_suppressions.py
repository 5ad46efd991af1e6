"""The suppression list: addresses and domains, kept as hashes."""

from typing import Any

import pytest

from campaigns.models import Enrollment, Suppression
from campaigns.rules.suppression import SuppressionReason
from tests import factories
from tests.api import hostile
from tests.api.hostile import assert_refused
from tests.conftest import ApiClient

NOT_DOMAINS: list[Any] = [
    *(
        7,
        None,
        [],
        {},
        True,
        "",
        " ",
        "localhost",
        "a@x.example",
        "@x.example",
        "x..example",
        "-x.example",
        "[127.0.0.1]",
    ),
    *("x.example.", "x example", "x.example\r\n", "nul\x00.example", "d" * 64 + ".example", "d." * 200 + "example"),
]


def entries(api: ApiClient) -> int:
    return Suppression.objects.of(api.account).count()


def test_an_address_is_suppressed(api: ApiClient) -> None:
    enrollment = factories.enroll(
        factories.make_campaign(api.account), factories.make_contact(api.account, "anna@x.example")
    )
    answer = api.post("/suppressions", {"suppression": {"email": "Anna@X.example"}})
    shown = answer.json()
    assert (answer.status_code, shown["kind"], shown["scope"], shown["reason"]) == (201, "address", "all", "manual")
    assert "anna" not in answer.content.decode().lower()
    assert api.get("/suppressions").json() == [shown]
    assert Enrollment.objects.of(api.account).get(pk=enrollment.pk).stop_reason == "suppressed"


def test_a_domain_is_suppressed(api: ApiClient) -> None:
    enrollment = factories.enroll(
        factories.make_campaign(api.account), factories.make_contact(api.account, "anna@münchen.example")
    )
    assert api.post("/suppressions", {"domain": "München.example"}).json()["kind"] == "domain"
    assert Enrollment.objects.of(api.account).get(pk=enrollment.pk).stop_reason == "suppressed"


def test_twice_is_once(api: ApiClient) -> None:
    first = api.post("/suppressions", {"email": "anna@x.example"}).json()
    assert api.post("/suppressions", {"email": "ANNA@x.example"}).json()["id"] == first["id"]
    assert entries(api) == 1


def test_one_can_be_looked_up(api: ApiClient) -> None:
    entry = factories.make_suppression(api.account, "anna@x.example", SuppressionReason.UNSUBSCRIBED)
    domain = factories.make_suppression(api.account, "x.example")
    assert [row["id"] for row in api.get("/suppressions", email="Anna@x.example").json()] == [str(entry.pk)]
    assert [row["id"] for row in api.get("/suppressions", domain="X.example").json()] == [str(domain.pk)]
    assert api.get("/suppressions", email="bert@x.example").json() == []


@pytest.mark.parametrize("name", ["email", "domain"])
def test_a_look_up_needs_a_whole_one(api: ApiClient, name: str) -> None:
    assert_refused(api.get("/suppressions", **{name: "anna"}), name)


def test_lifting_one_ends_it(api: ApiClient) -> None:
    entry = factories.make_suppression(api.account, "anna@x.example")
    path = f"/suppressions/{entry.pk}"
    assert [api.delete(path).status_code, api.delete(path).status_code] == [204, 404]
    assert api.get("/suppressions").json() == []


@pytest.mark.parametrize("email", hostile.NOT_ADDRESSES, ids=hostile.short_id)
def test_email_is_an_address(api: ApiClient, email: Any) -> None:
    email = email[:1_000_000] if isinstance(email, str) else email
    assert_refused(api.post("/suppressions", {"email": email}), "email")
    assert entries(api) == 0


@pytest.mark.parametrize("domain", NOT_DOMAINS, ids=hostile.short_id)
def test_domain_is_a_domain(api: ApiClient, domain: Any) -> None:
    assert_refused(api.post("/suppressions", {"domain": domain}), "domain")
    assert entries(api) == 0


@pytest.mark.parametrize("body", [{}, {"email": "a@x.example", "domain": "x.example"}])
def test_it_is_one_of_both(api: ApiClient, body: Any) -> None:
    assert_refused(api.post("/suppressions", body), "email")
    assert entries(api) == 0


def test_other_fields_are_unknown(api: ApiClient) -> None:
    assert_refused(api.post("/suppressions", {"emial": "a@x.example"}), "emial")
