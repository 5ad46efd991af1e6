"""What operators do in the admin: each action calls one service, tells what happened, and keeps the operator's name."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db.models import Model
from django.test import Client

from ampout.accounts.models import Account, ApiKey
from ampout.accounts.services import find_key
from ampout.api.admin.base import PAGE_SIZE
from ampout.api.admin.columns import change_url, list_url
from ampout.events.models import Event
from campaigns.models import Campaign
from credentials.models import SmtpCredential
from dispatch.models import Attempt, Message
from tests import factories
from tests.pages import admin_records
from tests.pages.admin_pages import read

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client: Client) -> Client:
    """Olga, who may do everything."""
    client.force_login(User.objects.create(username="olga", is_staff=True, is_superuser=True))
    return client


def run(client: Client, action: str, *records: Model, **answers: str) -> Any:
    """Choose records in their list and run an action, following to the page where it ends."""
    chosen = {"action": action, "_selected_action": [str(record.pk) for record in records], **answers}
    return client.post(list_url(type(records[0])), chosen, follow=True)


def told(answer: Any) -> list[str]:
    """What the operator is told."""
    return [str(message) for message in answer.context["messages"]]


def logged() -> list[tuple[str, str, str]]:
    """Who did what to which record, oldest first."""
    entries = LogEntry.objects.order_by("pk").select_related("user")
    return [(entry.user.get_username(), entry.object_id or "", entry.change_message) for entry in entries]


# -- Campaigns


def test_pausing_stops_a_campaign_and_takes_its_slots_back(operator: Client) -> None:
    campaign = factories.make_campaign(factories.make_account(), name="Spring", status="active")
    message = factories.make_message(factories.enroll(campaign), due_at=admin_records.NOW)

    answer = run(operator, "pause", campaign)

    assert told(answer) == ["Spring: paused."]
    campaign.refresh_from_db()
    message.refresh_from_db()
    assert (campaign.status, campaign.pause_reason) == ("paused", "operator")
    assert (message.due_at, message.reason) == (None, "paused")
    assert [event.type for event in Event.everywhere.all()] == ["campaign.paused"]
    assert logged() == [("olga", str(campaign.pk), "paused")]


def test_each_campaign_chosen_has_its_own_outcome(operator: Client) -> None:
    account = factories.make_account()
    active = factories.make_campaign(account, name="Active", status="active")
    pending = factories.make_campaign(account, name="Pending")

    answer = run(operator, "pause", active, pending)

    assert sorted(told(answer)) == [
        "Active: paused.",
        "Pending: Only an active campaign can be paused; this one is pending.",
    ]
    assert logged() == [("olga", str(active.pk), "paused")]
    pending.refresh_from_db()
    assert pending.status == "pending"


@pytest.mark.parametrize("reason", ["manual", "operator", "all_credentials_disabled"])
def test_an_operator_resumes_a_campaign_whoever_paused_it(operator: Client, reason: str) -> None:
    campaign = factories.make_campaign(factories.make_account(), name="Spring", status="paused", pause_reason=reason)
    assert told(run(operator, "resume", campaign)) == ["Spring: resumed."]
    campaign.refresh_from_db()
    assert (campaign.status, campaign.pause_reason) == ("active", "")
    assert logged() == [("olga", str(campaign.pk), "resumed")]


def test_an_active_campaign_is_not_resumed(operator: Client) -> None:
    campaign = factories.make_campaign(factories.make_account(), name="Spring", status="active")
    answer = run(operator, "resume", campaign)
    assert told(answer) == ["Spring: Only a paused campaign can be resumed; this one is active."]
    assert logged() == []


# -- Credentials


def test_disabling_a_credential_pauses_the_campaigns_left_without_one(operator: Client) -> None:
    campaign = factories.make_campaign(factories.make_account(), status="active")
    credential = campaign.attachments.get().credential

    assert told(run(operator, "disable", credential)) == [f"{credential}: disabled."]

    credential.refresh_from_db()
    campaign.refresh_from_db()
    assert credential.disabled_at is not None
    assert credential.disabled_reason == "operator"
    assert campaign.pause_reason == "all_credentials_disabled"
    assert logged() == [("olga", str(credential.pk), "disabled")]


def test_reenabling_a_credential_resumes_the_campaigns_that_its_loss_paused(operator: Client) -> None:
    campaign = factories.make_campaign(
        factories.make_account(), status="paused", pause_reason="all_credentials_disabled"
    )
    credential = campaign.attachments.get().credential
    SmtpCredential.everywhere.filter(pk=credential.pk).update(disabled_at=admin_records.NOW)

    assert told(run(operator, "reenable", credential)) == [f"{credential}: re-enabled."]

    credential.refresh_from_db()
    campaign.refresh_from_db()
    assert (credential.disabled_at, campaign.status) == (None, "active")
    assert logged() == [("olga", str(credential.pk), "re-enabled")]


def test_a_credential_that_is_as_wanted_is_left_alone(operator: Client) -> None:
    enabled = factories.make_credential(factories.make_account())
    disabled = factories.make_credential(factories.make_account(), disabled_at=admin_records.NOW)
    since = enabled.enabled_since

    assert told(run(operator, "reenable", enabled)) == [f"{enabled}: It is not disabled."]
    assert told(run(operator, "disable", disabled)) == [f"{disabled}: It is disabled already."]

    enabled.refresh_from_db()
    assert enabled.enabled_since == since
    assert logged() == []


# -- Accounts and keys


def test_suspending_asks_for_the_reason_first(operator: Client) -> None:
    account = factories.make_account("Alice")
    page = run(operator, "suspend", account).content.decode()
    assert "Every API key of these accounts stops" in page
    assert 'name="answer"' in page
    account.refresh_from_db()
    assert account.suspended_at is None


def test_suspending_stops_the_keys_of_an_account_and_lifting_gives_them_back(operator: Client) -> None:
    account = factories.make_account("Alice")

    answer = run(operator, "suspend", account, confirmed="1", answer=" spam ")
    account.refresh_from_db()
    assert told(answer) == [f"{account}: suspended (spam)."]
    assert account.suspended_at is not None
    assert account.suspension_reason == "spam"

    answer = run(operator, "lift_suspension", account)
    account.refresh_from_db()
    assert told(answer) == [f"{account}: suspension lifted."]
    assert account.suspended_at is None
    assert [entry[2] for entry in logged()] == ["suspended (spam)", "suspension lifted"]


def test_an_account_that_is_as_wanted_is_left_alone(operator: Client) -> None:
    free = factories.make_account("Alice")
    held = factories.make_account("Bob", suspended_at=admin_records.NOW, suspension_reason="spam")
    assert told(run(operator, "lift_suspension", free)) == [f"{free}: It is not suspended."]
    again = run(operator, "suspend", held, confirmed="1", answer="other")
    assert told(again) == [f"{held}: It is suspended already."]
    held.refresh_from_db()
    assert held.suspension_reason == "spam"
    assert logged() == []


def test_a_new_key_is_shown_once_and_works(operator: Client) -> None:
    account = factories.make_account("Alice")
    answer = run(operator, "issue_key", account)
    plaintext = re.findall(r"ak_live_[\w-]+", answer.content.decode())[0]
    found = find_key(plaintext)

    assert found is not None
    assert (found.account, found.label) == (account, "issued by olga")
    assert "no-store" in answer.headers["Cache-Control"]
    assert [entry[2] for entry in logged()] == [f"issued API key {found.prefix}…"]
    later = read(operator, change_url(account)) + read(operator, change_url(found)) + read(operator, list_url(LogEntry))
    assert plaintext not in later
    assert plaintext not in str(operator.cookies) + str(dict(operator.session))


def test_a_key_is_issued_for_one_account_at_a_time(operator: Client) -> None:
    answer = run(operator, "issue_key", factories.make_account("Alice"), factories.make_account("Bob"))
    assert told(answer) == ["Choose one account: each key is shown on a page of its own."]
    assert not ApiKey.everywhere.exists()


def test_revoking_ends_a_key_but_never_the_last_one(operator: Client) -> None:
    account = factories.make_account("Alice")
    first, last = factories.make_key(account).key, factories.make_key(account).key

    assert told(run(operator, "revoke", first)) == [f"{first}: revoked."]
    refusal = told(run(operator, "revoke", last))

    sentence = "This is the account's last key that can make others. Create another one before you revoke it."
    assert refusal == [f"{last}: {sentence}"]
    assert list(ApiKey.everywhere.filter(revoked_at=None)) == [last]
    assert logged() == [("olga", str(first.pk), "revoked")]


def test_the_rate_limit_of_a_key_is_lifted_and_put_back(operator: Client) -> None:
    key = factories.make_key(factories.make_account("Alice")).key
    assert told(run(operator, "lift_limit", key)) == [f"{key}: the rate is not limited."]
    assert told(run(operator, "lift_limit", key)) == [f"{key}: Nothing to do: its rate is not limited."]
    assert 'value="limit"' in read(operator, change_url(key))
    assert not ApiKey.everywhere.get().is_rate_limited
    assert told(run(operator, "limit", key)) == [f"{key}: the rate is limited."]
    assert ApiKey.everywhere.get().is_rate_limited


def test_an_operator_opens_an_account_and_corrects_it(operator: Client) -> None:
    particulars = {"name": "Alice", "email": "Alice@Tenant.example", "sender_name": "", "postal_address": ""}
    operator.post("/admin/accounts/account/add/", particulars)
    account = Account.objects.get()
    assert (account.name, account.email) == ("Alice", "alice@tenant.example")

    operator.post(change_url(account), particulars | {"postal_address": "1 Lane", "suspended_at_0": "2026-01-01"})
    account.refresh_from_db()
    assert (account.postal_address, account.suspended_at) == ("1 Lane", None)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("email", "nobody", "valid email address"),
        ("email", "ann@nowhere.invalid", "reserved name"),
        ("name", "Alice\r\nBcc: all@example.com", "The text holds a control character, U+000D"),
        ("sender_name", "Al\x85ice", "The text holds a control character, U+0085"),
        ("name", "", "This field is required."),
    ],
)
def test_bad_particulars_change_nothing(operator: Client, field: str, value: str, sentence: str) -> None:
    account = factories.make_account("Alice", email="alice@tenant.example")
    particulars = {"name": "Alice", "email": "bob@tenant.example", "sender_name": "", "postal_address": ""}
    answer = operator.post(change_url(account), particulars | {field: value})
    assert answer.status_code == 200
    assert sentence in " ".join(str(errors) for errors in answer.context["errors"])
    account.refresh_from_db()
    assert account.email == "alice@tenant.example"


# -- Unknown messages


@pytest.fixture
def unknown() -> Message:
    """A message of step 1 of 2 whose fate nobody knows; its sequence waits behind it."""
    account = factories.make_account()
    campaign = factories.make_campaign(account, steps=2, status="active")
    credential = campaign.attachments.get().credential
    enrollment = factories.enroll(campaign, status="sent", smtp_credential=credential)
    message = factories.make_message(
        enrollment, credential=credential, state="unknown", wire_at=admin_records.NOW, settled_at=admin_records.NOW
    )
    enrollment.next_position = 2
    enrollment.save()
    return message


def test_counting_as_sent_moves_an_unknown_message_and_its_sequence(operator: Client, unknown: Message) -> None:
    answer = run(operator, "count_as_sent", unknown)

    assert told(answer) == [f"{unknown}: counted as sent."]
    unknown.refresh_from_db()
    assert (unknown.state, unknown.reason) == ("accepted", "operator_counted_as_sent")
    assert Attempt.everywhere.get().reply_text == "chosen by olga"
    assert logged() == [("olga", str(unknown.pk), "counted as sent")]


def test_sending_again_warns_of_a_second_copy_first(operator: Client, unknown: Message) -> None:
    page = run(operator, "send_again", unknown).content.decode()
    assert "its recipient gets a second copy" in page
    unknown.refresh_from_db()
    assert unknown.state == "unknown"
    assert logged() == []


def test_sending_again_plans_an_unknown_message_anew_once_confirmed(operator: Client, unknown: Message) -> None:
    answer = run(operator, "send_again", unknown, confirmed="1")

    assert told(answer) == [f"{unknown}: will be sent again."]
    unknown.refresh_from_db()
    assert (unknown.state, unknown.reason) == ("planned", "operator_resend")
    assert Attempt.everywhere.get().reply_text == "chosen by olga"
    assert logged() == [("olga", str(unknown.pk), "will be sent again")]


@pytest.mark.parametrize("action", ["count_as_sent", "send_again"])
@pytest.mark.parametrize("state", ["planned", "claimed", "wire", "accepted", "refused", "deferred", "cancelled"])
def test_only_unknown_messages_are_resolved(operator: Client, unknown: Message, action: str, state: str) -> None:
    Message.everywhere.filter(pk=unknown.pk).update(state=state)
    answer = run(operator, action, unknown, confirmed="1")
    assert told(answer)[0].endswith(f"Only an unknown message can be resolved; this one is {state}.")
    unknown.refresh_from_db()
    assert (unknown.state, logged()) == (state, [])


# -- What holds for all of them


def test_a_detail_page_offers_what_applies_and_comes_back_to_itself(operator: Client) -> None:
    campaign = factories.make_campaign(factories.make_account(), status="active")
    page = read(operator, change_url(campaign))
    assert 'value="pause"' in page
    assert 'value="resume"' not in page

    answer = run(operator, "pause", campaign, from_detail="1")
    assert answer.redirect_chain == [(change_url(campaign), 302)]
    assert 'value="resume"' in answer.content.decode()


def test_a_detail_page_leads_through_its_confirmation_and_back(operator: Client, unknown: Message) -> None:
    page = run(operator, "send_again", unknown, from_detail="1").content.decode()
    assert 'name="from_detail"' in page
    assert f'href="{change_url(unknown)}"' in page
    answer = run(operator, "send_again", unknown, from_detail="1", confirmed="1")
    assert answer.redirect_chain == [(change_url(unknown), 302)]


@pytest.mark.parametrize(
    ("action", "make"),
    [
        ("pause", admin_records.campaign),
        ("resume", admin_records.campaign),
        ("disable", admin_records.credential),
        ("reenable", admin_records.credential),
        ("suspend", admin_records.account),
        ("lift_suspension", admin_records.account),
        ("issue_key", admin_records.account),
        ("revoke", lambda: factories.make_key(admin_records.account()).key),
        ("lift_limit", lambda: factories.make_key(admin_records.account()).key),
        ("count_as_sent", admin_records.message),
        ("send_again", admin_records.message),
    ],
)
def test_who_may_only_look_runs_no_action(client: Client, action: str, make: Any) -> None:
    record = make()
    before = type(record)._base_manager.values().get(pk=record.pk)
    watcher = User.objects.create(username="wendy", is_staff=True)
    watcher.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(watcher)

    run(client, action, record, confirmed="1", answer="because", index="0")

    assert type(record)._base_manager.values().get(pk=record.pk) == before
    assert 'id="record-actions"' not in read(client, change_url(record))
    assert not LogEntry.objects.exists()


def test_who_may_change_a_model_runs_its_actions(client: Client) -> None:
    campaign = factories.make_campaign(factories.make_account(), status="active")
    member = User.objects.create(username="mia", is_staff=True)
    member.user_permissions.set(Permission.objects.filter(codename__in=["view_campaign", "change_campaign"]))
    client.force_login(member)
    assert told(run(client, "pause", campaign)) == [f"{campaign}: paused."]
    assert logged() == [("mia", str(campaign.pk), "paused")]


def test_an_action_needs_the_csrf_token(operator: Client) -> None:
    campaign = factories.make_campaign(factories.make_account(), status="active")
    stranger = Client(enforce_csrf_checks=True)
    stranger.cookies = operator.cookies
    answer = stranger.post(list_url(Campaign), {"action": "pause", "_selected_action": [str(campaign.pk)]})
    assert answer.status_code == 403
    campaign.refresh_from_db()
    assert campaign.status == "active"


def test_an_action_by_get_does_nothing(operator: Client) -> None:
    campaign = factories.make_campaign(factories.make_account(), status="active")
    operator.get(list_url(Campaign), {"action": "pause", "_selected_action": str(campaign.pk)})
    campaign.refresh_from_db()
    assert campaign.status == "active"


def test_an_action_takes_one_page_of_records_at_most(operator: Client) -> None:
    account = factories.make_account()
    Campaign.objects.bulk_create(Campaign(account=account, name="many", status="active") for _ in range(PAGE_SIZE + 1))
    answer = run(operator, "pause", *Campaign.everywhere.all())
    assert told(answer) == ["Choose at most 100 at a time."]
    assert not Campaign.everywhere.filter(status="paused").exists()


def test_hostile_names_are_told_as_text(operator: Client) -> None:
    campaign = admin_records.campaign()
    for answer in (run(operator, "pause", campaign), run(operator, "suspend", campaign.account)):
        assert "<script>alert" not in answer.content.decode()


# -- Operators


def test_only_superusers_change_operators(client: Client) -> None:
    member = User.objects.create(username="mia", is_staff=True)
    member.user_permissions.set(Permission.objects.all())
    client.force_login(member)
    assert client.post(change_url(member), {"username": "mia", "is_superuser": "on"}).status_code == 403
    assert client.post(f"{list_url(User)}add/", {}).status_code == 403
    assert client.get(f"{list_url(User)}{member.pk}/password/").status_code == 403
    member.refresh_from_db()
    assert not member.is_superuser


def test_a_superuser_makes_an_operator_and_sets_a_password(operator: Client) -> None:
    words = {"password1": "a long word for Mia", "password2": "a long word for Mia", "usable_password": "true"}
    operator.post(f"{list_url(User)}add/", {"username": "mia", **words})
    mia = User.objects.get(username="mia")
    assert mia.check_password("a long word for Mia")

    newer = {"password1": "a longer word for Mia", "password2": "a longer word for Mia", "usable_password": "true"}
    operator.post(f"{list_url(User)}{mia.pk}/password/", newer)
    mia.refresh_from_db()
    assert mia.check_password("a longer word for Mia")
