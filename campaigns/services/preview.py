"""What a contact would get: every step of a campaign, filled in."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings

from ampout.accounts.models import Account
from ampout.lib.errors import NotFound, Unprocessable
from campaigns.models import Contact, SequenceStep
from campaigns.rules.footer import with_footer
from campaigns.rules.merge_tags import OutputTooLarge, compile_template
from campaigns.selectors.campaigns import find_campaign


@dataclass(frozen=True, slots=True)
class PreviewedStep:
    """One step as the contact would get it; `body_html` is empty for a step that is text alone."""

    position: int
    subject: str
    body_html: str
    body_text: str


def preview_campaign(account: Account, campaign_id: uuid.UUID, contact_id: uuid.UUID) -> list[PreviewedStep]:
    """Each step in order, as this contact would get it; the unsubscribe link leads nowhere.

    Raises NotFound, and Unprocessable for a step that would become too large.
    """
    campaign = find_campaign(account, campaign_id)
    contact = Contact.objects.of(account).filter(pk=contact_id, deleted_at__isnull=True).first()
    if contact is None:
        raise NotFound("contact_not_found")
    values = merge_values(contact) | {"unsubscribe_url": f"{settings.PUBLIC_URL}/u/preview"}
    previewed: list[PreviewedStep] = []
    for step in SequenceStep.objects.filter(campaign=campaign):
        previous = previewed[-1].subject if previewed else ""
        previewed.append(_preview(account, step, values, previous))
    return previewed


def merge_values(contact: Contact) -> dict[str, str]:
    """What a contact's merge tags stand for; its own fields outweigh custom ones of the same name."""
    custom = {name: "" if value is None else str(value) for name, value in contact.custom_fields.items()}
    return custom | {
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "email": contact.email,
        "company": contact.company,
    }


def _preview(account: Account, step: SequenceStep, values: Mapping[str, str], previous: str) -> PreviewedStep:
    html, text = with_footer(step.body_html or None, step.body_text, account.sender_name, account.postal_address)
    try:
        return PreviewedStep(
            position=step.position,
            subject=_subject(step, values, previous),
            body_html=compile_template(html, html=True).render(values) if html else "",
            body_text=compile_template(text, html=False).render(values),
        )
    except OutputTooLarge as error:
        raise Unprocessable(f"Step {step.position}: {error}") from None


def _subject(step: SequenceStep, values: Mapping[str, str], previous: str) -> str:
    """An empty follow-up subject stays in the thread: "Re: " and the subject before it."""
    subject = compile_template(step.subject, html=False).render(values)
    if subject.strip() or not previous:
        return subject
    return previous if previous.lower().startswith("re:") else f"Re: {previous}"
