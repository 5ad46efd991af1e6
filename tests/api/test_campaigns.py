"""Campaigns: created whole or not at all, changed, deleted, and walled."""

from typing import Any

import pytest

from ampout.accounts.models import Account
from campaigns.models import Campaign, SequenceStep
from credentials.models import SmtpCredential
from tests import factories
from tests.api.answers import NOBODY, assert_code
from tests.api.campaign_bodies import (
    BAD_CAMPAIGN,
    BAD_CREDENTIAL,
    BAD_STEP,
    PASSWORD,
    campaign_body,
    cases,
    credential_body,
    imap_fields,
    step_body,
)
from tests.api.hostile import assert_refused
from tests.api.unchanged import nothing_changes
from tests.conftest import ApiClient

# -- Creation


def test_a_campaign_is_made_with_the_contracts_defaults(api: ApiClient) -> None:
    response = api.post("/campaigns", {"campaign": campaign_body()})
    assert response.status_code == 201
    shown = response.json()
    expected = {
        "name": "spring",
        "outreach_id": None,
        "status": "pending",
        "pause_reason": None,
        "min_wait_seconds": 120,
        "max_wait_seconds": 420,
        "verify_email_mx": False,
        "routing": "rotate",
        "bounce_rate_min_sends": 20,
        "health_rule": "fixed",
        "track_opens": True,
        "track_clicks": False,
        "sender_may_change": False,
        "bounce_rate_threshold": 8.0,
    }
    assert {name: shown[name] for name in expected} == expected
    assert shown["created_at"].endswith("Z")


def test_what_is_given_is_kept(api: ApiClient, account: Account) -> None:
    outreach = factories.make_outreach(account)
    given = {
        "outreach_id": str(outreach.pk),
        "min_wait_seconds": 0,
        "max_wait_seconds": 86_400,
        "verify_email_mx": True,
        "routing": "rotate",
        "bounce_rate_min_sends": 1,
        "health_rule": "fixed",
        "track_opens": False,
        "track_clicks": True,
        "sender_may_change": True,
        "bounce_rate_threshold": 0.5,
    }
    shown = api.post("/campaigns", campaign_body(**given)).json()
    assert {name: shown[name] for name in given} == given


def test_its_steps_and_credentials_are_made_with_it(api: ApiClient) -> None:
    steps = [step_body(), {"body_text": "And again, {{first_name}}", "delay_minutes": 2_880}]
    shown = api.post("/campaigns", campaign_body(sequence_steps=steps)).json()
    assert [
        (step["position"], step["subject"], step["body_text"], step["delay_minutes"])
        for step in shown["sequence_steps"]
    ] == [(1, "Hello {{first_name}}", "Hello {{first_name}}", 0), (2, "", "And again, {{first_name}}", 2_880)]
    assert [credential["from_email"] for credential in shown["smtp_credentials"]] == ["alice@sender.example"]


def test_steps_may_be_given_in_any_order(api: ApiClient) -> None:
    steps = [{"position": 2, "body_text": "second"}, step_body(position=1)]
    shown = api.post("/campaigns", campaign_body(sequence_steps=steps)).json()
    assert [step["body_text"] for step in shown["sequence_steps"]] == ["Hello {{first_name}}", "second"]


def test_no_password_is_ever_answered(api: ApiClient) -> None:
    credentials = [credential_body(**imap_fields())]
    created = api.post("/campaigns", campaign_body(smtp_credentials=credentials))
    shown = api.get(f"/campaigns/{created.json()['id']}")
    for response in (created, shown, api.get("/campaigns")):
        assert "canary" not in response.content.decode()
        assert "_password" not in response.content.decode()


@pytest.mark.parametrize(("field", "value"), cases(BAD_CAMPAIGN))
def test_a_bad_value_makes_nothing(api: ApiClient, field: str, value: Any) -> None:
    with nothing_changes():
        assert_refused(api.post("/campaigns", campaign_body(**{field: value})), field)


@pytest.mark.parametrize(("field", "value"), cases(BAD_CREDENTIAL))
def test_a_bad_value_in_a_nested_credential_makes_nothing(api: ApiClient, field: str, value: Any) -> None:
    credentials = [credential_body(from_email="first@sender.example"), credential_body(**{field: value})]
    with nothing_changes():
        response = api.post("/campaigns", campaign_body(smtp_credentials=credentials))
        assert_refused(response, f"smtp_credentials.1.{field}")
    assert "canary" not in response.content.decode()


@pytest.mark.parametrize(("field", "value"), cases(BAD_STEP))
def test_a_bad_value_in_a_nested_step_makes_nothing(api: ApiClient, field: str, value: Any) -> None:
    steps = [step_body(), step_body(**{field: value})]
    with nothing_changes():
        assert_refused(api.post("/campaigns", campaign_body(sequence_steps=steps)), f"sequence_steps.1.{field}")


@pytest.mark.parametrize("field", ["name", "smtp_credentials", "sequence_steps"])
def test_what_is_required_is_asked_for(api: ApiClient, field: str) -> None:
    body = campaign_body()
    del body[field]
    with nothing_changes():
        assert_refused(api.post("/campaigns", body), field)


@pytest.mark.parametrize(
    "field", ["smtp_host", "smtp_port", "smtp_username", "smtp_password", "from_email", "daily_limit"]
)
def test_a_new_credential_needs_all_of_its_login(api: ApiClient, field: str) -> None:
    credential = credential_body()
    del credential[field]
    with nothing_changes():
        response = api.post("/campaigns", campaign_body(smtp_credentials=[credential]))
        assert_refused(response, f"smtp_credentials.0.{field}")


@pytest.mark.parametrize("body", [b'"x"', b"[]", b"{", b'{"name": NaN}', b"\xff"])
def test_what_is_no_object_is_a_bad_request(api: ApiClient, body: bytes) -> None:
    with nothing_changes():
        assert_code(api.post("/campaigns", body), 400, "bad_request")


def test_a_name_of_five_megabytes_is_too_large_a_body(api: ApiClient) -> None:
    with nothing_changes():
        assert_code(api.post("/campaigns", campaign_body(name="x" * 5_000_000)), 413, "payload_too_large")


def test_the_first_step_needs_a_subject(api: ApiClient) -> None:
    for subject in ("", "   ", None):
        with nothing_changes():
            response = api.post("/campaigns", campaign_body(sequence_steps=[step_body(subject=subject)]))
            assert_refused(response, "sequence_steps.0.subject")


def test_a_step_needs_a_body(api: ApiClient) -> None:
    with nothing_changes():
        response = api.post("/campaigns", campaign_body(sequence_steps=[step_body(), {"subject": "x"}]))
        assert_refused(response, "sequence_steps.1.body_html")


@pytest.mark.parametrize(("positions", "blamed"), [((1, 1), 1), ((2, 3), 0), ((1, 3), 1)])
def test_positions_run_from_one_without_gaps(api: ApiClient, positions: tuple[int, int], blamed: int) -> None:
    steps = [step_body(position=position) for position in positions]
    with nothing_changes():
        response = api.post("/campaigns", campaign_body(sequence_steps=steps))
    assert response.status_code == 422
    assert f"sequence_steps.{blamed}.position" in response.json()["details"]


@pytest.mark.parametrize(
    ("waits", "blamed"),
    [
        ({"min_wait_seconds": 10, "max_wait_seconds": 9}, "max_wait_seconds"),
        ({"min_wait_seconds": 421}, "min_wait_seconds"),
        ({"max_wait_seconds": 119}, "max_wait_seconds"),
    ],
)
def test_the_shortest_wait_is_not_longer_than_the_longest(api: ApiClient, waits: dict[str, int], blamed: str) -> None:
    with nothing_changes():
        assert_refused(api.post("/campaigns", campaign_body(**waits)), blamed)


def test_a_word_for_later_is_refused_by_name(api: ApiClient) -> None:
    response = api.post("/campaigns", campaign_body(routing="auto"))
    assert response.json()["details"] == {"routing": ["`auto` is not available on this server yet; use `rotate`."]}


def test_a_campaign_may_be_judged_by_the_evidence_rule(api: ApiClient) -> None:
    made = api.post("/campaigns", campaign_body(health_rule="evidence")).json()
    assert made["health_rule"] == "evidence"
    assert made["health"] == {
        "verdict": "healthy",
        "probability_above_threshold": made["health"]["probability_above_threshold"],
        "sends": 0,
        "bounces": 0,
    }
    assert 0 < made["health"]["probability_above_threshold"] < 0.2


@pytest.mark.parametrize("missing", [str(NOBODY), "no-uuid", ""])
def test_an_outreach_that_is_not_there_is_a_404(api: ApiClient, missing: str) -> None:
    with nothing_changes():
        assert_code(api.post("/campaigns", campaign_body(outreach_id=missing)), 404, "outreach_not_found")


def test_a_known_mailbox_is_attached_and_takes_the_fields_given(api: ApiClient, account: Account) -> None:
    api.post("/campaigns", campaign_body())
    again = credential_body(from_email="ALICE@Sender.example", label="second", daily_limit=7)
    del again["smtp_password"]
    shown = api.post("/campaigns", campaign_body(smtp_credentials=[again])).json()
    credential = SmtpCredential.objects.of(account).get()
    assert (credential.label, credential.daily_limit, credential.smtp_password) == ("second", 7, PASSWORD)
    assert shown["smtp_credentials"][0]["daily_limit"] == 7


def test_one_call_with_an_idempotency_key_makes_one_campaign(api: ApiClient, account: Account) -> None:
    answers = [api.post("/campaigns", campaign_body(), idempotency_key="abc") for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert Campaign.objects.of(account).count() == 1


# -- Changing and deleting

CHANGEABLE = {field: values for field, values in BAD_CAMPAIGN.items() if field != "smtp_credentials"}


@pytest.mark.parametrize(("field", "value"), cases(CHANGEABLE))
def test_a_bad_value_changes_nothing(api: ApiClient, account: Account, field: str, value: Any) -> None:
    campaign = factories.make_campaign(account)
    with nothing_changes():
        assert_refused(api.patch(f"/campaigns/{campaign.pk}", {field: value}), field)


def test_a_campaign_takes_what_a_patch_gives_and_keeps_the_rest(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account, name="before", verify_email_mx=True)
    shown = api.patch(f"/campaigns/{campaign.pk}", {"campaign": {"name": "after", "bounce_rate_threshold": 12.5}})
    assert shown.status_code == 200
    assert (shown.json()["name"], shown.json()["bounce_rate_threshold"]) == ("after", 12.5)
    assert shown.json()["verify_email_mx"] is True


def test_a_campaign_may_leave_its_outreach(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account, outreach=factories.make_outreach(account))
    assert api.patch(f"/campaigns/{campaign.pk}", {"outreach_id": None}).json()["outreach_id"] is None


def test_waits_are_compared_with_those_that_are_kept(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account, min_wait_seconds=50, max_wait_seconds=60)
    with nothing_changes():
        assert_refused(api.patch(f"/campaigns/{campaign.pk}", {"max_wait_seconds": 49}), "max_wait_seconds")


@pytest.mark.parametrize("part", ["smtp_credentials", "sequence_steps"])
def test_parts_with_resources_of_their_own_are_changed_there(api: ApiClient, account: Account, part: str) -> None:
    campaign = factories.make_campaign(account)
    with nothing_changes():
        response = api.patch(f"/campaigns/{campaign.pk}", {part: campaign_body()[part]})
        assert_refused(response, part)
    assert f"/campaigns/:id/{part}" in response.json()["details"][part][0]


def test_a_deleted_campaign_is_gone(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account)
    assert api.delete(f"/campaigns/{campaign.pk}").status_code == 204
    assert_code(api.get(f"/campaigns/{campaign.pk}"), 404, "campaign_not_found")
    assert api.get("/campaigns").json() == []
    assert SequenceStep.objects.filter(campaign=campaign).exists()
