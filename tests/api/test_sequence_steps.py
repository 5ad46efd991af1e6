"""Sequence steps over the API; what an edit means for delivery is tested in tests/services/test_steps.py."""

from typing import Any

import pytest

from ampout.accounts.models import Account
from campaigns.models import Campaign, SequenceStep
from tests import factories
from tests.api.answers import assert_code
from tests.api.campaign_bodies import BAD_STEP, cases, step_body
from tests.api.hostile import assert_refused
from tests.api.unchanged import nothing_changes
from tests.conftest import ApiClient


@pytest.fixture
def campaign(account: Account) -> Campaign:
    """A pending campaign with two steps."""
    return factories.make_campaign(account, steps=2)


def path_of(campaign: Campaign, position: int | None = None) -> str:
    path = f"/campaigns/{campaign.pk}/sequence_steps"
    return path if position is None else f"{path}/{campaign.steps.get(position=position).pk}"


def bodies(campaign: Campaign) -> list[str]:
    return list(campaign.steps.order_by("position").values_list("body_text", flat=True))


def test_the_steps_are_listed_in_order(api: ApiClient, campaign: Campaign) -> None:
    shown = api.get(path_of(campaign)).json()
    assert [(step["position"], step["subject"], step["delay_minutes"]) for step in shown] == [
        (1, "Hello {{first_name}}", 0),
        (2, "", 0),
    ]


def test_a_step_is_added_at_the_end(api: ApiClient, campaign: Campaign) -> None:
    response = api.post(path_of(campaign), {"sequence_step": {"body_text": "third", "delay_minutes": 60}})
    assert response.status_code == 201
    assert (response.json()["position"], response.json()["delay_minutes"]) == (3, 60)


def test_a_step_may_be_put_between_others(api: ApiClient, campaign: Campaign) -> None:
    assert api.post(path_of(campaign), {"body_text": "between", "position": 2}).json()["position"] == 2
    assert bodies(campaign) == ["Step 1 for {{first_name}}", "between", "Step 2 for {{first_name}}"]


def test_the_text_is_made_from_the_html_when_it_is_absent(api: ApiClient, campaign: Campaign) -> None:
    for absent in ({}, {"body_text": ""}, {"body_text": None}):
        html = {"body_html": '<p>Read <a href="https://a.example/{{company}}">this</a></p>'}
        shown = api.post(path_of(campaign), html | absent).json()
        assert shown["body_text"] == "Read this <https://a.example/{{company}}>"


def test_a_text_that_was_made_follows_the_html_and_a_written_one_does_not(api: ApiClient, campaign: Campaign) -> None:
    made = api.post(path_of(campaign), {"body_html": "<p>one</p>"}).json()
    written = api.post(path_of(campaign), {"body_html": "<p>one</p>", "body_text": "mine"}).json()
    for step, text in ((made, "two"), (written, "mine")):
        shown = api.patch(f"{path_of(campaign)}/{step['id']}", {"body_html": "<p>two</p>"}).json()
        assert shown["body_text"] == text


@pytest.mark.parametrize(("field", "value"), cases(BAD_STEP))
def test_a_bad_value_adds_nothing(api: ApiClient, campaign: Campaign, field: str, value: Any) -> None:
    with nothing_changes():
        assert_refused(api.post(path_of(campaign), step_body(**{field: value})), field)


@pytest.mark.parametrize(("field", "value"), cases(BAD_STEP))
def test_a_bad_value_changes_nothing(api: ApiClient, campaign: Campaign, field: str, value: Any) -> None:
    with nothing_changes():
        assert_refused(api.patch(path_of(campaign, 1), {field: value}), field)


def test_a_malformed_tag_is_shown_with_its_line(api: ApiClient, campaign: Campaign) -> None:
    response = api.post(path_of(campaign), {"body_text": "Hi\n\n{{first name}}"})
    assert response.json()["details"]["body_text"][0].startswith('Line 3: "{{first name}}" is not a merge tag')


def test_html_that_is_nested_without_end_is_refused(api: ApiClient, campaign: Campaign) -> None:
    with nothing_changes():
        assert_refused(api.post(path_of(campaign), {"body_html": "<div>" * 1_000 + "x"}), "body_html")


@pytest.mark.parametrize("body", [{}, {"body_html": ""}, {"body_text": "  "}, {"body_html": None, "body_text": None}])
def test_a_step_needs_a_body(api: ApiClient, campaign: Campaign, body: dict[str, Any]) -> None:
    with nothing_changes():
        assert_refused(api.post(path_of(campaign), {"subject": "x"} | body), "body_html")


def test_a_body_cannot_be_taken_away(api: ApiClient, campaign: Campaign) -> None:
    with nothing_changes():
        assert_refused(api.patch(path_of(campaign, 2), {"body_html": "", "body_text": ""}), "body_html")


@pytest.mark.parametrize("subject", ["", "   ", None])
def test_the_first_step_keeps_a_subject(api: ApiClient, campaign: Campaign, subject: str | None) -> None:
    with nothing_changes():
        assert_refused(api.patch(path_of(campaign, 1), {"subject": subject}), "subject")


def test_a_later_step_may_lose_its_subject(api: ApiClient, campaign: Campaign) -> None:
    SequenceStep.objects.filter(campaign=campaign, position=2).update(subject="Once more")
    assert api.patch(path_of(campaign, 2), {"subject": None}).json()["subject"] == ""


def test_a_position_past_the_end_is_refused(api: ApiClient, campaign: Campaign) -> None:
    with nothing_changes():
        assert_refused(api.post(path_of(campaign), step_body(position=4)), "position")
        assert_refused(api.patch(path_of(campaign, 1), {"position": 3}), "position")


def test_steps_may_be_reordered(api: ApiClient, campaign: Campaign) -> None:
    assert api.patch(path_of(campaign, 2), {"position": 1, "subject": "Now first"}).json()["position"] == 1
    assert bodies(campaign) == ["Step 2 for {{first_name}}", "Step 1 for {{first_name}}"]


def test_a_step_without_a_subject_does_not_become_the_first(api: ApiClient, campaign: Campaign) -> None:
    with nothing_changes():
        assert_code(api.patch(path_of(campaign, 2), {"position": 1}), 422, "unprocessable")
        assert_code(api.patch(path_of(campaign, 1), {"position": 2}), 422, "unprocessable")
        assert_code(api.delete(path_of(campaign, 1)), 422, "unprocessable")


def test_a_step_that_nobody_was_sent_is_deleted(api: ApiClient, campaign: Campaign) -> None:
    assert api.delete(path_of(campaign, 2)).status_code == 204
    assert bodies(campaign) == ["Step 1 for {{first_name}}"]


def test_the_only_step_stays(api: ApiClient, account: Account) -> None:
    campaign = factories.make_campaign(account)
    with nothing_changes():
        assert_code(api.delete(path_of(campaign, 1)), 422, "unprocessable")


def test_a_step_that_has_started_is_neither_deleted_nor_moved(api: ApiClient, campaign: Campaign) -> None:
    factories.make_message(factories.enroll(campaign), state="accepted")
    with nothing_changes():
        assert_code(api.delete(path_of(campaign, 1)), 422, "unprocessable")
        assert_code(api.patch(path_of(campaign, 1), {"position": 2, "subject": "x"}), 422, "unprocessable")
        assert_code(api.post(path_of(campaign), step_body(position=1)), 422, "unprocessable")
