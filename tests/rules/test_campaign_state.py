"""The states of a campaign and what each action does in each of them (design: Dispatch, Pause; contract: Campaigns)."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.rules.campaign_state import (
    ALLOWED_MOVES,
    CampaignDecision,
    CampaignRefusal,
    CampaignStatus,
    PauseReason,
    decide_completion,
    decide_dispatch,
    decide_pause,
    decide_resume,
    may_move,
    pauses_without_credentials,
    resumes_on_reenable,
)
from dispatch.rules.gates import PAUSES

S = CampaignStatus
statuses = st.sampled_from(CampaignStatus)
pause_reasons = st.none() | st.sampled_from(PauseReason)
counts = st.integers(0, 10**7)

EXPECTED_MOVES = {
    (S.PENDING, S.ACTIVE),
    (S.ACTIVE, S.PAUSED),
    (S.ACTIVE, S.COMPLETED),
    (S.PAUSED, S.ACTIVE),
    (S.COMPLETED, S.ACTIVE),
}


# The table


@pytest.mark.parametrize(("current", "target"), list(product(CampaignStatus, CampaignStatus)))
def test_each_pair_of_statuses_is_a_move_or_not(current: CampaignStatus, target: CampaignStatus) -> None:
    assert may_move(current, target) is ((current, target) in EXPECTED_MOVES)


def test_every_status_has_a_row() -> None:
    assert set(ALLOWED_MOVES) == set(CampaignStatus)


def test_statuses_and_reasons_are_the_contracts_words() -> None:
    assert [status.value for status in CampaignStatus] == ["pending", "active", "paused", "completed"]
    assert [reason.value for reason in PauseReason] == ["manual", "all_credentials_disabled", "health", "operator"]


def test_refusals_are_the_contracts_error_codes() -> None:
    assert {refusal.value for refusal in CampaignRefusal} == {
        "campaign_not_active",
        "campaign_not_paused",
        "no_pending_enrollments",
        "unprocessable",
    }


# Dispatch


@pytest.mark.parametrize(
    ("status", "pending", "after", "refusal"),
    [
        (S.PENDING, 1, S.ACTIVE, None),
        (S.PENDING, 0, S.PENDING, CampaignRefusal.NO_PENDING_ENROLLMENTS),
        (S.ACTIVE, 5, S.ACTIVE, None),
        (S.ACTIVE, 0, S.ACTIVE, CampaignRefusal.NO_PENDING_ENROLLMENTS),
        (S.PAUSED, 5, S.PAUSED, CampaignRefusal.CAMPAIGN_NOT_ACTIVE),
        (S.PAUSED, 0, S.PAUSED, CampaignRefusal.CAMPAIGN_NOT_ACTIVE),
        (S.COMPLETED, 5, S.ACTIVE, None),
        (S.COMPLETED, 0, S.COMPLETED, CampaignRefusal.NO_PENDING_ENROLLMENTS),
    ],
)
def test_dispatch(
    status: CampaignStatus,
    pending: int,
    after: CampaignStatus,
    refusal: CampaignRefusal | None,
) -> None:
    decision = decide_dispatch(status, pending)
    assert (decision.status, decision.refusal) == (after, refusal)


def test_a_refused_dispatch_says_what_to_do() -> None:
    assert "resume it" in decide_dispatch(S.PAUSED, 3).sentence
    assert "enroll contacts first" in decide_dispatch(S.PENDING, 0).sentence


# Pause


@pytest.mark.parametrize(
    ("status", "after", "refusal"),
    [
        (S.PENDING, S.PENDING, CampaignRefusal.CAMPAIGN_NOT_ACTIVE),
        (S.ACTIVE, S.PAUSED, None),
        (S.PAUSED, S.PAUSED, CampaignRefusal.CAMPAIGN_NOT_ACTIVE),
        (S.COMPLETED, S.COMPLETED, CampaignRefusal.CAMPAIGN_NOT_ACTIVE),
    ],
)
def test_pause(status: CampaignStatus, after: CampaignStatus, refusal: CampaignRefusal | None) -> None:
    decision = decide_pause(status)
    assert (decision.status, decision.refusal) == (after, refusal)


def test_a_refused_pause_names_the_status_it_found() -> None:
    assert decide_pause(S.COMPLETED).sentence == "Only an active campaign can be paused; this one is completed."


# Resume


@pytest.mark.parametrize("reason", [PauseReason.MANUAL, PauseReason.ALL_CREDENTIALS_DISABLED, PauseReason.HEALTH, None])
@pytest.mark.parametrize("by_operator", [True, False])
def test_a_paused_campaign_can_be_resumed_by_anybody(reason: PauseReason | None, by_operator: bool) -> None:
    assert decide_resume(S.PAUSED, reason, by_operator=by_operator) == CampaignDecision(S.ACTIVE)


def test_what_an_operator_paused_its_owner_cannot_resume() -> None:
    decision = decide_resume(S.PAUSED, PauseReason.OPERATOR)
    assert (decision.status, decision.refusal) == (S.PAUSED, CampaignRefusal.UNPROCESSABLE)
    assert "only an operator can resume it" in decision.sentence


def test_the_engine_pauses_for_an_operator_too_so_nobody_is_said_to_have_done_it() -> None:
    assert PAUSES[PauseReason.OPERATOR] == ": only an operator can resume it"
    assert "or a step of it did harm" in decide_resume(S.PAUSED, PauseReason.OPERATOR).sentence


def test_what_an_operator_paused_an_operator_can_resume() -> None:
    assert decide_resume(S.PAUSED, PauseReason.OPERATOR, by_operator=True) == CampaignDecision(S.ACTIVE)


@pytest.mark.parametrize("status", [S.PENDING, S.ACTIVE, S.COMPLETED])
@pytest.mark.parametrize("reason", [None, *PauseReason])
def test_what_is_not_paused_cannot_be_resumed(status: CampaignStatus, reason: PauseReason | None) -> None:
    decision = decide_resume(status, reason)
    assert (decision.status, decision.refusal) == (status, CampaignRefusal.CAMPAIGN_NOT_PAUSED)
    assert decision.sentence == f"Only a paused campaign can be resumed; this one is {status.value}."


# Credentials come and go


@pytest.mark.parametrize(("status", "reason"), list(product(CampaignStatus, [None, *PauseReason])))
def test_reenabling_a_credential_resumes_only_what_its_loss_paused(
    status: CampaignStatus,
    reason: PauseReason | None,
) -> None:
    expected = (status, reason) == (S.PAUSED, PauseReason.ALL_CREDENTIALS_DISABLED)
    assert resumes_on_reenable(status, reason) is expected


@pytest.mark.parametrize(
    ("status", "enabled_count", "pauses"),
    [
        (S.ACTIVE, 0, True),
        (S.ACTIVE, 1, False),
        (S.PENDING, 0, False),
        (S.PAUSED, 0, False),
        (S.COMPLETED, 0, False),
    ],
)
def test_the_last_enabled_credential_takes_an_active_campaign_with_it(
    status: CampaignStatus,
    enabled_count: int,
    pauses: bool,
) -> None:
    assert pauses_without_credentials(status, enabled_count) is pauses


# Completion


@pytest.mark.parametrize(
    ("status", "waiting", "unknown", "after"),
    [
        (S.ACTIVE, 0, 0, S.COMPLETED),
        (S.ACTIVE, 1, 0, S.ACTIVE),
        (S.ACTIVE, 0, 1, S.ACTIVE),
        (S.ACTIVE, 3, 2, S.ACTIVE),
        (S.PENDING, 0, 0, S.PENDING),
        (S.PAUSED, 0, 0, S.PAUSED),
        (S.COMPLETED, 0, 0, S.COMPLETED),
    ],
)
def test_completion(status: CampaignStatus, waiting: int, unknown: int, after: CampaignStatus) -> None:
    assert decide_completion(status, waiting=waiting, unknown_within_grace=unknown) is after


# Properties


@given(statuses, counts, pause_reasons, st.booleans())
def test_no_action_leaves_the_table_of_moves(
    status: CampaignStatus,
    count: int,
    reason: PauseReason | None,
    by_operator: bool,
) -> None:
    decisions = [
        decide_dispatch(status, count),
        decide_pause(status),
        decide_resume(status, reason, by_operator=by_operator),
    ]
    for decision in decisions:
        assert decision.status is status or may_move(status, decision.status)


@given(statuses, counts, pause_reasons, st.booleans())
def test_a_refusal_changes_nothing_and_explains_itself(
    status: CampaignStatus,
    count: int,
    reason: PauseReason | None,
    by_operator: bool,
) -> None:
    decisions = [
        decide_dispatch(status, count),
        decide_pause(status),
        decide_resume(status, reason, by_operator=by_operator),
    ]
    for decision in decisions:
        assert decision.allowed is (decision.refusal is None)
        assert decision.allowed is (decision.sentence == "")
        assert decision.allowed or decision.status is status


@given(statuses, counts, counts)
def test_completion_keeps_to_the_table_of_moves(status: CampaignStatus, waiting: int, unknown: int) -> None:
    after = decide_completion(status, waiting=waiting, unknown_within_grace=unknown)
    assert after is status or may_move(status, after)


@given(statuses, counts)
def test_a_pause_undone_by_a_resume_ends_where_it_began(status: CampaignStatus, count: int) -> None:
    paused = decide_pause(status)
    if not paused.allowed:
        return
    assert decide_resume(paused.status, PauseReason.MANUAL).status is status
    assert decide_dispatch(paused.status, count).refusal is CampaignRefusal.CAMPAIGN_NOT_ACTIVE


@given(statuses, st.integers(1, 10**7))
def test_a_dispatch_that_reaches_somebody_ends_active_unless_paused(status: CampaignStatus, pending: int) -> None:
    after = decide_dispatch(status, pending).status
    assert after is (S.PAUSED if status is S.PAUSED else S.ACTIVE)


@given(st.lists(st.sampled_from(["dispatch", "pause", "resume", "complete"]), max_size=30))
def test_no_sequence_of_actions_returns_to_pending(actions: list[str]) -> None:
    status = S.ACTIVE
    for action in actions:
        status = {
            "dispatch": decide_dispatch(status, 1).status,
            "pause": decide_pause(status).status,
            "resume": decide_resume(status, PauseReason.MANUAL).status,
            "complete": decide_completion(status, waiting=0, unknown_within_grace=0),
        }[action]
        assert status is not S.PENDING
