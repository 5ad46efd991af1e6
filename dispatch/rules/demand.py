"""How many due steps a tick looks at: as many as could get a slot, and hardly more, whatever is enrolled."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from dispatch.rules import caps, timing
from dispatch.rules.planning import QUEUE_PER_LANE, CampaignFacts


class LaneState(Protocol):
    """What is asked of a lane, as it was read or as a plan has left it."""

    @property
    def limit(self) -> int:
        """Units of a day."""

    @property
    def used(self) -> int:
        """Units of today that are taken."""

    @property
    def queued(self) -> int:
        """Slots given out and not used."""

    @property
    def last_slot_at(self) -> datetime | None:
        """The latest slot given out."""

    @property
    def back_off_until(self) -> datetime | None:
        """Until when its server is left alone."""


@dataclass(frozen=True, slots=True)
class Demand:
    """How many due steps of one campaign a tick looks at: later ones by credential, first ones, and later ones whose
    sender was retired.
    """

    later: Mapping[uuid.UUID, int]
    first: int
    moved: int


def room_of(lane: LaneState, min_wait_seconds: int, *, now: datetime, ahead: timedelta) -> int:
    """How many slots a lane could give out within the horizon to a campaign with this shortest gap."""
    if not timing.room_ahead(lane.last_slot_at, now, ahead) or (lane.back_off_until and lane.back_off_until > now):
        return 0
    by_gap = ahead // timedelta(seconds=min_wait_seconds) + 2 if min_wait_seconds else QUEUE_PER_LANE
    return max(0, min(by_gap, QUEUE_PER_LANE - lane.queued))


def demand_of(
    campaign: CampaignFacts, lanes: Mapping[uuid.UUID, LaneState], *, now: datetime, ahead: timedelta, batch: int
) -> Demand:
    """What a tick asks for a campaign; `batch` bounds it. Lanes of its that are not among `lanes` have no room."""
    rooms = {
        key: room_of(lanes[key], campaign.min_wait_seconds, now=now, ahead=ahead)
        for key in campaign.credential_ids
        if key in lanes
    }
    by_cap = sum(min(room, caps.remaining(lanes[key].limit, lanes[key].used)) for key, room in rooms.items())
    return Demand(
        later={key: room for key, room in rooms.items() if room},
        # At least one is looked at, so that a campaign at its cap is noticed and said so.
        first=max(1, min(batch, by_cap)),
        moved=min(batch, sum(rooms.values())),
    )
