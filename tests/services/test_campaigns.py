"""Campaigns: created whole, or not at all; changed under the lock that sending takes."""

import uuid
from typing import Any

import pytest

from ampout.accounts.models import Account
from ampout.lib import clock
from ampout.lib.errors import NotFound, ValidationFailed
from campaigns.models import Campaign
from campaigns.services.campaigns import attach_credential, create_campaign, update_campaign
from campaigns.services.outreaches import create_outreach, update_outreach
from campaigns.services.steps import StepValues, order_steps
from credentials.services import CredentialEntry, CredentialValues
from tests import factories
from tests.api.unchanged import nothing_changes
from tests.services.rival import Held, Waiting

STEP: StepValues = {"subject": "Hello", "body_html": "<p>Hello</p>"}


def mailbox(**changes: Any) -> CredentialEntry:
    """A credential by the values of its mailbox."""
    values: dict[str, Any] = {
        "smtp_host": "smtp.sender.example",
        "smtp_port": 587,
        "smtp_username": "alice",
        "smtp_password": "secret",
        "from_email": "alice@sender.example",
        "daily_limit": 40,
    }
    given: CredentialValues = values | changes  # type: ignore[assignment]
    return CredentialEntry(given)


@pytest.mark.django_db
def test_a_campaign_is_made_with_steps_and_credentials(account: Account) -> None:
    now = clock.utc_now()
    steps: list[StepValues] = [STEP, {"body_text": "Again"}]
    created = create_campaign(account, {"name": "spring"}, steps, [mailbox()], now=now)
    campaign = created.campaign
    assert (campaign.status, campaign.created_at) == ("pending", now)
    assert list(campaign.steps.values_list("position", "body_text", "body_text_given")) == [
        (1, "Hello", False),
        (2, "Again", True),
    ]
    assert [admission.credential for admission in created.admissions] == list(campaign.credentials.all())


@pytest.mark.django_db
def test_a_limit_asked_of_a_shared_credential_is_handed_on(account: Account) -> None:
    create_campaign(account, {"name": "first"}, [STEP], [mailbox()])
    created = create_campaign(account, {"name": "second"}, [STEP], [mailbox(daily_limit=3)])
    assert [(one.created, one.new_limit) for one in created.admissions] == [(False, 3)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("steps", "entries", "field"),
    [
        ([STEP, {}], [mailbox()], "sequence_steps.1.body_html"),
        ([{"body_text": "x"}], [mailbox()], "sequence_steps.0.subject"),
        ([STEP, STEP | {"position": 3}], [mailbox()], "sequence_steps.1.position"),
        ([STEP], [mailbox(), CredentialEntry({"label": "x"})], "smtp_credentials.1.smtp_host"),
    ],
)
def test_a_problem_in_a_part_makes_nothing(
    account: Account, steps: list[StepValues], entries: list[CredentialEntry], field: str
) -> None:
    with nothing_changes(), pytest.raises(ValidationFailed) as caught:
        create_campaign(account, {"name": "spring"}, steps, entries)
    assert field in caught.value.details


@pytest.mark.django_db
def test_parts_of_another_account_make_nothing(account: Account, other_account: Account) -> None:
    outreach, credential = factories.make_outreach(other_account), factories.make_credential(other_account)
    with nothing_changes():
        with pytest.raises(NotFound, match="outreach"):
            create_campaign(account, {"name": "x", "outreach_id": outreach.pk}, [STEP], [mailbox()])
        with pytest.raises(NotFound, match="credential"):
            create_campaign(account, {"name": "x"}, [STEP], [mailbox(), CredentialEntry({}, credential.pk)])


@pytest.mark.parametrize(
    ("positions", "order"),
    [([None, None], [0, 1]), ([2, 1], [1, 0]), ([None, 1], None), ([1, 1], None), ([2], None), ([3, 1, 2], [1, 2, 0])],
)
def test_steps_are_put_in_the_order_of_their_positions(positions: list[int | None], order: list[int] | None) -> None:
    given: list[StepValues] = [STEP if place is None else STEP | {"position": place} for place in positions]
    if order is None:
        with pytest.raises(ValidationFailed, match="not valid"):
            order_steps(given)
    else:
        assert [index for index, _ in order_steps(given)] == order


@pytest.mark.django_db
def test_attaching_twice_is_attaching_once(account: Account) -> None:
    campaign = factories.make_campaign(account, credentials=0)
    first, second = (attach_credential(account, campaign.pk, mailbox()).credential for _ in range(2))
    assert first == second == campaign.credentials.get()


@pytest.mark.django_db
def test_an_update_keeps_what_it_was_not_given(account: Account) -> None:
    campaign = factories.make_campaign(account, name="before", min_wait_seconds=5)
    later = clock.utc_now()
    changed = update_campaign(account, campaign.pk, {"track_clicks": True}, now=later)
    assert (changed.name, changed.min_wait_seconds, changed.track_clicks, changed.updated_at) == (
        "before",
        5,
        True,
        later,
    )


@pytest.mark.django_db
@pytest.mark.parametrize("deleted", [False, True])
def test_a_campaign_that_is_not_there_is_not_changed(account: Account, other_account: Account, deleted: bool) -> None:
    owner = account if deleted else other_account
    campaign = factories.make_campaign(owner, deleted_at=clock.utc_now() if deleted else None)
    with nothing_changes(), pytest.raises(NotFound):
        update_campaign(account, campaign.pk, {"name": "mine"})


@pytest.mark.django_db
def test_an_outreach_is_changed_in_part(account: Account) -> None:
    outreach = create_outreach(account, {"name": "2026"})
    assert update_outreach(account, outreach.pk, {}).name == "2026"
    assert update_outreach(account, outreach.pk, {"unique_contacts": True}).unique_contacts is True
    with pytest.raises(NotFound):
        update_outreach(account, uuid.uuid4(), {"name": "x"})


@pytest.mark.django_db(transaction=True)
def test_two_updates_at_once_lose_nothing() -> None:
    campaign = factories.make_campaign(factories.make_account())
    with Held(lambda: update_campaign(campaign.account, campaign.pk, {"min_wait_seconds": 300})) as rival:
        late = Waiting(lambda: update_campaign(campaign.account, campaign.pk, {"max_wait_seconds": 200}))
        rival.commit_once_waited_for()
        assert isinstance(late.outcome(), ValidationFailed)
    kept = Campaign.everywhere.get(pk=campaign.pk)
    assert (kept.min_wait_seconds, kept.max_wait_seconds) == (300, 420)
