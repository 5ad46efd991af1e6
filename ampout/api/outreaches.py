"""Outreaches: containers of campaigns."""

import uuid
from typing import Any, cast

from rest_framework.request import Request
from rest_framework.response import Response

from ampout.api.campaigns import show_campaign
from ampout.api.fields import Boolean, Text
from ampout.api.resources import Resource
from campaigns.models import Outreach
from campaigns.rules.enrollment_state import totals
from campaigns.selectors.campaigns import campaigns_of, count_by_status, enrollment_groups, find_outreach
from campaigns.services.outreaches import OutreachValues, create_outreach, update_outreach

OUTREACH = {"name": Text(required=True, blank=False), "unique_contacts": Boolean()}


def show_outreach(outreach: Outreach) -> dict[str, Any]:
    """An outreach as lists show it."""
    return {
        "id": outreach.pk,
        "name": outreach.name,
        "unique_contacts": outreach.unique_contacts,
        "created_at": outreach.created_at,
    }


def show_outreach_in_full(outreach: Outreach) -> dict[str, Any]:
    """An outreach with its campaigns, newest first, and the totals of all of them. Two queries."""
    campaigns = list(campaigns_of(outreach.account_id).filter(outreach=outreach))
    groups = enrollment_groups([campaign.pk for campaign in campaigns])
    return show_outreach(outreach) | {
        "totals": totals(count_by_status(groups)),
        "campaigns": [
            show_campaign(campaign)
            | {"totals": totals(count_by_status(group for group in groups if group.campaign_id == campaign.pk))}
            for campaign in campaigns
        ],
    }


class Outreaches(Resource):
    """`GET|POST /outreaches`."""

    def get(self, _request: Request) -> Response:
        """The account's outreaches."""
        return self.answer_list(Outreach.objects.of(self.account), show_outreach)

    def post(self, _request: Request) -> Response:
        """Make an outreach."""
        values = cast("OutreachValues", self.read("outreach", OUTREACH))
        return Response(show_outreach_in_full(create_outreach(self.account, values)), status=201)


class OutreachDetail(Resource):
    """`GET|PATCH /outreaches/:id`."""

    def get(self, _request: Request, outreach_id: uuid.UUID) -> Response:
        """One outreach with its campaigns and totals."""
        return Response(show_outreach_in_full(find_outreach(self.account, outreach_id)))

    def patch(self, _request: Request, outreach_id: uuid.UUID) -> Response:
        """Change an outreach."""
        find_outreach(self.account, outreach_id)
        values = cast("OutreachValues", self.read("outreach", OUTREACH, partial=True))
        return Response(show_outreach_in_full(update_outreach(self.account, outreach_id, values)))
