"""Why something was not sent, and when it will be: `explain` and `forecast` (design, law 8)."""

import uuid
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from ampout.api import queries
from ampout.api.fields import JsonSchema
from ampout.api.resources import Resource
from dispatch.rules.forecast import Day, Forecast
from dispatch.rules.gates import Gate
from dispatch.services.explain import EnrollmentExplanation, explain_enrollment
from dispatch.services.explain_campaign import CampaignExplanation, CredentialGates, Waiting, explain_campaign
from dispatch.services.forecast import LONGEST_HORIZON_DAYS, CampaignForecast, forecast_campaign

DAYS_TOLD: JsonSchema = {"type": "integer", "minimum": 1, "maximum": LONGEST_HORIZON_DAYS}


def show_gate(gate: Gate) -> dict[str, Any]:
    """One gate; `value` and `limit` are texts or numbers, as the gate has them."""
    return {
        "gate": gate.name,
        "verdict": gate.verdict,
        "value": gate.value,
        "limit": gate.limit,
        "opens_at": gate.opens_at,
        "sentence": gate.sentence,
    }


def show_explanation(explained: EnrollmentExplanation) -> dict[str, Any]:
    """The next step of an enrollment, gate by gate."""
    explanation = explained.explanation
    return {
        "enrollment_id": explained.enrollment.pk,
        "campaign_id": explained.enrollment.campaign_id,
        "position": explained.enrollment.next_position,
        "state": explanation.state,
        "reason": explanation.reason,
        "sentence": explanation.sentence,
        "at": explained.now,
        "earliest_at": explanation.earliest_at,
        "expected_at": explained.expected_at,
        "expected_reason": explained.expected_reason or None,
        "gates": [show_gate(gate) for gate in explanation.gates],
    }


def show_campaign_explanation(explained: CampaignExplanation) -> dict[str, Any]:
    """How many of a campaign wait for what, and what its credentials are up to."""
    return {
        "campaign_id": explained.campaign_id,
        "status": explained.status,
        "at": explained.now,
        "waiting": explained.total,
        "sentence": explained.sentence,
        "reasons": [_show_waiting(waiting) for waiting in explained.waiting],
        "credentials": [_show_credential(credential) for credential in explained.credentials],
    }


def _show_waiting(waiting: Waiting) -> dict[str, Any]:
    return {
        "reason": waiting.reason,
        "count": waiting.count,
        "opens_at": waiting.opens_at,
        "sentence": waiting.sentence,
    }


def _show_credential(credential: CredentialGates) -> dict[str, Any]:
    return {
        "smtp_credential_id": credential.credential_id,
        "from_email": credential.from_email,
        "daily_limit": credential.daily_limit,
        "used_today": credential.used_today,
        "reason": credential.reason or None,
        "opens_at": credential.opens_at,
        "sentence": credential.sentence,
    }


def show_forecast(told: CampaignForecast) -> dict[str, Any]:
    """What will leave on each day, and when the last one does."""
    forecast = told.forecast
    return {
        "campaign_id": told.campaign_id,
        "at": told.now,
        "assumes": told.assumes,
        "horizon_at": forecast.horizon_at,
        "sends": forecast.sends,
        "finish_at": forecast.finish_at,
        "unfinished_reason": forecast.unfinished_reason or None,
        "days": [_show_day(day) for day in forecast.days],
        "with_one_more_credential": None if told.with_one_more is None else _show_change(told.with_one_more, told),
    }


def _show_day(day: Day) -> dict[str, Any]:
    return {
        "day": day.day,
        "first_steps": day.first_steps,
        "later_steps": day.later_steps,
        "binding": day.binding or None,
    }


def _show_change(changed: Forecast, told: CampaignForecast) -> dict[str, Any]:
    return {
        "daily_limit": told.limit_of_one_more,
        "sends": changed.sends,
        "finish_at": changed.finish_at,
        "unfinished_reason": changed.unfinished_reason or None,
    }


class ExplainEnrollment(Resource):
    """`GET /enrollments/:id/explain`."""

    def get(self, _request: Request, enrollment_id: uuid.UUID) -> Response:
        """Why its next step has not gone, and when it will."""
        return Response(show_explanation(explain_enrollment(self.account, enrollment_id)))


class ExplainCampaign(Resource):
    """`GET /campaigns/:id/explain`."""

    def get(self, _request: Request, campaign_id: uuid.UUID) -> Response:
        """What its contacts wait for."""
        return Response(show_campaign_explanation(explain_campaign(self.account, campaign_id)))


class ForecastCampaign(Resource):
    """`GET /campaigns/:id/forecast?days=`."""

    def get(self, request: Request, campaign_id: uuid.UUID) -> Response:
        """Sends a day, the end, and what one more credential would change."""
        days = queries.read_number(request.GET, "days", smallest=1, largest=LONGEST_HORIZON_DAYS)
        return Response(show_forecast(forecast_campaign(self.account, campaign_id, days=days)))
