"""The states of an enrollment, why one stops or waits, and the figures made of them (design: States, Bounce rate)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum


class EnrollmentStatus(StrEnum):
    """How far one contact got in one campaign. Listed by rank: a status only ever rises."""

    PENDING = "pending"
    """Nothing was sent."""
    SENT = "sent"
    """At least one step was sent, or is unknown."""
    OPENED = "opened"
    """An open that was judged human."""
    REPLIED = "replied"
    """The contact wrote back; automatic answers are no replies."""
    BOUNCED = "bounced"
    """Refused for good, given up, returned, or its domain takes no mail."""
    UNSUBSCRIBED = "unsubscribed"
    """The contact asked not to be written to."""


RANK: dict[EnrollmentStatus, int] = {status: rank for rank, status in enumerate(EnrollmentStatus)}


class StopReason(StrEnum):
    """Why an enrollment gets no further step."""

    REPLIED = "replied"
    """The contact replied to this sequence."""
    REPLIED_ELSEWHERE = "replied_elsewhere"
    """The contact replied to another sequence of the account."""
    BOUNCED = "bounced"
    """The address does not exist: refused at once, or returned later."""
    UNSUBSCRIBED = "unsubscribed"
    """The contact asked for it, anywhere in the account."""
    COMPLAINED = "complained"
    """The contact reported a message as unwanted."""
    SUPPRESSED = "suppressed"
    """The address or its domain is on the account's suppression list."""
    MX_ABSENT = "mx_absent"
    """The domain takes no mail: no connection was made."""
    GAVE_UP = "gave_up"
    """Only temporary answers until the last retry was used up."""
    REFUSED = "refused"
    """Refused or returned for its content, its size, a policy or a full mailbox; the address is not suppressed."""
    QUARANTINED = "quarantined"
    """A message of it cannot be composed: set aside for an operator."""
    OWNER_DELETED = "owner_deleted"
    """Its contact, import or campaign was deleted."""


class WaitReason(StrEnum):
    """Why a step that is still to come has not gone yet."""

    NOT_RELEASED = "not_released"
    """Its batch was never dispatched."""
    RELEASING = "releasing"
    """Its batch was just dispatched and the planner has not reached it."""
    DELAY = "delay"
    """The step's delay after the previous one is not over."""
    DAILY_CAP = "daily_cap"
    """Every enabled credential of the campaign has used up its daily limit."""
    MONTHLY_LIMIT = "monthly_limit"
    """The account has sent, or has on the way, all that its operator allows in a month."""
    GAP = "gap"
    """The credential's next slot lies past the planning horizon."""
    MX_PENDING = "mx_pending"
    """The domain's MX is to be looked up before anything is planned."""
    MX_SILENT = "mx_silent"
    """The domain's name servers did not answer: asked again later, never judged."""
    PAUSED = "paused"
    """The campaign is paused."""
    NO_ENABLED_CREDENTIAL = "no_enabled_credential"
    """The campaign has no enabled credential."""
    CREDENTIAL_DISABLED = "credential_disabled"
    """The credential that sent step 1 is disabled; the thread stays with it."""
    CREDENTIAL_RETIRED = "credential_retired"
    """The credential that sent step 1 is retired, and the campaign does not let the sender change."""
    ACCOUNT_SUSPENDED = "account_suspended"
    """An operator suspended the account."""
    SENDING_OFF = "sending_off"
    """The database is a restored copy: nothing is sent from it until its operator adopts it."""
    IN_FLIGHT = "in_flight"
    """A message is planned, claimed or on the wire."""
    BACK_OFF = "back_off"
    """A temporary answer: the message has a time for its next try, or the credential's server is left alone."""
    UNKNOWN_GRACE = "unknown_grace"
    """The previous step is unknown, and evidence may still settle it."""
    OUT_OF_OFFICE = "out_of_office"
    """An automatic reply named the day of return; the next step goes on the day after it."""
    DAY_ROLLED_OVER = "day_rolled_over"
    """It could not connect on the day it was planned for, and the next day was full; goes before new contacts."""


STATUS_OF_STOP: dict[StopReason, EnrollmentStatus | None] = {
    StopReason.REPLIED: EnrollmentStatus.REPLIED,
    StopReason.REPLIED_ELSEWHERE: None,
    StopReason.BOUNCED: EnrollmentStatus.BOUNCED,
    StopReason.UNSUBSCRIBED: EnrollmentStatus.UNSUBSCRIBED,
    # A complaint is a wish not to be written to, said to somebody else.
    StopReason.COMPLAINED: EnrollmentStatus.UNSUBSCRIBED,
    StopReason.SUPPRESSED: None,
    StopReason.MX_ABSENT: EnrollmentStatus.BOUNCED,
    StopReason.GAVE_UP: EnrollmentStatus.BOUNCED,
    StopReason.REFUSED: EnrollmentStatus.BOUNCED,
    StopReason.QUARANTINED: None,
    StopReason.OWNER_DELETED: None,
}
"""The status that each stop reaches for; None leaves it as it is."""


def risen(current: EnrollmentStatus, fact: EnrollmentStatus) -> EnrollmentStatus:
    """The status after a fact: the higher of the two, so that a late fact of lower rank changes nothing."""
    return fact if RANK[fact] > RANK[current] else current


def stopped(current: EnrollmentStatus, reason: StopReason) -> EnrollmentStatus:
    """The status after the enrollment stopped for `reason`."""
    reached = STATUS_OF_STOP[reason]
    return current if reached is None else risen(current, reached)


@dataclass(frozen=True, slots=True)
class FactGroup:
    """How many enrollments have the same facts: each flag says whether that fact ever happened to them."""

    count: int
    sent: bool = False
    opened: bool = False
    replied: bool = False
    bounced: bool = False
    unsubscribed: bool = False


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many enrollments reached each stage or one after it: enrolled ≥ sent ≥ opened ≥ replied.

    `bounced` and `unsubscribed` are exits, not stages: they count all to whom it happened.
    """

    enrolled: int
    sent: int
    opened: int
    replied: int
    bounced: int
    unsubscribed: int


@dataclass(frozen=True, slots=True)
class Rates:
    """Percentages from 0 to 100, rounded half up to two places; 0 where nothing was sent."""

    bounce_rate: float
    open_rate: float
    reply_rate: float


def totals(counts: Mapping[EnrollmentStatus, int]) -> dict[str, int]:
    """The contract's `totals`: every status by name, in order of rank, 0 where none; they add up to the enrollments."""
    return {status.value: counts.get(status, 0) for status in EnrollmentStatus}


def funnel(groups: Iterable[FactGroup]) -> Funnel:
    """The cumulative funnel: who replied has also opened and been sent to, whether or not we saw it."""
    groups = list(groups)
    return Funnel(
        enrolled=sum(group.count for group in groups),
        sent=sum(group.count for group in groups if group.sent or group.opened or group.replied),
        opened=sum(group.count for group in groups if group.opened or group.replied),
        replied=sum(group.count for group in groups if group.replied),
        bounced=sum(group.count for group in groups if group.bounced),
        unsubscribed=sum(group.count for group in groups if group.unsubscribed),
    )


def percent(part: int, whole: int) -> float:
    """`part` of `whole` in percent, rounded half up to two places; 0 when `whole` is 0."""
    if whole == 0:
        return 0.0
    exact = Decimal(100 * part) / Decimal(whole)
    return float(exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))


def bounce_rate(*, accepted: int, unknown: int, refused: int, bounced: int) -> float:
    """The provider's own arithmetic in percent: bounces ÷ messages that a server answered, or may have taken.

    Each message counts once and every step counts. `refused` holds refusals of any kind, `bounced` those of all the
    messages counted that hard-bounced or were refused for their address; delays, give-ups and MX checks are in neither.
    """
    return percent(bounced, accepted + unknown + refused)


def rates(*, sent: int, opened: int, replied: int, bounce_rate: float) -> Rates:
    """The contract's `rates`; opens and replies are shares of the enrollments that were sent to."""
    return Rates(bounce_rate=bounce_rate, open_rate=percent(opened, sent), reply_rate=percent(replied, sent))
