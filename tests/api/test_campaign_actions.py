"""Actions on campaigns: dispatch, pause, resume, test sends and previews."""

from typing import Any

import pytest

from ampout.accounts.models import Account
from tests import factories
from tests.api.answers import NOBODY, assert_code
from tests.api.hostile import NOT_INTEGERS, assert_refused, short_id
from tests.api.unchanged import nothing_changes
from tests.conftest import ApiClient


def test_dispatch_releases_all_or_one_batch(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account)
    for number in (1, 1, 2):
        factories.enroll(campaign, batch_number=number)
    first = api.post(f"/campaigns/{campaign.pk}/dispatch", {"batch_number": 2}).json()
    assert [warning["code"] for warning in first.pop("warnings")] == ["reply_detection_off"]
    assert first == {"id": str(campaign.pk), "status": "active", "released": 1}
    assert api.post(f"/campaigns/{campaign.pk}/dispatch").json()["released"] == 3


def test_dispatch_says_what_the_law_misses(api: ApiClient, account: Account) -> None:
    Account.objects.filter(pk=account.pk).update(postal_address="")
    campaign = factories.make_campaign(account)
    factories.enroll(campaign)
    warnings = api.post(f"/campaigns/{campaign.pk}/dispatch").json()["warnings"]
    assert [warning["code"] for warning in warnings] == ["postal_address_missing", "reply_detection_off"]


def test_dispatch_says_nothing_of_replies_where_every_mailbox_is_read(api: ApiClient, account: Account) -> None:
    imap = {"imap_host": "imap.example.com", "imap_port": 993, "imap_username": "ann", "imap_password": "secret"}
    campaign = factories.make_campaign(account, credentials=[factories.make_credential(account, **imap)])
    factories.enroll(campaign)
    assert api.get(f"/campaigns/{campaign.pk}").json()["warnings"] == []
    assert api.post(f"/campaigns/{campaign.pk}/dispatch").json()["warnings"] == []


def test_a_campaign_names_the_mailboxes_that_are_not_read(api: ApiClient, account: Account) -> None:
    blind = [factories.make_credential(account, from_email=f"ann{number}@a.example") for number in range(5)]
    campaign = factories.make_campaign(account, credentials=blind)
    [warning] = api.get(f"/campaigns/{campaign.pk}").json()["warnings"]
    assert warning["code"] == "reply_detection_off"
    assert warning["message"].count("@a.example") == 3
    assert " and 2 more: " in warning["message"]


def test_dispatch_of_nothing_is_refused(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account)
    factories.enroll(campaign, batch_number=1)
    with nothing_changes():
        response = api.post(f"/campaigns/{campaign.pk}/dispatch", {"batch_number": 7})
    assert_code(response, 422, "no_pending_enrollments")


@pytest.mark.parametrize("value", [value for value in NOT_INTEGERS if value is not None], ids=short_id)
def test_a_batch_number_that_is_none_releases_nothing(api: ApiClient, account: Account, value: Any) -> None:
    campaign = factories.make_campaign(account)
    factories.enroll(campaign)
    with nothing_changes():
        assert_refused(api.post(f"/campaigns/{campaign.pk}/dispatch", {"batch_number": value}), "batch_number")


@pytest.mark.parametrize("action", ["dispatch", "pause", "resume", "test_send"])
def test_an_action_refuses_fields_it_does_not_know(api: ApiClient, account: Account, action: str) -> None:
    campaign = factories.make_campaign(account)
    factories.enroll(campaign)
    with nothing_changes():
        assert_refused(api.post(f"/campaigns/{campaign.pk}/{action}", {"batch": 1}), "batch")


def test_pause_and_resume(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account, status="active")
    paused = api.post(f"/campaigns/{campaign.pk}/pause")
    assert paused.json() == {"id": str(campaign.pk), "status": "paused"}
    assert api.get(f"/campaigns/{campaign.pk}").json()["pause_reason"] == "manual"
    assert api.post(f"/campaigns/{campaign.pk}/resume").json() == {"id": str(campaign.pk), "status": "active"}


@pytest.mark.parametrize(
    ("status", "action", "code"),
    [
        ("pending", "pause", "campaign_not_active"),
        ("completed", "pause", "campaign_not_active"),
        ("paused", "pause", "campaign_not_active"),
        ("paused", "dispatch", "campaign_not_active"),
        ("pending", "resume", "campaign_not_paused"),
        ("active", "resume", "campaign_not_paused"),
    ],
)
def test_an_action_that_the_status_forbids(
    api: ApiClient, account: Account, status: str, action: str, code: str
) -> None:
    campaign = factories.make_campaign(account, status=status, pause_reason="manual" if status == "paused" else "")
    factories.enroll(campaign)
    with nothing_changes():
        assert_code(api.post(f"/campaigns/{campaign.pk}/{action}"), 422, code)


# -- Test sends and previews


def test_a_test_send_answers_who_gets_it_and_who_does_not(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account)
    factories.make_suppression(account, "gone@recipient.example")
    emails = ["me@recipient.example", "gone@recipient.example"]
    answer = api.post(f"/campaigns/{campaign.pk}/test_send", {"emails": emails}).json()
    assert answer == {
        "sent": ["me@recipient.example"],
        "refused": [{"email": "gone@recipient.example", "reason": "suppressed"}],
    }


@pytest.mark.parametrize("body", [{}, {"emails": []}])
def test_a_test_send_to_nobody_is_refused(api: ApiClient, account: Account, body: dict[str, Any]) -> None:
    campaign = factories.make_campaign(account)
    with nothing_changes():
        assert_code(api.post(f"/campaigns/{campaign.pk}/test_send", body), 422, "no_emails_provided")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"emails": "me@recipient.example"}, "emails"),
        ({"emails": None}, "emails"),
        ({"emails": [7]}, "emails.0"),
        ({"emails": ["me@recipient.example\r\nBcc: x@attacker.example"]}, "emails.0"),
        ({"emails": [f"p{number}@recipient.example" for number in range(6)]}, "emails"),
        ({"emails": ["me@recipient.example"], "contact_id": 7}, "contact_id"),
    ],
)
def test_a_test_send_refuses_bad_values(api: ApiClient, account: Account, body: dict[str, Any], field: str) -> None:
    campaign = factories.make_campaign(account)
    with nothing_changes():
        assert_refused(api.post(f"/campaigns/{campaign.pk}/test_send", body), field)


def test_a_test_send_for_another_accounts_contact_is_a_404(
    api: ApiClient, account: Account, other_account: Account
) -> None:
    campaign = factories.make_campaign(account)
    foreign = factories.make_contact(other_account)
    body = {"emails": ["me@recipient.example"], "contact_id": str(foreign.pk)}
    with nothing_changes():
        assert_code(api.post(f"/campaigns/{campaign.pk}/test_send", body), 404, "contact_not_found")


def test_a_preview_shows_each_step_as_the_contact_would_get_it(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account, steps=2)
    contact = factories.make_contact(account, first_name="Zoë <3")
    first, second = api.get(f"/campaigns/{campaign.pk}/preview", contact_id=str(contact.pk)).json()
    assert (first["subject"], second["subject"]) == ("Hello Zoë <3", "Re: Hello Zoë <3")
    assert "<p>Step 1 for Zoë &lt;3</p>" in first["body_html"]
    assert first["body_text"].startswith("Step 1 for Zoë <3")


def test_a_preview_needs_a_contact_of_the_account(api: ApiClient, account: Account, other_account: Account) -> None:
    path = f"/campaigns/{factories.make_campaign(account).pk}/preview"
    foreign = factories.make_contact(other_account)
    assert_refused(api.get(path), "contact_id")
    for contact_id in (str(foreign.pk), str(NOBODY), "no-uuid", "1' OR '1'='1"):
        assert_code(api.get(path, contact_id=contact_id), 404, "contact_not_found")
