"""Previews: each step filled in for one contact, with the lawful footer."""

import pytest

from ampout.accounts.models import Account
from ampout.lib import clock
from ampout.lib.errors import NotFound, Unprocessable
from campaigns.models import Campaign, SequenceStep
from campaigns.services.preview import PreviewedStep, merge_values, preview_campaign
from tests import factories


def preview(campaign: Campaign, **fields: object) -> list[PreviewedStep]:
    contact = factories.make_contact(campaign.account, **fields)  # type: ignore[arg-type]
    return preview_campaign(campaign.account, campaign.pk, contact.pk)


@pytest.mark.django_db
def test_tags_are_filled_and_escaped_where_it_is_html(account: Account) -> None:
    campaign = factories.make_campaign(account)
    SequenceStep.objects.filter(campaign=campaign).update(
        subject="{{company}} & {{city}}", body_html="<p>{{company}}</p>", body_text="{{company}} in {{city}}{{nothing}}"
    )
    (step,) = preview(campaign, company="A & <B>", custom_fields={"city": "Łódź"})
    assert step.subject == "A & <B> & Łódź"
    assert step.body_html.startswith("<p>A &amp; &lt;B&gt;</p>")
    assert step.body_text.startswith("A & <B> in Łódź\n\n-- \n")


@pytest.mark.django_db
def test_the_footer_names_the_sender_and_the_way_out(account: Account) -> None:
    (step,) = preview(factories.make_campaign(account))
    for body in (step.body_html, step.body_text):
        assert "Alice" in body
        assert "1 Loopback Lane, Nowhere" in body
        assert "http://localhost:8000/u/preview" in body


@pytest.mark.django_db
def test_a_step_of_text_alone_has_no_html(account: Account) -> None:
    campaign = factories.make_campaign(account)
    SequenceStep.objects.filter(campaign=campaign).update(body_html="")
    assert preview(campaign)[0].body_html == ""


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("subjects", "shown"),
    [
        (["A", "", ""], ["A", "Re: A", "Re: A"]),
        (["A", "B", ""], ["A", "B", "Re: B"]),
        (["RE: A", "", "C"], ["RE: A", "RE: A", "C"]),
        (["{{first_name}}", "", ""], ["Zoë", "Re: Zoë", "Re: Zoë"]),
    ],
)
def test_an_empty_subject_stays_in_the_thread(account: Account, subjects: list[str], shown: list[str]) -> None:
    campaign = factories.make_campaign(account, steps=3)
    for position, subject in enumerate(subjects, start=1):
        SequenceStep.objects.filter(campaign=campaign, position=position).update(subject=subject)
    assert [step.subject for step in preview(campaign, first_name="Zoë")] == shown


@pytest.mark.django_db
def test_a_contacts_own_fields_outweigh_custom_ones(account: Account) -> None:
    custom = {"email": "forged@a.example", "first_name": "Forged", "age": 42, "gone": None}
    contact = factories.make_contact(account, "real@a.example", first_name="Real", custom_fields=custom)
    assert merge_values(contact) == {
        "email": "real@a.example",
        "first_name": "Real",
        "last_name": "",
        "company": "",
        "age": "42",
        "gone": "",
    }


@pytest.mark.django_db
def test_a_step_that_would_become_too_large_is_refused(account: Account) -> None:
    campaign = factories.make_campaign(account)
    SequenceStep.objects.filter(campaign=campaign).update(body_text="{{company}}" * 6_000)
    with pytest.raises(Unprocessable, match="Step 1: The text would have more than"):
        preview(campaign, company="x" * 200)


@pytest.mark.django_db
def test_only_contacts_and_campaigns_of_the_account_are_shown(account: Account, other_account: Account) -> None:
    campaign, foreign_campaign = factories.make_campaign(account), factories.make_campaign(other_account)
    mine, foreign = factories.make_contact(account), factories.make_contact(other_account)
    deleted = factories.make_contact(account, deleted_at=clock.utc_now())
    for campaign_id, contact_id in (
        (campaign.pk, foreign.pk),
        (campaign.pk, deleted.pk),
        (foreign_campaign.pk, mine.pk),
    ):
        with pytest.raises(NotFound):
            preview_campaign(account, campaign_id, contact_id)
