"""The rows of sequence steps. What a change means for messages that were not started yet is dispatch's."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

from ampout.lib.errors import ValidationFailed
from campaigns.html_text import HtmlRefused, html_to_text
from campaigns.models import Campaign, SequenceStep

NEEDS_SUBJECT = "The first step needs a subject; later steps may leave it empty to stay in the thread."
NEEDS_BODY = "A step needs a body_html or a body_text."


class StepValues(TypedDict, total=False):
    """The fields of a step that a caller gave, checked one by one."""

    position: int
    subject: str
    body_html: str
    body_text: str
    delay_minutes: int


def order_steps(given: Sequence[StepValues]) -> list[tuple[int, StepValues]]:
    """The steps of a new sequence as (index in what was given, values), in the order of their positions.

    A step without a position takes the place it was given at. Raises ValidationFailed unless the positions run from 1.
    """
    placed = [(values.get("position", index + 1), index) for index, values in enumerate(given)]
    ordered = sorted(placed)
    problems = {
        f"{index}.position": [f"Positions must run from 1 to {len(given)}, each once."]
        for expected, (position, index) in enumerate(ordered, start=1)
        if position != expected
    }
    if problems:
        raise ValidationFailed(problems)
    return [(index, given[index]) for _, index in ordered]


def build_step(campaign: Campaign, position: int, values: StepValues, *, now: datetime) -> SequenceStep:
    """A new step that is not saved yet. Raises ValidationFailed."""
    step = SequenceStep(
        campaign=campaign,
        position=position,
        subject=values.get("subject", ""),
        delay_minutes=values.get("delay_minutes", 0),
        created_at=now,
    )
    set_bodies(step, values)
    step.updated_at = now
    if position == 1 and not step.subject.strip():
        raise ValidationFailed({"subject": [NEEDS_SUBJECT]})
    return step


def set_bodies(step: SequenceStep, values: StepValues) -> None:
    """Take in the bodies given; the text is made from the HTML where nobody wrote one. Raises ValidationFailed."""
    step.body_html = values.get("body_html", step.body_html)
    if "body_text" in values:
        step.body_text, step.body_text_given = values["body_text"], bool(values["body_text"].strip())
    if not (step.body_html.strip() or step.body_text_given):
        raise ValidationFailed({"body_html": [NEEDS_BODY]})
    if not step.body_text_given:
        step.body_text = _text_of(step.body_html)


def _text_of(body_html: str) -> str:
    try:
        return html_to_text(body_html)
    except HtmlRefused as refusal:
        raise ValidationFailed({"body_html": [str(refusal)]}) from None


def change_content(step: SequenceStep, values: StepValues, *, now: datetime) -> None:
    """Save the subject, bodies and delay given; the position is dispatch's to change. Raises ValidationFailed."""
    if "subject" in values:
        if step.position == 1 and not values["subject"].strip():
            raise ValidationFailed({"subject": [NEEDS_SUBJECT]})
        step.subject = values["subject"]
    set_bodies(step, values)
    step.delay_minutes = values.get("delay_minutes", step.delay_minutes)
    step.updated_at = now
    step.save(update_fields=["subject", "body_html", "body_text", "body_text_given", "delay_minutes", "updated_at"])
