"""Why something was not sent, and when it will be."""

from ampout.api.explain import DAYS_TOLD
from ampout.api.fields import JsonSchema
from ampout.api.openapi.operations import Chapter, Example, Operation
from ampout.api.openapi.shapes import COUNT, DATE, ID, TEXT, TIME, Shape, list_of, object_of, one_of, or_null
from campaigns.rules.campaign_state import CampaignStatus
from dispatch.rules.gates import GateName, State, Verdict

_TEXT_OR_NUMBER: JsonSchema = {"type": ["string", "integer", "null"]}

GATE = Shape(
    "Gate",
    object_of(
        {
            "gate": one_of(GateName),
            "verdict": one_of(Verdict),
            "value": _TEXT_OR_NUMBER,
            "limit": _TEXT_OR_NUMBER,
            "opens_at": or_null(TIME),
            "sentence": TEXT,
        }
    ),
)
EXPLANATION = Shape(
    "Explanation",
    object_of(
        {
            "enrollment_id": ID,
            "campaign_id": ID,
            "position": COUNT,
            "state": one_of(State),
            "reason": TEXT,
            "sentence": TEXT,
            "at": TIME,
            "earliest_at": or_null(TIME),
            "expected_at": or_null(TIME),
            "expected_reason": or_null(TEXT),
            "gates": list_of(GATE.ref),
        }
    ),
)
WAITING = Shape(
    "WaitingContacts",
    object_of({"reason": TEXT, "count": COUNT, "opens_at": or_null(TIME), "sentence": TEXT}),
)
CREDENTIAL_GATES = Shape(
    "CredentialGates",
    object_of(
        {
            "smtp_credential_id": ID,
            "from_email": TEXT,
            "daily_limit": COUNT,
            "used_today": COUNT,
            "reason": or_null(TEXT),
            "opens_at": or_null(TIME),
            "sentence": TEXT,
        }
    ),
)
CAMPAIGN_EXPLANATION = Shape(
    "CampaignExplanation",
    object_of(
        {
            "campaign_id": ID,
            "status": one_of(CampaignStatus),
            "at": TIME,
            "waiting": COUNT,
            "sentence": TEXT,
            "reasons": list_of(WAITING.ref),
            "credentials": list_of(CREDENTIAL_GATES.ref),
        }
    ),
)
DAY = Shape(
    "ForecastDay",
    object_of({"day": DATE, "first_steps": COUNT, "later_steps": COUNT, "binding": or_null(TEXT)}),
)
CHANGED_FORECAST = Shape(
    "ChangedForecast",
    object_of({"daily_limit": COUNT, "sends": COUNT, "finish_at": or_null(TIME), "unfinished_reason": or_null(TEXT)}),
)
FORECAST = Shape(
    "Forecast",
    object_of(
        {
            "campaign_id": ID,
            "at": TIME,
            "assumes": or_null(one_of(("dispatched", "resumed"))),
            "horizon_at": TIME,
            "sends": COUNT,
            "finish_at": or_null(TIME),
            "unfinished_reason": or_null(TEXT),
            "days": list_of(DAY.ref),
            "with_one_more_credential": or_null(CHANGED_FORECAST.ref),
        }
    ),
)
SHAPES = (
    GATE,
    EXPLANATION,
    WAITING,
    CREDENTIAL_GATES,
    CAMPAIGN_EXPLANATION,
    DAY,
    CHANGED_FORECAST,
    FORECAST,
)

CHAPTER = Chapter(
    "Explain and forecast",
    "Why a step was not sent yet, and when it will be, by the functions that the planner itself decides with.",
    (
        Operation(
            method="GET",
            path="/enrollments/{enrollment_id}/explain",
            summary="Why the next step has not gone",
            text="Every gate on its way, with its verdict (`pass`, `wait`, `stop`) and when it opens. The step does not "
            "leave before `earliest_at`, as things stand; `expected_at` is when it leaves if nothing else happens. Both "
            "are null where somebody has to do something first, or nothing will be sent: `expected_reason` says which.",
            answer=EXPLANATION.ref,
            codes=("enrollment_not_found",),
            example=Example(
                answer={
                    "position": 1,
                    "state": "waiting",
                    "reason": "not_released",
                    "sentence": "The campaign was never dispatched: dispatch it.",
                    "earliest_at": None,
                    "expected_at": None,
                    "expected_reason": "not_released",
                    "gates": [
                        {
                            "gate": "campaign",
                            "verdict": "wait",
                            "value": "pending",
                            "limit": None,
                            "opens_at": None,
                            "sentence": "The campaign was never dispatched: dispatch it.",
                        }
                    ],
                }
            ),
        ),
        Operation(
            method="GET",
            path="/campaigns/{campaign_id}/explain",
            summary="What a campaign waits for",
            text="Its open contacts by what each waits for, the most frequent first, and what each credential is up to.",
            answer=CAMPAIGN_EXPLANATION.ref,
            codes=("campaign_not_found",),
            example=Example(
                answer={
                    "status": "pending",
                    "waiting": 1,
                    "sentence": "1 waiting: 1 not released",
                    "reasons": [
                        {
                            "reason": "not_released",
                            "count": 1,
                            "opens_at": None,
                            "sentence": "The campaign was never dispatched: dispatch it.",
                        }
                    ],
                    "credentials": [
                        {
                            "from_email": "ann@example.com",
                            "daily_limit": 50,
                            "used_today": 0,
                            "reason": None,
                            "sentence": "It may send now.",
                        }
                    ],
                }
            ),
        ),
        Operation(
            method="GET",
            path="/campaigns/{campaign_id}/forecast",
            summary="How a campaign goes on",
            text="If every message is accepted at once and nobody replies: sends a UTC day, what holds the rest back at "
            "its end (`binding`), the end, and what one more credential of the usual daily limit would change. A "
            "campaign that was never dispatched is taken as dispatched now, a paused one as resumed (`assumes`). Where "
            "`finish_at` is null, `unfinished_reason` is `after_horizon`, `waits_for_somebody` or "
            "`too_much_to_simulate`.",
            answer=FORECAST.ref,
            query={"days": DAYS_TOLD | {"description": "How far to look ahead; 90 unless given."}},
            codes=("campaign_not_found", "validation_failed"),
            example=Example(
                query={"days": 30},
                answer={
                    "assumes": "dispatched",
                    "sends": 2,
                    "finish_at": "2026-11-22T07:47:41Z",
                    "unfinished_reason": None,
                    "days": [{"day": "2026-11-22", "first_steps": 1, "later_steps": 1, "binding": None}],
                    "with_one_more_credential": {
                        "daily_limit": 50,
                        "sends": 2,
                        "finish_at": "2026-11-22T07:47:41Z",
                        "unfinished_reason": None,
                    },
                },
            ),
        ),
    ),
)
