"""Which credential writes to the next new contact (design: Rotation; promise B2).

1. Only enabled credentials take part.
2. Of these, the ones below their daily limit.
3. Of these, the ones whose server is not being left alone for a while (back-off).
4. Of these, the one with the smallest share used ÷ limit; ties go to the one that sent less, then to the smaller id.
5. When that one has no slot within the horizon, nobody is chosen: passing over it would trade fairness for speed, and
   the others would run ahead of it by a whole horizon.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cmp_to_key
from uuid import UUID


class RotationReason(StrEnum):
    """Why a credential was chosen, or none. All but `chosen` are wait reasons of the enrollment."""

    CHOSEN = "chosen"
    """The least loaded credential has room and a slot."""
    NO_ENABLED_CREDENTIAL = "no_enabled_credential"
    """The campaign has no enabled credential at all."""
    DAILY_CAP = "daily_cap"
    """Every enabled credential has used up its daily limit."""
    BACK_OFF = "back_off"
    """Every credential with room is waiting for its server to recover."""
    GAP = "gap"
    """The next slot of the least loaded credential lies past the planning horizon."""


@dataclass(frozen=True, slots=True)
class CredentialLoad:
    """One credential of a campaign as the planner sees it.

    `used` counts the units of today that are taken, `limit` is the daily limit; `open` says whether its next slot lies
    within the planning horizon, `backing_off` whether its server failed lately and is left alone.
    """

    credential_id: UUID
    used: int
    limit: int
    enabled: bool = True
    open: bool = True
    backing_off: bool = False

    @property
    def has_room(self) -> bool:
        """Whether a unit of today is left."""
        return self.used < self.limit


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen credential; None exactly when the reason is not `chosen`."""

    credential_id: UUID | None
    reason: RotationReason


def _compare(left: CredentialLoad, right: CredentialLoad) -> int:
    """Negative when `left` goes first. Shares are compared by cross-multiplication: exact for any size."""
    difference = left.used * right.limit - right.used * left.limit
    if difference == 0:
        difference = left.used - right.used
    if difference == 0:
        difference = left.credential_id.int - right.credential_id.int
    return difference


_by_load = cmp_to_key(_compare)


def _candidates(loads: Iterable[CredentialLoad]) -> tuple[list[CredentialLoad], RotationReason]:
    """Those that rules 1 to 3 leave, and the reason to give when these are none."""
    enabled = [load for load in loads if load.enabled]
    if not enabled:
        return [], RotationReason.NO_ENABLED_CREDENTIAL
    with_room = [load for load in enabled if load.has_room]
    if not with_room:
        return [], RotationReason.DAILY_CAP
    return [load for load in with_room if not load.backing_off], RotationReason.BACK_OFF


def choose_credential(loads: Iterable[CredentialLoad]) -> Choice:
    """The credential that takes the next new contact, by the numbered list above."""
    candidates, reason_if_none = _candidates(loads)
    if not candidates:
        return Choice(None, reason_if_none)
    lightest = min(candidates, key=_by_load)
    if not lightest.open:
        return Choice(None, RotationReason.GAP)
    return Choice(lightest.credential_id, RotationReason.CHOSEN)
