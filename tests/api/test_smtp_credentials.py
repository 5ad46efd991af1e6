"""SMTP credentials over the API: attached, changed, detached, checked, and never told."""

from typing import Any

import pytest

from ampout.accounts.models import Account
from ampout.lib import clock
from campaigns.models import Campaign, CampaignCredential
from credentials.models import SmtpCredential
from dispatch.models import DailyUsage
from tests import factories
from tests.api.answers import NOBODY, assert_code
from tests.api.campaign_bodies import (
    BAD_CREDENTIAL,
    IMAP_PASSWORD,
    PASSWORD,
    cases,
    credential_body,
    imap_fields,
)
from tests.api.hostile import assert_refused
from tests.api.unchanged import nothing_changes
from tests.conftest import ApiClient


@pytest.fixture
def campaign(account: Account) -> Campaign:
    """A pending campaign with one credential."""
    return factories.make_campaign(account)


def path_of(campaign: Campaign, credential: SmtpCredential | None = None) -> str:
    path = f"/campaigns/{campaign.pk}/smtp_credentials"
    return path if credential is None else f"{path}/{credential.pk}"


# -- Attaching


def test_a_new_mailbox_is_made_and_attached(api: ApiClient, campaign: Campaign) -> None:
    response = api.post(path_of(campaign), {"smtp_credential": credential_body(**imap_fields())})
    assert response.status_code == 201
    shown = response.json()
    expected = {
        "label": "first",
        "smtp_host": "smtp.sender.example",
        "smtp_port": 587,
        "smtp_username": "alice",
        "from_name": "Alice Sender",
        "from_email": "alice@sender.example",
        "daily_limit": 40,
        "imap_host": "imap.sender.example",
        "imap_port": 993,
        "imap_username": "alice",
        "reply_detection": True,
        "mailbox": {"polled_at": None, "problem": None, "problem_at": None},
        "status": "enabled",
        "disabled_at": None,
    }
    assert {name: shown[name] for name in expected} == expected
    assert CampaignCredential.objects.filter(campaign=campaign, credential=shown["id"]).exists()


def test_passwords_are_kept_encrypted_and_answered_by_nobody(api: ApiClient, campaign: Campaign) -> None:
    created = api.post(path_of(campaign), credential_body(**imap_fields()))
    credential = SmtpCredential.everywhere.get(pk=created.json()["id"])
    assert (credential.smtp_password, credential.imap_password) == (PASSWORD, IMAP_PASSWORD)
    changed = api.patch(path_of(campaign, credential), {"smtp_password": f"{PASSWORD}2"})
    for response in (created, changed, api.get(path_of(campaign)), api.get(path_of(campaign, credential))):
        assert "canary" not in response.content.decode()


def test_an_error_does_not_repeat_a_password(api: ApiClient, campaign: Campaign) -> None:
    body = credential_body(smtp_password=f"{PASSWORD}\x00", imap_password=f"{IMAP_PASSWORD}\r\n")
    response = api.post(path_of(campaign), body)
    assert_refused(response, "smtp_password", "imap_password")
    assert "canary" not in response.content.decode()


@pytest.mark.parametrize(("field", "value"), cases(BAD_CREDENTIAL | {"id": [7, None, []]}))
def test_a_bad_value_attaches_nothing(api: ApiClient, campaign: Campaign, field: str, value: Any) -> None:
    with nothing_changes():
        assert_refused(api.post(path_of(campaign), credential_body(**{field: value})), field)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("SMTP.Sender.Example", "smtp.sender.example"),
        ("smtp.sender.example.", "smtp.sender.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("localhost", "localhost"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_a_host_has_one_spelling(api: ApiClient, campaign: Campaign, given: str, kept: str) -> None:
    assert api.post(path_of(campaign), credential_body(smtp_host=given)).json()["smtp_host"] == kept


def test_a_sender_address_has_its_domain_in_ascii(api: ApiClient, campaign: Campaign) -> None:
    shown = api.post(path_of(campaign), credential_body(from_email=" Alice@Bücher.example ")).json()
    assert shown["from_email"] == "Alice@xn--bcher-kva.example"


def test_a_known_mailbox_is_attached_by_its_login(api: ApiClient, account: Account, campaign: Campaign) -> None:
    known = factories.make_credential(account, label="old", from_name="Old Name")
    body = {
        "smtp_host": known.smtp_host,
        "smtp_port": known.smtp_port,
        "smtp_username": known.smtp_username,
        "from_email": known.from_email.upper(),
        "label": "new",
    }
    shown = api.post(path_of(campaign), body)
    assert (shown.status_code, shown.json()["id"]) == (201, str(known.pk))
    assert (shown.json()["label"], shown.json()["from_name"]) == ("new", "Old Name")


def test_a_credential_is_attached_by_id(api: ApiClient, account: Account, campaign: Campaign) -> None:
    known = factories.make_credential(account)
    for _ in range(2):
        assert api.post(path_of(campaign), {"id": str(known.pk)}).json()["id"] == str(known.pk)
    assert CampaignCredential.objects.filter(campaign=campaign, credential=known).count() == 1


def test_only_credentials_in_use_of_ones_own_are_attached_by_id(
    api: ApiClient, account: Account, other_account: Account, campaign: Campaign
) -> None:
    foreign = factories.make_credential(other_account)
    retired = factories.make_credential(account, retired_at=clock.utc_now())
    with nothing_changes():
        for missing in (foreign.pk, retired.pk, NOBODY, "no-uuid", ""):
            assert_code(api.post(path_of(campaign), {"id": str(missing)}), 404, "smtp_credential_not_found")


def test_a_preset_fills_in_the_server(api: ApiClient, campaign: Campaign) -> None:
    body = credential_body(preset="gmail", imap_username="alice", imap_password=IMAP_PASSWORD)
    del body["smtp_host"], body["smtp_port"]
    shown = api.post(path_of(campaign), body).json()
    assert (shown["smtp_host"], shown["smtp_port"], shown["imap_host"], shown["imap_port"]) == (
        "smtp.gmail.com",
        587,
        "imap.gmail.com",
        993,
    )
    assert (shown["provider"], shown["reply_detection"]) == ("gmail", True)


def test_what_is_given_outweighs_a_preset(api: ApiClient, campaign: Campaign) -> None:
    shown = api.post(path_of(campaign), credential_body(preset="postmark", smtp_port=2525)).json()
    assert (shown["smtp_host"], shown["smtp_port"], shown["imap_host"]) == ("smtp.sender.example", 2525, None)


def test_a_preset_with_a_server_a_region_asks_for_the_host(api: ApiClient, campaign: Campaign) -> None:
    body = credential_body(preset="amazon_ses")
    del body["smtp_host"]
    with nothing_changes():
        assert_refused(api.post(path_of(campaign), body), "smtp_host")


# -- Changing


@pytest.mark.parametrize(("field", "value"), cases(BAD_CREDENTIAL))
def test_a_bad_value_changes_nothing(api: ApiClient, campaign: Campaign, field: str, value: Any) -> None:
    credential = campaign.credentials.get()
    with nothing_changes():
        response = api.patch(path_of(campaign, credential), {field: value})
        assert_refused(response, field)


def test_swapping_providers_is_updating_the_credential(api: ApiClient, campaign: Campaign) -> None:
    credential = campaign.credentials.get()
    body = {"smtp_host": "smtp.elsewhere.example", "smtp_port": 465, "smtp_username": "al", "smtp_password": "new-one"}
    shown = api.patch(path_of(campaign, credential), body).json()
    assert (shown["id"], shown["smtp_host"], shown["smtp_port"]) == (str(credential.pk), "smtp.elsewhere.example", 465)
    assert SmtpCredential.everywhere.get(pk=credential.pk).smtp_password == "new-one"


def test_reply_detection_is_turned_off_by_taking_the_mailbox_away(api: ApiClient, campaign: Campaign) -> None:
    credential = campaign.credentials.get()
    path = path_of(campaign, credential)
    assert api.patch(path, imap_fields()).json()["reply_detection"] is True
    off = dict.fromkeys(imap_fields())
    shown = api.patch(path, off).json()
    assert (shown["reply_detection"], shown["imap_host"], shown["imap_port"]) == (False, None, None)


def test_one_mailbox_does_not_become_two_credentials(api: ApiClient, account: Account) -> None:
    mine, taken = factories.make_credential(account), factories.make_credential(account)
    campaign = factories.make_campaign(account, credentials=[mine, taken])
    body = {"smtp_username": taken.smtp_username, "from_email": taken.from_email.upper()}
    with nothing_changes():
        assert_refused(api.patch(path_of(campaign, mine), body), "from_email")


def test_a_lower_limit_releases_what_has_not_started(api: ApiClient, campaign: Campaign) -> None:
    credential = campaign.credentials.get()
    now = clock.utc_now()
    DailyUsage.objects.create(credential=credential, day=now.date(), used=2, highest_limit=50)
    for _ in range(2):
        factories.make_message(
            factories.enroll(campaign), credential=credential, due_at=now, usage_day=now.date(), state="planned"
        )
    assert api.patch(path_of(campaign, credential), {"daily_limit": 1}).json()["daily_limit"] == 1
    shown = api.get("/messages", state="planned").json()
    assert sorted(message["reason"] or "" for message in shown) == ["", "daily_limit_lowered"]


def test_only_the_password_may_not_be_read_back(api: ApiClient, campaign: Campaign) -> None:
    shown = api.get(path_of(campaign, campaign.credentials.get())).json()
    assert not [name for name in shown if "password" in name]


# -- Detaching, re-enabling


def test_the_last_campaign_that_lets_go_retires_it(api: ApiClient, account: Account) -> None:
    credential = factories.make_credential(account)
    first, second = (factories.make_campaign(account, credentials=[credential]) for _ in range(2))
    assert api.delete(path_of(first, credential)).status_code == 204
    assert_code(api.get(path_of(first, credential)), 404, "smtp_credential_not_found")
    assert api.get(path_of(second, credential)).json()["status"] == "enabled"
    assert api.delete(path_of(second, credential)).status_code == 204
    assert SmtpCredential.everywhere.get(pk=credential.pk).retired_at is not None


def test_a_retired_mailbox_comes_back_as_a_new_credential(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account)
    first = api.post(path_of(campaign), credential_body()).json()["id"]
    api.delete(f"{path_of(campaign)}/{first}")
    assert api.post(path_of(campaign), credential_body()).json()["id"] != first


def test_reenable_puts_it_back_to_work(api: ApiClient, account: Account) -> None:
    credential = factories.make_credential(account, disabled_at=clock.utc_now(), disabled_reason="bounce_rate")
    campaign = factories.make_campaign(
        account, credentials=[credential], status="paused", pause_reason="all_credentials_disabled"
    )
    shown = api.post(f"{path_of(campaign, credential)}/reenable")
    assert shown.json() == {"id": str(credential.pk), "from_email": credential.from_email, "status": "enabled"}
    assert api.get(f"/campaigns/{campaign.pk}").json()["status"] == "active"


@pytest.mark.parametrize("action", ["reenable", "check"])
def test_an_action_refuses_fields(api: ApiClient, campaign: Campaign, action: str) -> None:
    path = f"{path_of(campaign, campaign.credentials.get())}/{action}"
    with nothing_changes():
        assert_refused(api.post(path, {"smtp_password": PASSWORD}), "smtp_password")


# -- Lists and walls


def test_the_list_is_of_this_campaign(api: ApiClient, account: Account, campaign: Campaign) -> None:
    factories.make_campaign(account)
    newer = factories.make_credential(account)
    CampaignCredential.objects.create(campaign=campaign, credential=newer)
    shown = [credential["id"] for credential in api.get(path_of(campaign)).json()]
    assert shown == [str(newer.pk), str(campaign.credentials.exclude(pk=newer.pk).get().pk)]


def test_tagged_addresses_are_off_until_somebody_says_that_they_arrive(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account)
    path = f"/campaigns/{campaign.pk}/smtp_credentials/{campaign.credentials.get().pk}"
    assert api.get(path).json()["plus_addressing"] is False
    assert api.patch(path, {"plus_addressing": True}).json()["plus_addressing"] is True
    assert campaign.credentials.get().plus_addressing is True
    assert_code(api.patch(path, {"plus_addressing": "yes"}), 422, "validation_failed")
