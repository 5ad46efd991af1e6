"""What the planner does with a recipient domain, given what is known of its MX (design: "MX"; contract: rule 3).

Absence judges, silence only postpones. Answers are kept for a while, so that a domain is looked up once and not once a
contact; the numbers stand together here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ampout.lib.mx import MxStatus

PRESENT_KEPT_FOR = timedelta(hours=24)
"""A domain that takes mail will go on doing so."""
ABSENT_KEPT_FOR = timedelta(hours=6)
"""Shorter: a domain that is being set up should not be bounced for a day."""
FIRST_SILENCE = timedelta(minutes=10)
"""How long to wait after the first silence; doubled with each further one."""
LONGEST_SILENCE = timedelta(hours=4)
"""The most to wait; reached with the sixth silence in a row."""


class MxOutcome(StrEnum):
    """What to do with the message now."""

    SEND = "send"
    """The domain takes mail."""
    CANCEL = "cancel"
    """The domain takes none: no connection is made, and the enrollment bounces."""
    POSTPONE = "postpone"
    """Nothing certain is known: wait until `retry_at`, then look up."""
    LOOK_UP = "look_up"
    """Ask the DNS now, and decide again."""


class MxDecisionReason(StrEnum):
    """Why; the code that the ledger and `explain` show."""

    PRESENT = "mx_present"
    ABSENT = "mx_absent"
    SILENT = "mx_silent"
    NEVER_ASKED = "mx_never_asked"
    TOO_OLD = "mx_answer_too_old"


@dataclass(frozen=True, slots=True)
class MxKnown:
    """The latest look-up of a domain: its status, when it was made, and how many in a row were silent (with it)."""

    status: MxStatus
    asked_at: datetime
    silences: int = 0


@dataclass(frozen=True, slots=True)
class MxDecision:
    """What to do, and why. `retry_at` is set when the outcome is to postpone."""

    outcome: MxOutcome
    reason: MxDecisionReason
    retry_at: datetime | None = None


def decide_mx(known: MxKnown | None, now: datetime) -> MxDecision:
    """Decide for one domain; `known` is None when it was never looked up.

    1. Never asked: look up.
    2. The answer has outlived its time, or lies in the future (a clock was set back): look up.
    3. Present: send. Absent: cancel. Silent: postpone until the silence is over.
    """
    if known is None:
        return MxDecision(MxOutcome.LOOK_UP, MxDecisionReason.NEVER_ASKED)
    ends_at = known.asked_at + kept_for(known.status, known.silences)
    if not known.asked_at <= now < ends_at:
        return MxDecision(MxOutcome.LOOK_UP, MxDecisionReason.TOO_OLD)
    if known.status is MxStatus.PRESENT:
        return MxDecision(MxOutcome.SEND, MxDecisionReason.PRESENT)
    if known.status is MxStatus.ABSENT:
        return MxDecision(MxOutcome.CANCEL, MxDecisionReason.ABSENT)
    return MxDecision(MxOutcome.POSTPONE, MxDecisionReason.SILENT, retry_at=ends_at)


def kept_for(status: MxStatus, silences: int) -> timedelta:
    """How long an answer is used before the domain is asked again."""
    if status is MxStatus.PRESENT:
        return PRESENT_KEPT_FOR
    if status is MxStatus.ABSENT:
        return ABSENT_KEPT_FOR
    doublings = min(max(silences - 1, 0), 10)  # far above the ceiling, far below an overflow
    return min(FIRST_SILENCE * 2.0**doublings, LONGEST_SILENCE)


def silences_after(status: MxStatus, silences_before: int) -> int:
    """The new count of silences in a row, after a look-up that gave `status`."""
    return silences_before + 1 if status is MxStatus.SILENT else 0
