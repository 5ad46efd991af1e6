"""`manage.py simulate`: how a campaign goes on if nothing happens but time."""

import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ampout.lib.errors import NotFound
from campaigns.models import Campaign
from dispatch.rules.forecast import Forecast
from dispatch.services.forecast import HORIZON_DAYS, LONGEST_HORIZON_DAYS, CampaignForecast, forecast_campaign
from dispatch.services.pace import other_dice


class Command(BaseCommand):
    """Print the sends of each day, what binds, and the end."""

    help = "Say how many messages of a campaign leave on each day, what holds the rest back, and when it is through."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which campaign, how far, and whose dice."""
        parser.add_argument("campaign", type=uuid.UUID, help="The id of the campaign.")
        parser.add_argument("--days", type=int, default=HORIZON_DAYS, help="How far to look ahead.")
        parser.add_argument("--seed", type=int, help="Draw other gaps than the planner will, the same for a seed.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Simulate it, whoever it belongs to."""
        if not 1 <= options["days"] <= LONGEST_HORIZON_DAYS:
            raise CommandError(f"--days must be between 1 and {LONGEST_HORIZON_DAYS}.")
        try:
            told = _forecast(options["campaign"], options["days"], options["seed"])
        except NotFound as error:
            raise CommandError(error.message) from None
        if told.assumes:
            self.stdout.write(f"As if it were {told.assumes} now.")
        self.stdout.write("day         first  later  binding")
        for day in told.forecast.days:
            self.stdout.write(f"{day.day}  {day.first_steps:5}  {day.later_steps:5}  {day.binding}".rstrip())
        self.stdout.write(f"{told.forecast.sends} sends, {_end(told.forecast)}.")
        if told.with_one_more is not None:
            limit = told.limit_of_one_more
            self.stdout.write(f"With one more credential of {limit} a day: {_end(told.with_one_more)}.")


def _forecast(campaign_id: uuid.UUID, days: int, seed: int | None) -> CampaignForecast:
    campaign = Campaign.everywhere.filter(pk=campaign_id).select_related("account").first()
    if campaign is None:
        raise NotFound("campaign_not_found")
    dice = None if seed is None else other_dice(seed)
    return forecast_campaign(campaign.account, campaign_id, days=days, dice=dice)


def _end(forecast: Forecast) -> str:
    if forecast.finish_at is not None:
        return f"the last at {forecast.finish_at:%Y-%m-%d %H:%M:%S} UTC"
    if forecast.unfinished_reason == "after_horizon":
        return f"not through by {forecast.horizon_at:%Y-%m-%d}"
    return f"not through: {forecast.unfinished_reason}"
