"""Sequence steps."""

from ampout.api import sequence_steps
from ampout.api.openapi.operations import Chapter, Example, Operation
from ampout.api.openapi.shapes import COUNT, ID, TEXT, TIME, Shape, list_of, object_of

STEP = Shape(
    "SequenceStep",
    object_of(
        {
            "id": ID,
            "position": COUNT,
            "subject": TEXT,
            "body_html": TEXT,
            "body_text": TEXT,
            "delay_minutes": COUNT,
            "created_at": TIME,
            "updated_at": TIME,
        }
    ),
)
SHAPES = (STEP,)

SHOWN_STEP = {
    "id": "{step}",
    "position": 1,
    "subject": "Hello {{first_name}}",
    "body_html": "<p>Hello {{first_name}}</p>",
    "body_text": "Hello {{first_name}}",
    "delay_minutes": 0,
}
_LAST = {"body_html": "<p>One last question.</p>", "delay_minutes": 10080}
_MEANINGS = {
    "position": "its place",
    "subject": "template of one line; required for the first step; where it is empty later, `Re:` and the subject that "
    "was sent",
    "body_html": "template; this or `body_text` is required",
    "body_text": "template; made from the HTML unless given",
    "delay_minutes": "after the previous step was sent to that contact",
}
_STEP_CODES = ("campaign_not_found", "sequence_step_not_found")

CHAPTER = Chapter(
    "Sequence steps",
    "What is sent, in the order of positions, and how long after the step before.",
    (
        Operation(
            method="GET",
            path="/campaigns/{campaign_id}/sequence_steps",
            summary="List the steps of a campaign",
            text="In the order of their positions, all at once.",
            answer=list_of(STEP.ref),
            codes=("campaign_not_found",),
            example=Example(answer=[SHOWN_STEP]),
        ),
        Operation(
            method="POST",
            path="/campaigns/{campaign_id}/sequence_steps",
            summary="Add a step",
            text="At the end unless a position is given. A step that is added at the end reaches every enrollment that "
            "is not finished.",
            status=201,
            answer=STEP.ref,
            body=sequence_steps.STEP,
            wrapper="sequence_step",
            meanings=_MEANINGS,
            defaults={"delay_minutes": 0},
            codes=("campaign_not_found",),
            example=Example(
                body=_LAST, answer=_LAST | {"position": 2, "subject": "", "body_text": "One last question."}
            ),
        ),
        Operation(
            method="GET",
            path="/campaigns/{campaign_id}/sequence_steps/{sequence_step_id}",
            summary="Show a step",
            answer=STEP.ref,
            codes=_STEP_CODES,
            example=Example(ids={"sequence_step_id": "step"}, answer=SHOWN_STEP),
        ),
        Operation(
            method="PATCH",
            path="/campaigns/{campaign_id}/sequence_steps/{sequence_step_id}",
            summary="Change a step",
            text="Touches only messages that have not started. A position that has started cannot be moved: "
            "`unprocessable`.",
            answer=STEP.ref,
            body=sequence_steps.STEP,
            wrapper="sequence_step",
            partial=True,
            meanings=_MEANINGS,
            codes=_STEP_CODES,
            example=Example(
                ids={"sequence_step_id": "step"},
                body={"subject": "Good morning {{first_name}}"},
                answer=SHOWN_STEP | {"subject": "Good morning {{first_name}}"},
            ),
        ),
        Operation(
            method="DELETE",
            path="/campaigns/{campaign_id}/sequence_steps/{sequence_step_id}",
            summary="Take out a step",
            text="`unprocessable` for one that has started, and for the last that is left.",
            status=204,
            codes=_STEP_CODES,
            example=Example(ids={"sequence_step_id": "second_step"}),
        ),
    ),
)
