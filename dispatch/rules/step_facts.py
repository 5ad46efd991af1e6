"""What is known about the next step of an enrollment, as the gates ask for it; most of it is taken from a `World`."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from campaigns.rules.campaign_state import CampaignStatus, PauseReason
from campaigns.rules.enrollment_state import WaitReason
from dispatch.rules import timing
from dispatch.rules.courses import Dice
from dispatch.rules.message_state import MessageState
from dispatch.rules.mx import MxKnown
from dispatch.rules.planning import LaneFacts
from dispatch.rules.world import CampaignWorld, MonthlyRoom, OpenMessage, OpenSequence, World


@dataclass(frozen=True, slots=True)
class Sender:
    """A credential of the campaign, or the one that sent step 1: its name, and what keeps it from sending, if anything.

    `trouble` is a wait reason: `credential_disabled` or `credential_retired`. `lane` is empty where it is not usable.
    """

    credential_id: uuid.UUID
    name: str
    trouble: str = ""
    lane: LaneFacts | None = None
    health_due: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFacts:
    """What is known about the next step of an enrollment.

    `senders` are those that may send it, by the planner's rules: the one that it keeps to, or all of the campaign.
    `keeps_to` says whether it is bound to that one. `ahead` is how many fresh first steps of its campaign go before it,
    each of which takes a unit of the cap first. `gap_seconds` is what its seed draws. `free_tomorrow`: it is bound to a
    credential that cannot send it by a unit of today, and not any more once that day is over.
    """

    now: datetime
    position: int
    stop_reason: str = ""
    finished: bool = False
    has_step: bool = True
    suppressed: bool = False
    suspended: bool = False
    sending_off: bool = False
    month: MonthlyRoom | None = None
    status: CampaignStatus = CampaignStatus.ACTIVE
    pause_reason: PauseReason | None = None
    batch_number: int = 0
    released: bool = True
    lacks_postal_address: bool = False
    due_at: datetime | None = None
    wait_reason: str = ""
    message: OpenMessage | None = None
    checks_mx: bool = False
    mx: MxKnown | None = None
    senders: tuple[Sender, ...] = ()
    keeps_to: bool = False
    gap_seconds: int = 0
    ahead: int = 0
    free_tomorrow: bool = False

    @property
    def slot_at(self) -> datetime | None:
        """The slot, or the next try, of its message."""
        return None if self.message is None else self.message.due_at

    @property
    def on_the_wire(self) -> bool:
        """Whether its body is leaving."""
        return self.message is not None and self.message.state is MessageState.WIRE

    @property
    def planned(self) -> bool:
        """Whether it has a slot, or a time for its next try."""
        return self.slot_at is not None

    @property
    def lanes(self) -> list[LaneFacts]:
        """The usable ones."""
        return [sender.lane for sender in self.senders if sender.lane is not None]

    @property
    def holds_unit(self) -> bool:
        """Whether it has a unit of today at a credential that it can use."""
        message = self.message
        return (
            message is not None
            and message.usage_day == timing.day_of(self.now)
            and any(lane.credential_id == message.credential_id for lane in self.lanes)
        )


def facts_of(
    world: World, sequence: OpenSequence, senders: Mapping[uuid.UUID, Sender], dice: Dice, **known: object
) -> StepFacts:
    """The facts of a sequence's next step that the world knows; `known` are the others.

    `senders` has every credential of the campaign, and those that the sequence was sent or tried through.
    """
    campaign = next(one for one in world.campaigns if one.campaign_id == sequence.campaign_id)
    chosen, keeps_to, free_tomorrow = _senders_for(world, campaign, sequence, senders)
    message = sequence.message
    facts = StepFacts(
        now=world.now,
        position=sequence.position,
        has_step=sequence.position in campaign.delays,
        suppressed=sequence.suppressed,
        month=world.month,
        batch_number=sequence.batch_number,
        due_at=sequence.due_at,
        message=message,
        checks_mx=campaign.verify_email_mx,
        mx=world.mx.get(sequence.domain),
        senders=chosen,
        keeps_to=keeps_to,
        free_tomorrow=free_tomorrow,
        gap_seconds=_gap_of(campaign, sequence, dice),
        ahead=_ahead_of(world, campaign, sequence),
    )
    return replace(facts, **known)  # type: ignore[arg-type]


def _senders_for(
    world: World, campaign: CampaignWorld, sequence: OpenSequence, senders: Mapping[uuid.UUID, Sender]
) -> tuple[tuple[Sender, ...], bool, bool]:
    """Who may send it, whether it is bound to that one, and whether the next day frees it."""
    message = sequence.message
    everybody = tuple(_as_attached(senders[key], campaign) for key in campaign.credential_ids if key in senders)
    bound = sequence.sender_id if sequence.position > 1 else None
    if message is not None and (message.due_at is not None or (sequence.position == 1 and message.attempted)):
        bound = message.credential_id
    if bound is None or bound not in senders:
        return everybody, False, False
    own = _as_attached(senders[bound], campaign)
    is_free = sequence.position == 1 or sequence.sender_id is None
    if own.lane is None and is_free and message is not None:
        # With a slot, it is handed back when its turn comes, and goes to whoever can send it.
        if message.due_at is not None or message.usage_day != timing.day_of(world.now):
            return everybody, False, False
        return (own,), True, any(one.lane is not None for one in everybody)
    return (own,), True, False


def _as_attached(sender: Sender, campaign: CampaignWorld) -> Sender:
    """What a credential is to a campaign: nothing leaves through one that it let go."""
    if sender.credential_id in campaign.credential_ids:
        return sender
    return replace(sender, trouble=WaitReason.CREDENTIAL_RETIRED, lane=None)


def _gap_of(campaign: CampaignWorld, sequence: OpenSequence, dice: Dice) -> int:
    """The gap that it has, or that its seed will draw."""
    message = sequence.message
    if message is not None and message.due_at is not None:
        return message.gap_seconds
    seed = dice(sequence.enrollment_id, sequence.position, None if message is None else message.seed)
    return timing.draw_gap(campaign.min_wait_seconds, campaign.max_wait_seconds, seed)


def _ahead_of(world: World, campaign: CampaignWorld, sequence: OpenSequence) -> int:
    """How many fresh first steps of its campaign take a unit before it: none can be named where domains are checked."""
    if sequence.position > 1 or sequence.message is not None or sequence.opening or campaign.verify_email_mx:
        return 0
    return sum(
        1
        for other in world.sequences
        if other.campaign_id == sequence.campaign_id
        and other.position == 1
        and other.message is None
        and not other.suppressed
        and other.due_at is not None
        and other.due_at <= world.now
        and other.rank < sequence.rank
    )
