"""Why a step has not gone: every gate on its way, whether it is open, and when a closed one opens next.

Each gate is asked by the functions that the planner decides with. The time at which a gate opens is a lower bound, as
things stand: no step leaves before the latest of them, unless somebody lifts what closes one (a pause, a limit, another
contact's slot).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from campaigns.rules.campaign_state import CampaignStatus, PauseReason
from campaigns.rules.enrollment_state import StopReason, WaitReason
from dispatch.rules import caps, timing
from dispatch.rules.message_state import MessageState
from dispatch.rules.mx import MxOutcome, decide_mx, kept_for
from dispatch.rules.step_facts import StepFacts


class GateName(StrEnum):
    """The gates, in the order in which they are shown."""

    STOPPED = "stopped"
    """Whether a fact ended the sequence: a reply, a bounce, a deletion, its last step."""
    SUPPRESSION = "suppression"
    """Whether the address or its domain is suppressed."""
    INSTALLATION = "installation"
    """Whether the database is a restored copy, from which nothing is sent."""
    ACCOUNT = "account"
    """Whether an operator suspended the account."""
    MONTHLY_LIMIT = "monthly_limit"
    """Whether the operator's limit of the month leaves room."""
    CAMPAIGN = "campaign"
    """Whether the campaign is active."""
    BATCH = "batch"
    """Whether its batch was dispatched."""
    POSTAL_ADDRESS = "postal_address"
    """Whether the account has the address that the operator requires for a dispatch."""
    DELAY = "delay"
    """Whether the step's delay after the one before is over, or the day on which the contact returns."""
    UNKNOWN_GRACE = "unknown_grace"
    """Whether the step before is unknown, and evidence may still settle it."""
    MX = "mx"
    """Whether the contact's domain takes mail."""
    CREDENTIAL = "credential"
    """Whether the credential that has to send it may."""
    HEALTH = "health"
    """Whether that credential's health is to be judged first."""
    BACK_OFF = "back_off"
    """Whether its server is left alone."""
    DAILY_CAP = "daily_cap"
    """Whether a unit of its daily limit is free; only first steps need one."""
    RETRY = "retry"
    """Whether the time of its next try has come."""
    SLOT = "slot"
    """Whether its slot, a gap after the one before, has come."""
    LEASE = "lease"
    """Whether a delivery loop has it in hand, or on the wire."""


class Verdict(StrEnum):
    """What a gate says."""

    OPEN = "pass"
    WAIT = "wait"
    STOP = "stop"
    """Nothing will be sent."""


class State(StrEnum):
    """Where the next step of an enrollment stands."""

    WAITING = "waiting"
    ON_THE_WIRE = "on_the_wire"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate. `opens_at` is set where time alone opens it, at the earliest then; `waits_for` names its wait reason.

    `value` and `limit` are what is held against each other, where there is such a thing.
    """

    name: GateName
    verdict: Verdict
    sentence: str
    value: str | int | None = None
    limit: str | int | None = None
    opens_at: datetime | None = None
    waits_for: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """All gates, and what they come to.

    `reason` is a wait reason, or a stop reason. `earliest_at` is when the
    step leaves at the earliest; empty where it never does, or waits for somebody.
    """

    state: State
    reason: str
    sentence: str
    earliest_at: datetime | None
    gates: tuple[Gate, ...]

    @property
    def waits_for_somebody(self) -> bool:
        """Whether time alone does not open every gate."""
        return self.state is State.WAITING and self.earliest_at is None


def explain_step(facts: StepFacts) -> Explanation:
    """Ask every gate; the one that opens last is the reason."""
    gates = tuple(ask(facts) for ask in _GATES)
    if gates[0].verdict is Verdict.STOP:
        # Whoever is through has no other gates.
        gates = gates[:1]
    closed = next((gate for gate in gates if gate.verdict is Verdict.STOP), None)
    if closed is not None:
        return Explanation(State.ENDED, closed.waits_for, closed.sentence, None, gates)
    if facts.on_the_wire and facts.message is not None:
        sentence = "Its body is on its way: the server's answer is awaited."
        return Explanation(State.ON_THE_WIRE, WaitReason.IN_FLIGHT, sentence, facts.message.wire_at or facts.now, gates)
    waits = [gate for gate in gates if gate.verdict is Verdict.WAIT]
    for_somebody = next((gate for gate in waits if gate.opens_at is None), None)
    if for_somebody is not None:
        return Explanation(State.WAITING, for_somebody.waits_for, for_somebody.sentence, None, gates)
    if not waits:
        return Explanation(State.WAITING, *_about_to_go(facts), facts.now, gates)
    last = max(waits, key=lambda gate: gate.opens_at or facts.now)
    return Explanation(State.WAITING, last.waits_for, last.sentence, last.opens_at, gates)


def _about_to_go(facts: StepFacts) -> tuple[str, str]:
    if facts.planned:
        return WaitReason.IN_FLIGHT, "It is due now: a delivery loop is about to take it."
    if facts.ahead:
        return WaitReason.GAP, f"{facts.ahead:,} others of its campaign are due before it; each keeps its gap."
    return WaitReason.RELEASING, "Nothing holds it: the planner is about to give it a slot."


# -- Those that only a person opens


def _stopped(facts: StepFacts) -> Gate:
    if facts.stop_reason:
        sentence = f"The sequence was stopped: {STOPS[StopReason(facts.stop_reason)]}."
        return Gate(GateName.STOPPED, Verdict.STOP, sentence, facts.stop_reason, waits_for=facts.stop_reason)
    if facts.finished or not facts.has_step:
        return Gate(GateName.STOPPED, Verdict.STOP, "Every step was sent: no further one is due.", waits_for="finished")
    return _pass(GateName.STOPPED, "Nothing has ended the sequence.")


def _suppression(facts: StepFacts) -> Gate:
    if facts.suppressed:
        sentence = "The address or its domain is on the account's suppression list: nothing will be sent to it."
        return Gate(GateName.SUPPRESSION, Verdict.STOP, sentence, waits_for=StopReason.SUPPRESSED)
    return _pass(GateName.SUPPRESSION, "Neither the address nor its domain is suppressed.")


def _installation(facts: StepFacts) -> Gate:
    if facts.sending_off:
        sentence = "The database was restored from a backup: nothing is sent until its operator adopts it."
        return _wait(GateName.INSTALLATION, sentence, WaitReason.SENDING_OFF)
    return _pass(GateName.INSTALLATION, "The database is no restored copy.")


def _account(facts: StepFacts) -> Gate:
    if facts.suspended:
        sentence = "An operator suspended the account: nothing is sent until they lift it."
        return _wait(GateName.ACCOUNT, sentence, WaitReason.ACCOUNT_SUSPENDED)
    return _pass(GateName.ACCOUNT, "The account may send.")


def _campaign(facts: StepFacts) -> Gate:
    status = facts.status
    if status is CampaignStatus.ACTIVE:
        return _pass(GateName.CAMPAIGN, "The campaign is active.", value=status)
    if status is CampaignStatus.PAUSED:
        who = PAUSES.get(facts.pause_reason, "") if facts.pause_reason else ""
        return _wait(GateName.CAMPAIGN, f"The campaign is paused{who}.", WaitReason.PAUSED, value=status)
    sentence = (
        "The campaign was never dispatched: dispatch it."
        if status is CampaignStatus.PENDING
        else "The campaign is completed: dispatch it again to reach whoever was added since."
    )
    return _wait(GateName.CAMPAIGN, sentence, WaitReason.NOT_RELEASED, value=status)


def _batch(facts: StepFacts) -> Gate:
    if facts.released:
        return _pass(GateName.BATCH, f"Batch {facts.batch_number} is dispatched.", value=facts.batch_number)
    sentence = f"Batch {facts.batch_number} was not dispatched yet: dispatch it."
    return _wait(GateName.BATCH, sentence, WaitReason.NOT_RELEASED, value=facts.batch_number)


def _postal_address(facts: StepFacts) -> Gate:
    if facts.lacks_postal_address and not facts.released:
        sentence = "The operator requires a postal address before a dispatch: set it by PATCH /account."
        return _wait(GateName.POSTAL_ADDRESS, sentence, WaitReason.NOT_RELEASED)
    return _pass(GateName.POSTAL_ADDRESS, "No postal address is missing for this.")


def _credential(facts: StepFacts) -> Gate:
    usable = [sender for sender in facts.senders if sender.lane is not None]
    if usable:
        who = usable[0].name if len(usable) == 1 else f"{len(usable)} credentials"
        return _pass(GateName.CREDENTIAL, f"It may be sent by {who}.", value=len(usable))
    if facts.free_tomorrow:
        opens_at = midnight_after(facts.now)
        sentence = (
            "The credential that tried it cannot send, and its limit counts it today; "
            f"another may take it from {_told(opens_at)} on."
        )
        return _wait(GateName.CREDENTIAL, sentence, WaitReason.CREDENTIAL_DISABLED, opens_at, value=0)
    if not facts.keeps_to:
        sentence = "The campaign has no enabled credential: re-enable or add one."
        return _wait(GateName.CREDENTIAL, sentence, WaitReason.NO_ENABLED_CREDENTIAL, value=0)
    sender = facts.senders[0] if facts.senders else None
    name = sender.name if sender else "The credential that sent step 1"
    if sender is not None and sender.trouble == WaitReason.CREDENTIAL_DISABLED:
        return _wait(GateName.CREDENTIAL, f"{name} is disabled: re-enable it.", WaitReason.CREDENTIAL_DISABLED, value=0)
    sentence = f"{name} left the campaign, which does not let the sender change: set sender_may_change."
    return _wait(GateName.CREDENTIAL, sentence, WaitReason.CREDENTIAL_RETIRED, value=0)


# -- Those that time opens


def _monthly_limit(facts: StepFacts) -> Gate:
    month = facts.month
    if month is None:
        return _pass(GateName.MONTHLY_LIMIT, "The account has no monthly limit.")
    if facts.planned or month.taken < month.limit:
        sentence = f"{month.taken:,} of this month's {month.limit:,} sends are taken."
        return Gate(GateName.MONTHLY_LIMIT, Verdict.OPEN, sentence, month.taken, month.limit)
    sentence = f"This month's limit of {month.limit:,} sends is reached; a new one starts at {_told(month.ends_at)}."
    return Gate(
        GateName.MONTHLY_LIMIT,
        Verdict.WAIT,
        sentence,
        month.taken,
        month.limit,
        month.ends_at,
        WaitReason.MONTHLY_LIMIT,
    )


def _delay(facts: StepFacts) -> Gate:
    if facts.due_at is None or facts.due_at <= facts.now or facts.wait_reason in _OTHER_WAITS:
        return _pass(GateName.DELAY, "Its delay is over.")
    if facts.wait_reason == WaitReason.OUT_OF_OFFICE:
        sentence = f"The contact is away; the step waits until {_told(facts.due_at)}."
        return _wait(GateName.DELAY, sentence, WaitReason.OUT_OF_OFFICE, facts.due_at)
    sentence = f"Its delay after the step before ends at {_told(facts.due_at)}."
    return _wait(GateName.DELAY, sentence, WaitReason.DELAY, facts.due_at)


def _unknown_grace(facts: StepFacts) -> Gate:
    if facts.wait_reason != WaitReason.UNKNOWN_GRACE or facts.due_at is None or facts.due_at <= facts.now:
        return _pass(GateName.UNKNOWN_GRACE, "No unknown message is waited for.")
    sentence = f"Nobody knows whether the step before arrived; evidence is waited for until {_told(facts.due_at)}."
    return _wait(GateName.UNKNOWN_GRACE, sentence, WaitReason.UNKNOWN_GRACE, facts.due_at)


def _mx(facts: StepFacts) -> Gate:
    if not facts.checks_mx:
        return _pass(GateName.MX, "The campaign does not check domains.")
    if facts.planned:
        return _pass(GateName.MX, "Its domain was checked when it got its slot.")
    decision = decide_mx(facts.mx, facts.now)
    if decision.outcome is MxOutcome.CANCEL and facts.mx is not None:
        asked_again_at = facts.mx.asked_at + kept_for(facts.mx.status, facts.mx.silences)
        sentence = (
            "Its domain takes no mail: when its turn comes, the contact is bounced without a connection. "
            f"The domain is asked again from {_told(asked_again_at)} on."
        )
        return Gate(GateName.MX, Verdict.WAIT, sentence, decision.reason, None, asked_again_at, StopReason.MX_ABSENT)
    silent_until = facts.due_at if facts.wait_reason == WaitReason.MX_SILENT else None
    retry_at = max((moment for moment in (decision.retry_at, silent_until) if moment), default=facts.now)
    if decision.outcome is MxOutcome.POSTPONE or retry_at > facts.now:
        sentence = f"The name servers of its domain did not answer; they are asked again at {_told(retry_at)}."
        return _wait(GateName.MX, sentence, WaitReason.MX_SILENT, retry_at, value=decision.reason)
    if decision.outcome is MxOutcome.LOOK_UP:
        sentence = "Its domain is looked up before it gets a slot, within seconds."
        return _wait(GateName.MX, sentence, WaitReason.MX_PENDING, facts.now, value=decision.reason)
    return _pass(GateName.MX, "Its domain takes mail.", value=decision.reason)


def _health(facts: StepFacts) -> Gate:
    usable = [sender for sender in facts.senders if sender.lane is not None]
    if usable and all(sender.health_due for sender in usable):
        sentence = "The credential's health is judged before its next body, within seconds."
        return _wait(GateName.HEALTH, sentence, WaitReason.IN_FLIGHT, facts.now)
    return _pass(GateName.HEALTH, "No judgement of health is awaited.")


def _back_off(facts: StepFacts) -> Gate:
    ends = [lane.back_off_until for lane in facts.lanes]
    resting = [end for end in ends if end is not None and end > facts.now]
    if ends and len(resting) == len(ends):
        opens_at = min(resting)
        sentence = f"The credential's server failed and is left alone until {_told(opens_at)}."
        return _wait(GateName.BACK_OFF, sentence, WaitReason.BACK_OFF, opens_at)
    return _pass(GateName.BACK_OFF, "Its server is not being left alone.")


def _daily_cap(facts: StepFacts) -> Gate:
    if facts.position > 1:
        return _pass(GateName.DAILY_CAP, "Later steps use no daily limit.")
    if facts.planned or facts.holds_unit:
        return _pass(GateName.DAILY_CAP, "It holds its unit of the daily limit.")
    used, limit = sum(lane.used for lane in facts.lanes), sum(lane.limit for lane in facts.lanes)
    left = sum(caps.remaining(lane.limit, lane.used) for lane in facts.lanes)
    if left > facts.ahead or not facts.lanes:
        sentence = f"{left:,} of today's {limit:,} new contacts are left."
        return Gate(GateName.DAILY_CAP, Verdict.OPEN, sentence, used, limit)
    if not limit:
        sentence = "Every credential has a daily limit of 0: raise one."
        return Gate(GateName.DAILY_CAP, Verdict.WAIT, sentence, used, limit, None, WaitReason.DAILY_CAP)
    opens_at = midnight_after(facts.now) + timedelta(days=(facts.ahead - left) // limit)
    before = f", and {facts.ahead:,} others are before it" if facts.ahead else ""
    sentence = (
        f"Of today's {limit:,} new contacts {left:,} are left{before}; it is its turn at {_told(opens_at)} or later."
    )
    return Gate(GateName.DAILY_CAP, Verdict.WAIT, sentence, used, limit, opens_at, WaitReason.DAILY_CAP)


def _retry(facts: StepFacts) -> Gate:
    message = facts.message
    if message is None or message.state is not MessageState.DEFERRED or message.due_at is None:
        return _pass(GateName.RETRY, "No retry is waited for.")
    if message.due_at <= facts.now:
        return _pass(GateName.RETRY, "The time of its next try has come.")
    sentence = f'The server said "not now"; the next try is at {_told(message.due_at)}.'
    return _wait(GateName.RETRY, sentence, WaitReason.BACK_OFF, message.due_at)


def _slot(facts: StepFacts) -> Gate:
    opens_at = _slot_at(facts)
    if opens_at is None or opens_at <= facts.now:
        return _pass(GateName.SLOT, "No gap is in its way.", value=facts.gap_seconds)
    if facts.planned:
        sentence, reason = f"Its slot is at {_told(opens_at)}.", WaitReason.IN_FLIGHT
    else:
        sentence, reason = f"The credential's next slot is at {_told(opens_at)}.", WaitReason.GAP
    return _wait(GateName.SLOT, sentence, reason, opens_at, value=facts.gap_seconds)


def _slot_at(facts: StepFacts) -> datetime | None:
    """When the first of its lanes could start it; None where it has none."""
    message = facts.message
    if message is not None and message.due_at is not None:
        own = [lane for lane in facts.lanes if lane.credential_id == message.credential_id]
        finished_at = own[0].last_finished_at if own else None
        return timing.start_at(message.due_at, finished_at, message.gap_seconds)
    return min(
        (
            timing.next_slot(facts.now, lane.last_slot_at, lane.last_finished_at, facts.gap_seconds)
            for lane in facts.lanes
        ),
        default=None,
    )


def _lease(facts: StepFacts) -> Gate:
    state = None if facts.message is None else facts.message.state
    if state is MessageState.CLAIMED:
        return _pass(GateName.LEASE, "A delivery loop has it in hand.", value=state)
    if state is MessageState.WIRE:
        return _pass(GateName.LEASE, "Its body is on its way.", value=state)
    return _pass(GateName.LEASE, "No delivery loop holds it.", value=state)


_GATES = (
    _stopped,
    _suppression,
    _installation,
    _account,
    _monthly_limit,
    _campaign,
    _batch,
    _postal_address,
    _delay,
    _unknown_grace,
    _mx,
    _credential,
    _health,
    _back_off,
    _daily_cap,
    _retry,
    _slot,
    _lease,
)
_OTHER_WAITS = frozenset({WaitReason.UNKNOWN_GRACE, WaitReason.MX_SILENT})

STOPS: Mapping[StopReason, str] = {
    StopReason.REPLIED: "the contact replied",
    StopReason.REPLIED_ELSEWHERE: "the contact replied to another sequence of the account",
    StopReason.BOUNCED: "the address does not exist",
    StopReason.UNSUBSCRIBED: "the contact asked not to be written to",
    StopReason.COMPLAINED: "the contact reported a message as unwanted",
    StopReason.SUPPRESSED: "the address or its domain is suppressed",
    StopReason.MX_ABSENT: "the domain takes no mail",
    StopReason.GAVE_UP: 'the server said "not now" until the last try was used up',
    StopReason.REFUSED: "the message was refused or returned",
    StopReason.QUARANTINED: "a message of it cannot be composed, or killed those who tried",
    StopReason.OWNER_DELETED: "its contact, import or campaign was deleted",
}
"""Why a sequence stopped, in words."""

PAUSES: Mapping[PauseReason, str] = {
    PauseReason.MANUAL: ": resume it",
    PauseReason.ALL_CREDENTIALS_DISABLED: ", as all its credentials are disabled: re-enable one",
    PauseReason.HEALTH: ", as too much of it bounced: resume it",
    PauseReason.OPERATOR: ": only an operator can resume it",
}
"""Who or what paused a campaign, and what lifts it."""


def midnight_after(now: datetime) -> datetime:
    """The beginning of the next UTC day."""
    return datetime.combine(timing.day_of(now) + timedelta(days=1), time(), UTC)


def _told(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _pass(name: GateName, sentence: str, *, value: str | int | None = None) -> Gate:
    return Gate(name, Verdict.OPEN, sentence, value)


def _wait(
    name: GateName,
    sentence: str,
    reason: WaitReason,
    opens_at: datetime | None = None,
    *,
    value: str | int | None = None,
) -> Gate:
    return Gate(name, Verdict.WAIT, sentence, value, None, opens_at, reason)
