"""Outreaches: containers of campaigns."""

from ampout.api import outreaches
from ampout.api.openapi.chapters.campaigns import CAMPAIGN_FIELDS, SHOWN_CAMPAIGN, TOTALS
from ampout.api.openapi.operations import Chapter, Example, Operation
from ampout.api.openapi.shapes import FLAG, ID, TEXT, TIME, Shape, list_of, object_of

_OUTREACH = {"id": ID, "name": TEXT, "unique_contacts": FLAG, "created_at": TIME}
OUTREACH = Shape("Outreach", object_of(_OUTREACH))
OUTREACH_IN_FULL = Shape(
    "OutreachInFull",
    object_of(
        _OUTREACH | {"totals": TOTALS, "campaigns": list_of(object_of(CAMPAIGN_FIELDS | {"totals": TOTALS}))},
    ),
)
SHAPES = (OUTREACH, OUTREACH_IN_FULL)

_NO_TOTALS = dict.fromkeys(("pending", "sent", "opened", "replied", "bounced", "unsubscribed"), 0)

CHAPTER = Chapter(
    "Outreaches",
    "A container of campaigns.",
    (
        Operation(
            method="GET",
            path="/outreaches",
            summary="List the outreaches",
            answer=list_of(OUTREACH.ref),
            paged=True,
            example=Example(answer=[{"name": "Spring", "unique_contacts": True}]),
        ),
        Operation(
            method="POST",
            path="/outreaches",
            summary="Make an outreach",
            status=201,
            answer=OUTREACH_IN_FULL.ref,
            body=outreaches.OUTREACH,
            wrapper="outreach",
            meanings={
                "name": "what it is called",
                "unique_contacts": "who is enrolled in one of its campaigns is skipped by the others",
            },
            defaults={"unique_contacts": False},
            example=Example(
                body={"name": "Spring", "unique_contacts": True},
                answer={"name": "Spring", "unique_contacts": True, "totals": _NO_TOTALS, "campaigns": []},
            ),
        ),
        Operation(
            method="GET",
            path="/outreaches/{outreach_id}",
            summary="Show an outreach with its campaigns",
            text="`totals` are those of all its campaigns.",
            answer=OUTREACH_IN_FULL.ref,
            codes=("outreach_not_found",),
            example=Example(
                answer={
                    "name": "Spring",
                    "totals": _NO_TOTALS | {"sent": 12},
                    "campaigns": [SHOWN_CAMPAIGN | {"totals": _NO_TOTALS | {"sent": 12}}],
                }
            ),
        ),
        Operation(
            method="PATCH",
            path="/outreaches/{outreach_id}",
            summary="Change an outreach",
            answer=OUTREACH_IN_FULL.ref,
            body=outreaches.OUTREACH,
            wrapper="outreach",
            partial=True,
            meanings={
                "name": "what it is called",
                "unique_contacts": "who is enrolled in one of its campaigns is skipped by the others",
            },
            codes=("outreach_not_found",),
            example=Example(
                body={"name": "Spring 2027"},
                answer={"name": "Spring 2027", "totals": _NO_TOTALS, "campaigns": []},
            ),
        ),
    ),
)
