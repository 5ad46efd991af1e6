"""A campaign's future as things stand, from one snapshot; nothing is written."""

import uuid
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ampout.accounts.models import Account
from ampout.lib import clock, sql
from campaigns.models import Campaign
from campaigns.rules.campaign_state import CampaignStatus
from campaigns.selectors.campaigns import find_campaign
from dispatch.rules.courses import Dice
from dispatch.rules.forecast import Forecast, forecast_of
from dispatch.rules.world import World
from dispatch.services.explain import TOO_MUCH
from dispatch.services.pace import planners_dice, present_pace
from dispatch.world_reads import Asked, read_world

HORIZON_DAYS = 90
LONGEST_HORIZON_DAYS = 366
MOST_SENDS = 120_000
"""Of all campaigns that share credentials: some seconds' work. Where it is reached, the horizon is drawn there."""
MOST_SEQUENCES = 300_000

DISPATCHED, RESUMED = "dispatched", "resumed"
"""What a forecast takes for granted of a campaign that is not active: that it is dispatched whole, or resumed, now."""


@dataclass(frozen=True, slots=True)
class CampaignForecast:
    """A forecast, what it takes for granted, and the same with one more credential of this daily limit."""

    campaign_id: uuid.UUID
    now: datetime
    assumes: str | None
    forecast: Forecast
    limit_of_one_more: int = 0
    with_one_more: Forecast | None = None


def forecast_campaign(
    account: Account,
    campaign_id: uuid.UUID,
    *,
    days: int | None = None,
    dice: Dice | None = None,
    now: datetime | None = None,
) -> CampaignForecast:
    """What a campaign sends in the next days (90 unless given). Raises NotFound (campaign_not_found)."""
    now = now or clock.utc_now()
    with sql.snapshot():
        campaign = find_campaign(account, campaign_id)
        assumes = _assumed_of(campaign)
        asked = Asked(
            account,
            campaign_id,
            now,
            present_pace(),
            released=assumes == DISPATCHED,
            most=MOST_SEQUENCES,
        )
        found = read_world(asked)
    return _forecast(found.world, campaign_id, days or HORIZON_DAYS, dice or planners_dice(), assumes, found.complete)


def _assumed_of(campaign: Campaign) -> str | None:
    if campaign.status == CampaignStatus.ACTIVE:
        return None
    return RESUMED if campaign.status == CampaignStatus.PAUSED else DISPATCHED


def _forecast(
    world: World, campaign_id: uuid.UUID, days: int, dice: Dice, assumes: str | None, complete: bool
) -> CampaignForecast:
    until = world.now + timedelta(days=days)
    forecast = forecast_of(world, campaign_id, dice, until=until, most=MOST_SENDS)
    limit = _usual_limit(world, campaign_id)
    more = None
    if limit:
        more = forecast_of(world.with_credential(campaign_id, limit), campaign_id, dice, until=until, most=MOST_SENDS)
    if not complete:
        forecast, more = _unfinished(forecast), more and _unfinished(more)
    return CampaignForecast(campaign_id, world.now, assumes, forecast, limit, more)


def _unfinished(forecast: Forecast) -> Forecast:
    """Of a campaign that is only read in part, the days are right and the end is not."""
    return replace(forecast, finish_at=None, unfinished_reason=TOO_MUCH)


def _usual_limit(world: World, campaign_id: uuid.UUID) -> int:
    """The daily limit that most of the campaign's credentials have, the higher of two; 0 where it has none."""
    campaign = next(one for one in world.campaigns if one.campaign_id == campaign_id)
    limits = Counter(lane.limit for lane in world.lanes if lane.credential_id in campaign.credential_ids)
    return max(limits, key=lambda limit: (limits[limit], limit), default=0)
