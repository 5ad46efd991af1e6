"""The states of a credential, and how long its server is left alone after it failed (design: States)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random


class CredentialStatus(StrEnum):
    """Whether messages may leave through a credential."""

    ENABLED = "enabled"
    """Takes part in rotation."""
    DISABLED = "disabled"
    """Set aside until somebody re-enables it: its messages wait."""
    RETIRED = "retired"
    """Its last campaign let it go: nothing leaves through it again."""


class DisabledReason(StrEnum):
    """Who or what disabled a credential."""

    BOUNCE_RATE = "bounce_rate"
    """Its bounce rate since it was enabled is above the threshold of a campaign."""
    COMPLAINT_RATE = "complaint_rate"
    """Too many recipients reported its messages as unwanted."""
    LOGIN_REFUSED = "login_refused"
    """Its login was refused again and again."""
    OPERATOR = "operator"
    """A named operator, in the admin."""


_S = CredentialStatus

ALLOWED_MOVES: dict[CredentialStatus, frozenset[CredentialStatus]] = {
    _S.ENABLED: frozenset({_S.DISABLED, _S.RETIRED}),
    _S.DISABLED: frozenset({_S.ENABLED, _S.RETIRED}),
    # For good: attaching the same mailbox again makes a new credential, with a ledger of its own.
    _S.RETIRED: frozenset(),
}


class StateReason(StrEnum):
    """Why a credential moves, or stays."""

    DISABLED = "disabled"
    """It was enabled and is now set aside."""
    ALREADY_DISABLED = "already_disabled"
    """It was disabled before: the first reason and time stay, and no second event fires."""
    REENABLED = "reenabled"
    """It was disabled and takes part again: a new period starts."""
    ALREADY_ENABLED = "already_enabled"
    """It was not disabled: nothing changes, and its period goes on."""
    RETIRED = "retired"
    """It is retired: nothing moves it."""


@dataclass(frozen=True, slots=True)
class StateDecision:
    """The status after the action, whether that is a move (and so an event), and why."""

    status: CredentialStatus
    moves: bool
    reason: StateReason


FIRST_BACK_OFF = timedelta(minutes=1)
"""After the first failure in a row."""
LONGEST_BACK_OFF = timedelta(hours=1)
"""Reached after seven; a mailbox whose password was corrected is tried again within the hour."""
BACK_OFF_JITTER = 0.2
"""Each wait grows by up to a fifth, so that credentials of one server do not all come back in the same second."""
_DOUBLINGS_TO_LONGEST = 6


def may_move(current: CredentialStatus, target: CredentialStatus) -> bool:
    """Whether the table allows `current` → `target`."""
    return target in ALLOWED_MOVES[current]


def status_of(disabled_at: datetime | None, retired_at: datetime | None) -> CredentialStatus:
    """The status that a credential's two timestamps mean; retired outweighs disabled."""
    if retired_at is not None:
        return CredentialStatus.RETIRED
    return CredentialStatus.ENABLED if disabled_at is None else CredentialStatus.DISABLED


def decide_disable(status: CredentialStatus) -> StateDecision:
    """What disabling does: a move exactly when the credential was enabled."""
    if status is CredentialStatus.RETIRED:
        return StateDecision(status, moves=False, reason=StateReason.RETIRED)
    if status is CredentialStatus.DISABLED:
        return StateDecision(status, moves=False, reason=StateReason.ALREADY_DISABLED)
    return StateDecision(CredentialStatus.DISABLED, moves=True, reason=StateReason.DISABLED)


def decide_reenable(status: CredentialStatus) -> StateDecision:
    """What `reenable` does: a move, and a new period of judgement, exactly when the credential was disabled."""
    if status is CredentialStatus.RETIRED:
        return StateDecision(status, moves=False, reason=StateReason.RETIRED)
    if status is CredentialStatus.ENABLED:
        return StateDecision(status, moves=False, reason=StateReason.ALREADY_ENABLED)
    return StateDecision(CredentialStatus.ENABLED, moves=True, reason=StateReason.REENABLED)


def nominal_back_off(failures: int) -> timedelta:
    """The wait after `failures` in a row (from 1), before jitter: 1, 2, 4 … 32, 60 minutes.

    Raises ValueError when `failures` is below 1.
    """
    if failures < 1:
        raise ValueError(f"failures counts from 1, got {failures}.")
    doublings = min(failures - 1, _DOUBLINGS_TO_LONGEST)
    return min(FIRST_BACK_OFF * (1 << doublings), LONGEST_BACK_OFF)


def decide_back_off(failures: int, now: datetime, rng: Random) -> datetime:
    """Until when a credential opens no connection, after `failures` in a row that were its own or its server's.

    Such failures are a 5yz at AUTH or MAIL, a refused connection, a timeout before the final dot, a failed TLS
    handshake. Jitter only adds. Raises ValueError when `failures` is below 1.
    """
    wait = nominal_back_off(failures)
    return now + wait + wait * (BACK_OFF_JITTER * rng.random())
