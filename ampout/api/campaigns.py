"""Campaigns and the actions on them."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, cast

from rest_framework.request import Request
from rest_framework.response import Response

from ampout.api import queries
from ampout.api.api_keys import client_kind_of
from ampout.api.fields import Boolean, Choice, Field, Id, Integer, Invalid, JsonSchema, ListOf, Nested, Number, Text
from ampout.api.resources import Resource
from ampout.api.sequence_steps import STEP, show_step
from ampout.api.smtp_credentials import NESTED_CREDENTIAL, apply_limits, attached_credentials, show_credential
from ampout.lib import clock
from ampout.lib.errors import ValidationFailed
from campaigns.models import Campaign, Enrollment, SequenceStep
from campaigns.models.campaign import MAXIMUM_WAIT_SECONDS
from campaigns.rules.enrollment_state import funnel, rates, totals
from campaigns.selectors.campaigns import (
    BatchFigures,
    batch_figures,
    campaigns_of,
    count_by_status,
    enrollment_groups,
    find_campaign,
    recent_bounces,
    skip_counts,
)
from campaigns.services.campaigns import CampaignValues, create_campaign, update_campaign
from campaigns.services.preview import preview_campaign
from credentials.models import SmtpCredential
from dispatch.figures import CredentialFigures, campaign_sends, credential_figures
from dispatch.rules.health import Evidence
from dispatch.rules.timing import day_of
from dispatch.services.deletion import delete_campaign
from dispatch.services.health import weigh_campaign
from dispatch.services.lifecycle import pause_campaign, release, resume_campaign
from dispatch.services.reply_detection import reply_detection_warnings
from dispatch.services.steps import MOST_STEPS
from dispatch.services.tallied import tallied_conservation_of
from dispatch.services.test_send import send_test

MOST_CREDENTIALS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyFor(Field):
    """A word of the contract of which this server knows only one as yet; the others are refused by name."""

    word: str
    others: tuple[str, ...]

    def read_value(self, value: object) -> str:
        """The one word. Raises Invalid."""
        if value == self.word:
            return self.word
        if isinstance(value, str) and value in self.others:
            raise Invalid(f"`{value}` is not available on this server yet; use `{self.word}`.")
        raise Invalid(f"Must be `{self.word}`.")

    def describe_value(self) -> JsonSchema:
        """The one word."""
        return {"type": "string", "enum": [self.word]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere(Field):
    """A part of a campaign that has resources of its own, and is not changed with the campaign."""

    path: str

    def read_null(self) -> Any:
        """As any other value. Raises Invalid."""
        return self.read_value(None)

    def read_value(self, value: object) -> Any:  # noqa: ARG002  # whatever it is
        """Say where to go. Raises Invalid."""
        raise Invalid(f"Change these one by one, at /campaigns/:id/{self.path}.")

    def describe_value(self) -> JsonSchema:
        """Nothing fits."""
        return {"not": {}}


CAMPAIGN: dict[str, Field] = {
    "name": Text(required=True, blank=False),
    "outreach_id": Id(null=True),
    "min_wait_seconds": Integer(maximum=MAXIMUM_WAIT_SECONDS),
    "max_wait_seconds": Integer(maximum=MAXIMUM_WAIT_SECONDS),
    "verify_email_mx": Boolean(),
    "routing": OnlyFor(word="rotate", others=("auto", "dedicated", "shared", "custom")),
    "bounce_rate_min_sends": Integer(minimum=1, maximum=1_000_000),
    "health_rule": Choice(words=("fixed", "evidence")),
    "track_opens": Boolean(),
    "track_clicks": Boolean(),
    "sender_may_change": Boolean(),
    "bounce_rate_threshold": Number(minimum=Decimal("0.5"), maximum=Decimal("25.0")),
}
NEW_CAMPAIGN = CAMPAIGN | {
    "smtp_credentials": ListOf(
        item=NESTED_CREDENTIAL,
        fewest=1,
        most=MOST_CREDENTIALS,
        required=True,
        empty_message="A campaign needs at least one credential.",
    ),
    "sequence_steps": ListOf(
        item=Nested(schema=STEP),
        fewest=1,
        most=MOST_STEPS,
        required=True,
        empty_message="A campaign needs at least one step.",
    ),
}
CHANGED_CAMPAIGN = CAMPAIGN | {
    "smtp_credentials": Elsewhere(path="smtp_credentials"),
    "sequence_steps": Elsewhere(path="sequence_steps"),
}
DISPATCH = {"batch_number": Integer(null=True)}
TEST_SEND = {"emails": ListOf(item=Text(longest=1_000)), "contact_id": Id(null=True)}


def show_campaign(campaign: Campaign) -> dict[str, Any]:
    """A campaign as lists show it."""
    return {
        "id": campaign.pk,
        "outreach_id": campaign.outreach_id,
        "name": campaign.name,
        "status": campaign.status,
        "pause_reason": campaign.pause_reason or None,
        "min_wait_seconds": campaign.min_wait_seconds,
        "max_wait_seconds": campaign.max_wait_seconds,
        "verify_email_mx": campaign.verify_email_mx,
        "routing": "rotate",
        "bounce_rate_min_sends": campaign.bounce_rate_min_sends,
        "health_rule": campaign.health_rule,
        "track_opens": campaign.track_opens,
        "track_clicks": campaign.track_clicks,
        "sender_may_change": campaign.sender_may_change,
        "bounce_rate_threshold": float(campaign.bounce_rate_threshold),
        "created_at": campaign.created_at,
        "updated_at": campaign.updated_at,
        "started_at": campaign.started_at,
        "paused_at": campaign.paused_at,
        "completed_at": campaign.completed_at,
    }


def show_campaign_in_full(campaign: Campaign) -> dict[str, Any]:
    """A campaign with its parts and its figures. The number of queries does not depend on how much there is."""
    now = clock.utc_now()
    groups = enrollment_groups([campaign.pk])
    reached = funnel(group.facts for group in groups)
    sends = campaign_sends(campaign.pk)
    credentials = list(attached_credentials(campaign))
    figures = credential_figures(credentials, today=day_of(now))
    steps = SequenceStep.objects.filter(campaign=campaign)
    return show_campaign(campaign) | {
        "smtp_credentials": [show_credential(credential) for credential in credentials],
        "sequence_steps": [show_step(step) for step in steps],
        "totals": totals(count_by_status(groups)),
        "rates": asdict(
            rates(sent=reached.sent, opened=reached.opened, replied=reached.replied, bounce_rate=sends.bounce_rate)
        ),
        "per_batch": [_show_batch(batch) for batch in batch_figures(campaign, groups)],
        "recent_bounces": [_show_bounce(enrollment) for enrollment in recent_bounces(campaign)],
        "credentials": [_show_figures(credential, figures[credential.pk]) for credential in credentials],
        "warnings": reply_detection_warnings(credentials),
        "skipped": skip_counts(campaign, groups),
        "funnel": asdict(reached),
        "health": _show_health(weigh_campaign(campaign, lifetime=sends)),
        "conservation": tallied_conservation_of([campaign.pk], now=now)[campaign.pk].as_dict(),
    }


def _show_health(evidence: Evidence) -> dict[str, Any]:
    """What the evidence says of the true bounce rate; it pauses the campaign where that is its rule."""
    return {
        "verdict": evidence.verdict,
        "probability_above_threshold": round(evidence.probability, 4),
        "sends": evidence.sends,
        "bounces": evidence.bounces,
    }


def _show_batch(batch: BatchFigures) -> dict[str, Any]:
    shown = {"batch_number": batch.number, "released_at": batch.released_at, "enrolled": sum(batch.counts.values())}
    return shown | totals(batch.counts)


def _show_bounce(enrollment: Enrollment) -> dict[str, Any]:
    return {
        "enrollment_id": enrollment.pk,
        "contact_id": enrollment.contact_id,
        "email": enrollment.contact.email,
        "bounce_reason": enrollment.bounce_reason or None,
        "bounced_at": enrollment.bounced_at,
    }


def _show_figures(credential: SmtpCredential, figures: CredentialFigures) -> dict[str, Any]:
    return {
        "id": credential.pk,
        "label": credential.label,
        "from_email": credential.from_email,
        "sends": figures.lifetime.total,
        "bounces": figures.lifetime.bounced,
        "bounce_rate": figures.lifetime.bounce_rate,
        "bounce_rate_since_enabled": figures.since_enabled.bounce_rate,
        "sends_today": figures.first_steps_today,
        "reserved_today": figures.reserved_today,
        "daily_limit": credential.daily_limit,
        "disabled_at": credential.disabled_at,
    }


def _campaign_values(values: dict[str, Any]) -> CampaignValues:
    """The values that are kept; `routing` has one word as yet."""
    return cast("CampaignValues", {name: values[name] for name in values if name in CampaignValues.__annotations__})


class Campaigns(Resource):
    """`GET|POST /campaigns`."""

    def get(self, _request: Request) -> Response:
        """The account's campaigns."""
        return self.answer_list(campaigns_of(self.account), show_campaign)

    def post(self, _request: Request) -> Response:
        """Make a campaign with its steps and credentials, or nothing at all."""
        values = self.read("campaign", NEW_CAMPAIGN)
        created = create_campaign(
            self.account, _campaign_values(values), values["sequence_steps"], values["smtp_credentials"]
        )
        apply_limits(created.admissions)
        return Response(show_campaign_in_full(created.campaign), status=201)


class CampaignDetail(Resource):
    """`GET|PATCH|DELETE /campaigns/:id`."""

    def get(self, _request: Request, campaign_id: uuid.UUID) -> Response:
        """One campaign with its figures."""
        return Response(show_campaign_in_full(find_campaign(self.account, campaign_id)))

    def patch(self, _request: Request, campaign_id: uuid.UUID) -> Response:
        """Change a campaign's own fields."""
        find_campaign(self.account, campaign_id)
        values = self.read("campaign", CHANGED_CAMPAIGN, partial=True)
        return Response(show_campaign_in_full(update_campaign(self.account, campaign_id, _campaign_values(values))))

    def delete(self, _request: Request, campaign_id: uuid.UUID) -> Response:
        """Delete a campaign: what has not started is cancelled, the ledger stays."""
        delete_campaign(self.account, campaign_id)
        return Response(status=204)


class DispatchCampaign(Resource):
    """`POST /campaigns/:id/dispatch`."""

    def post(self, _request: Request, campaign_id: uuid.UUID) -> Response:
        """Release one batch, or all."""
        find_campaign(self.account, campaign_id)
        values = self.read("dispatch", DISPATCH)
        kind = client_kind_of(self.key)
        result = release(self.account, campaign_id, values.get("batch_number"), client_kind=kind)
        campaign = result.campaign
        shown = {"id": campaign.pk, "status": campaign.status, "released": result.released, "warnings": result.warnings}
        return Response(shown)


class PauseCampaign(Resource):
    """`POST /campaigns/:id/pause`."""

    def post(self, _request: Request, campaign_id: uuid.UUID) -> Response:
        """Hold a campaign: nothing of it goes on the wire from now on."""
        find_campaign(self.account, campaign_id)
        self.read("campaign", {})
        return Response(_show_status(pause_campaign(self.account, campaign_id)))


class ResumeCampaign(Resource):
    """`POST /campaigns/:id/resume`."""

    def post(self, _request: Request, campaign_id: uuid.UUID) -> Response:
        """Let a paused campaign go on."""
        find_campaign(self.account, campaign_id)
        self.read("campaign", {})
        return Response(_show_status(resume_campaign(self.account, campaign_id)))


def _show_status(campaign: Campaign) -> dict[str, Any]:
    return {"id": campaign.pk, "status": campaign.status}


class TestSendCampaign(Resource):
    """`POST /campaigns/:id/test_send`."""

    __test__ = False

    def post(self, _request: Request, campaign_id: uuid.UUID) -> Response:
        """Send every step to a few addresses of one's own."""
        find_campaign(self.account, campaign_id)
        values = self.read("test_send", TEST_SEND)
        emails: Sequence[str] = values.get("emails", [])
        kind = client_kind_of(self.key)
        result = send_test(self.account, campaign_id, emails, values.get("contact_id"), client_kind=kind)
        return Response({"sent": result.sent, "refused": result.refused})


class PreviewCampaign(Resource):
    """`GET /campaigns/:id/preview?contact_id=`."""

    def get(self, request: Request, campaign_id: uuid.UUID) -> Response:
        """Each step as that contact would get it."""
        find_campaign(self.account, campaign_id)
        contact_id = queries.read_id(request.GET, "contact_id")
        if contact_id is None:
            raise ValidationFailed({"contact_id": ["Name the contact to preview for, as `?contact_id=`."]})
        return Response([asdict(step) for step in preview_campaign(self.account, campaign_id, contact_id)])
