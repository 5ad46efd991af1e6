"""Sequence steps: what is sent, and when after the step before."""

import uuid
from dataclasses import dataclass
from typing import Any, cast

from rest_framework.request import Request
from rest_framework.response import Response

from ampout.api.fields import Field, Integer, Invalid, JsonSchema, describe_text
from ampout.api.resources import Resource, find_or_404
from campaigns.models import SequenceStep
from campaigns.rules.merge_tags import LARGEST_OUTPUT, Problem, check_template
from campaigns.selectors.campaigns import find_campaign
from campaigns.services.steps import StepValues
from dispatch.services.steps import MOST_STEPS, add_step, delete_step, edit_step

LONGEST_DELAY_MINUTES = 525_600
"""A year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template(Field):
    """Text with merge tags; null is the empty text. A subject is one line of at most 998 characters (RFC 5322)."""

    longest: int = LARGEST_OUTPUT
    multiline: bool = True

    def read_null(self) -> str:
        """The empty text."""
        return ""

    def read_value(self, value: object) -> str:
        """The template as it was given. Raises Invalid."""
        if not isinstance(value, str):
            raise Invalid("Must be text.")
        if len(value) > self.longest:
            raise Invalid(f"Is too long: at most {self.longest} characters are allowed.")
        problems = check_template(value, multiline=self.multiline)
        if problems:
            raise Invalid({"": [self._say(problem) for problem in problems]})
        return value

    @property
    def takes_null(self) -> bool:
        """Null is the empty text."""
        return True

    def describe_value(self) -> JsonSchema:
        """Text with merge tags."""
        return describe_text(self.longest, blank=True)

    def _say(self, problem: Problem) -> str:
        return f"Line {problem.line}: {problem.message}" if self.multiline else problem.message


STEP = {
    "position": Integer(minimum=1, maximum=MOST_STEPS),
    "subject": Template(longest=998, multiline=False),
    "body_html": Template(),
    "body_text": Template(),
    "delay_minutes": Integer(maximum=LONGEST_DELAY_MINUTES),
}


def show_step(step: SequenceStep) -> dict[str, Any]:
    """A step as the contract shows it."""
    return {
        "id": step.pk,
        "position": step.position,
        "subject": step.subject,
        "body_html": step.body_html,
        "body_text": step.body_text,
        "delay_minutes": step.delay_minutes,
        "created_at": step.created_at,
        "updated_at": step.updated_at,
    }


class SequenceSteps(Resource):
    """`GET|POST /campaigns/:id/sequence_steps`."""

    def get(self, _request: Request, campaign_id: uuid.UUID) -> Response:
        """The steps in the order of their positions: a sequence has at most 100, so there are no pages."""
        campaign = find_campaign(self.account, campaign_id)
        return Response([show_step(step) for step in SequenceStep.objects.filter(campaign=campaign)])

    def post(self, _request: Request, campaign_id: uuid.UUID) -> Response:
        """Add a step, at the end unless a position is given."""
        find_campaign(self.account, campaign_id)
        values = cast("StepValues", self.read("sequence_step", STEP))
        return Response(show_step(add_step(self.account, campaign_id, values)), status=201)


class SequenceStepDetail(Resource):
    """`GET|PATCH|DELETE /campaigns/:id/sequence_steps/:id`."""

    def get(self, _request: Request, campaign_id: uuid.UUID, sequence_step_id: uuid.UUID) -> Response:
        """One step."""
        return Response(show_step(self._find(campaign_id, sequence_step_id)))

    def patch(self, _request: Request, campaign_id: uuid.UUID, sequence_step_id: uuid.UUID) -> Response:
        """Change what was not sent yet."""
        self._find(campaign_id, sequence_step_id)
        values = cast("StepValues", self.read("sequence_step", STEP, partial=True))
        return Response(show_step(edit_step(self.account, campaign_id, sequence_step_id, values)))

    def delete(self, _request: Request, campaign_id: uuid.UUID, sequence_step_id: uuid.UUID) -> Response:
        """Take out a step that nobody was sent."""
        delete_step(self.account, campaign_id, sequence_step_id)
        return Response(status=204)

    def _find(self, campaign_id: uuid.UUID, step_id: uuid.UUID) -> SequenceStep:
        steps = SequenceStep.objects.filter(campaign=find_campaign(self.account, campaign_id))
        step: SequenceStep = find_or_404(steps, step_id, "sequence_step_not_found")
        return step
