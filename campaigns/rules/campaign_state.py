"""The states of a campaign and the actions on it (design: Dispatch, Pause; contract: Campaigns)."""

from dataclasses import dataclass
from enum import StrEnum


class CampaignStatus(StrEnum):
    """Where a campaign stands."""

    PENDING = "pending"
    """Never dispatched."""
    ACTIVE = "active"
    """At least one batch is released, and something is left to do."""
    PAUSED = "paused"
    """Nothing goes on the wire until it is resumed."""
    COMPLETED = "completed"
    """Nothing waits, and no `unknown` is inside its grace period."""


class PauseReason(StrEnum):
    """Who or what paused a campaign."""

    MANUAL = "manual"
    """Its owner, by the API or the console; or nobody, as it was overdue and waits for its owner's word."""
    ALL_CREDENTIALS_DISABLED = "all_credentials_disabled"
    """Its last enabled credential was disabled: re-enabling one resumes it."""
    HEALTH = "health"
    """The campaign's own figures, judged as a whole."""
    OPERATOR = "operator"
    """A named operator, in the admin; or nobody, as a step of it killed processes: only an operator lifts it."""


class CampaignRefusal(StrEnum):
    """Why an action is refused: the contract's error codes."""

    CAMPAIGN_NOT_ACTIVE = "campaign_not_active"
    CAMPAIGN_NOT_PAUSED = "campaign_not_paused"
    NO_PENDING_ENROLLMENTS = "no_pending_enrollments"
    UNPROCESSABLE = "unprocessable"


_S = CampaignStatus

ALLOWED_MOVES: dict[CampaignStatus, frozenset[CampaignStatus]] = {
    _S.PENDING: frozenset({_S.ACTIVE}),
    _S.ACTIVE: frozenset({_S.PAUSED, _S.COMPLETED}),
    # Never straight to completed: what a pause held back is looked at again when it is resumed.
    _S.PAUSED: frozenset({_S.ACTIVE}),
    # New contacts, or a new step at the end, and somebody dispatches again.
    _S.COMPLETED: frozenset({_S.ACTIVE}),
}


@dataclass(frozen=True, slots=True)
class CampaignDecision:
    """The status after an action; unchanged when `refusal` says why the action is refused.

    `sentence` is the refusal in words for the caller, empty otherwise.
    """

    status: CampaignStatus
    refusal: CampaignRefusal | None = None
    sentence: str = ""

    @property
    def allowed(self) -> bool:
        """Whether the action may be carried out."""
        return self.refusal is None


def may_move(current: CampaignStatus, target: CampaignStatus) -> bool:
    """Whether the table allows `current` → `target`."""
    return target in ALLOWED_MOVES[current]


def decide_dispatch(status: CampaignStatus, pending_count: int) -> CampaignDecision:
    """Whether a batch, or everything, may be released.

    `pending_count` is how many enrollments that are still pending the release would reach. A paused campaign is refused
    first: being told that nothing is pending would send its owner looking in the wrong place.
    """
    if status is CampaignStatus.PAUSED:
        sentence = "The campaign is paused: resume it before you dispatch."
        return CampaignDecision(status, CampaignRefusal.CAMPAIGN_NOT_ACTIVE, sentence)
    if pending_count <= 0:
        sentence = "No enrollment is pending here: enroll contacts first, or name another batch."
        return CampaignDecision(status, CampaignRefusal.NO_PENDING_ENROLLMENTS, sentence)
    return CampaignDecision(CampaignStatus.ACTIVE)


def decide_pause(status: CampaignStatus) -> CampaignDecision:
    """Whether a campaign may be paused, for whatever reason: only an active one."""
    if status is not CampaignStatus.ACTIVE:
        sentence = f"Only an active campaign can be paused; this one is {status.value}."
        return CampaignDecision(status, CampaignRefusal.CAMPAIGN_NOT_ACTIVE, sentence)
    return CampaignDecision(CampaignStatus.PAUSED)


def decide_resume(
    status: CampaignStatus,
    pause_reason: PauseReason | None,
    *,
    by_operator: bool = False,
) -> CampaignDecision:
    """Whether a campaign may be resumed: only a paused one, and an operator's pause only by an operator."""
    if status is not CampaignStatus.PAUSED:
        sentence = f"Only a paused campaign can be resumed; this one is {status.value}."
        return CampaignDecision(status, CampaignRefusal.CAMPAIGN_NOT_PAUSED, sentence)
    if pause_reason is PauseReason.OPERATOR and not by_operator:
        sentence = "An operator paused it, or a step of it did harm; only an operator can resume it: ask yours."
        return CampaignDecision(status, CampaignRefusal.UNPROCESSABLE, sentence)
    return CampaignDecision(CampaignStatus.ACTIVE)


def resumes_on_reenable(status: CampaignStatus, pause_reason: PauseReason | None) -> bool:
    """Whether re-enabling one of its credentials resumes the campaign: only when their loss alone paused it."""
    return status is CampaignStatus.PAUSED and pause_reason is PauseReason.ALL_CREDENTIALS_DISABLED


def pauses_without_credentials(status: CampaignStatus, enabled_count: int) -> bool:
    """Whether a campaign that is left with `enabled_count` enabled credentials pauses."""
    return status is CampaignStatus.ACTIVE and enabled_count == 0


def decide_completion(status: CampaignStatus, *, waiting: int, unknown_within_grace: int) -> CampaignStatus:
    """The status once this much is left: completed when an active campaign has nothing to wait for (law 2).

    `waiting` counts the steps due to its enrollments that are neither at an end nor stopped; `unknown_within_grace` its
    messages whose fate evidence may still settle.
    """
    if status is CampaignStatus.ACTIVE and waiting == 0 and unknown_within_grace == 0:
        return CampaignStatus.COMPLETED
    return status
