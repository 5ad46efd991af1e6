"""What a simulation starts from: everything that planner and deliver loops would read, as it stands at one moment."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from dispatch.rules.message_state import MessageState
from dispatch.rules.mx import MxKnown
from dispatch.rules.planning import CampaignFacts, LaneFacts


@dataclass(frozen=True, slots=True)
class Pace:
    """The settings that time depends on: how often the planner ticks, and how much it and the loops take at once."""

    every: timedelta
    ahead: timedelta
    claim_ahead: timedelta
    batch: int
    open_at_once: int


@dataclass(frozen=True, slots=True)
class OpenMessage:
    """The message of a sequence's next step, planned, claimed, deferred or on the wire.

    `due_at` is empty where it lost its slot; `usage_day` is the day whose unit it holds.
    """

    message_id: uuid.UUID
    state: MessageState
    credential_id: uuid.UUID
    due_at: datetime | None
    gap_seconds: int
    seed: int
    usage_day: date | None = None
    attempted: bool = False
    wire_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OpenSequence:
    """An enrollment that may get another step.

    `due_at` is when that step may be planned; it is empty while a message of it is under way, and where `opening`: its
    batch was released, and the planner makes it due.
    """

    enrollment_id: uuid.UUID
    campaign_id: uuid.UUID
    position: int
    priority: int
    batch_number: int
    enrolled_at: datetime
    due_at: datetime | None
    sender_id: uuid.UUID | None = None
    domain: str = ""
    suppressed: bool = False
    opening: bool = False
    message: OpenMessage | None = None

    @property
    def rank(self) -> tuple[int, int, datetime, uuid.UUID]:
        """Its place where neither position nor a lost slot decides (`planning.Candidate.order`)."""
        return (-self.priority, self.batch_number, self.enrolled_at, self.enrollment_id)


@dataclass(frozen=True, slots=True)
class CampaignWorld:
    """An active campaign; `delays` are the minutes of each step by position, `credential_ids` all that are attached."""

    campaign_id: uuid.UUID
    min_wait_seconds: int
    max_wait_seconds: int
    credential_ids: tuple[uuid.UUID, ...]
    delays: Mapping[int, int]
    verify_email_mx: bool = False

    def facts(self, usable: frozenset[uuid.UUID]) -> CampaignFacts:
        """As the planner sees it."""
        return CampaignFacts(
            self.campaign_id,
            self.min_wait_seconds,
            self.max_wait_seconds,
            tuple(key for key in self.credential_ids if key in usable),
        )


@dataclass(frozen=True, slots=True)
class Passer:
    """A message of something else that takes its turn on a lane: a test, or one whose campaign may not send.

    `transacts`: it uses the server. Otherwise it is only handed back when its turn comes. `queued`: nobody has claimed
    it. `urgent`: it goes first.
    """

    credential_id: uuid.UUID
    due_at: datetime
    gap_seconds: int = 0
    transacts: bool = True
    queued: bool = True
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class MonthlyRoom:
    """What is left of an account's month: `taken` of `limit`; the next month begins at `ends_at`."""

    limit: int
    taken: int
    ends_at: datetime

    def with_one_more(self) -> "MonthlyRoom":
        """After another message was given a slot."""
        return replace(self, taken=self.taken + 1)

    def next_one(self, under_way: int) -> "MonthlyRoom":
        """The month after it, which begins with what is under way."""
        ends_at = (self.ends_at + timedelta(days=32)).replace(day=1)
        return MonthlyRoom(self.limit, under_way, ends_at)


@dataclass(frozen=True, slots=True)
class World:
    """The campaigns that share credentials, whatever waits in them, and the lanes.

    `lanes` has those that are not `usable` too, as messages may wait on them. The units in `LaneFacts.used` are without
    those that the next tick gives back.
    """

    now: datetime
    pace: Pace
    campaigns: tuple[CampaignWorld, ...]
    sequences: tuple[OpenSequence, ...]
    lanes: tuple[LaneFacts, ...]
    usable: frozenset[uuid.UUID]
    passers: tuple[Passer, ...] = ()
    mx: Mapping[str, MxKnown] = field(default_factory=dict)
    month: MonthlyRoom | None = None

    def with_credential(self, campaign_id: uuid.UUID, limit: int) -> "World":
        """The same with one more idle credential of this daily limit in a campaign."""
        added = LaneFacts(uuid.UUID(int=2**128 - 1), limit, 0, None, None, None, 0)
        campaigns = tuple(
            replace(campaign, credential_ids=(*campaign.credential_ids, added.credential_id))
            if campaign.campaign_id == campaign_id
            else campaign
            for campaign in self.campaigns
        )
        return replace(
            self, campaigns=campaigns, lanes=(*self.lanes, added), usable=self.usable | {added.credential_id}
        )
