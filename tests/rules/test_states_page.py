"""The pages about states and scheduling say what the code does."""

import re
from pathlib import Path

import pytest

from campaigns.rules import campaign_state, enrollment_state, suppression
from campaigns.rules.campaign_state import CampaignDecision, CampaignStatus, PauseReason
from campaigns.rules.enrollment_state import EnrollmentStatus, StopReason, WaitReason
from campaigns.rules.suppression import Stream, SuppressionReason
from credentials.rules import credential_state
from credentials.rules.credential_state import CredentialStatus
from dispatch.rules import message_state
from dispatch.rules.message_state import MessageState
from dispatch.rules.retry import RetryPolicy, nominal_wait

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "explanation"
STATES = (FOLDER / "states.md").read_text(encoding="utf-8")
SCHEDULING = (FOLDER / "scheduling.md").read_text(encoding="utf-8")


def rows(page: str, first_heading: str) -> list[list[str]]:
    """The cells of the table whose first column has this heading, without back-ticks; one such table a page."""
    tables = [block for block in page.split("\n\n") if block.startswith(f"| {first_heading} |")]
    assert len(tables) == 1, f"there are {len(tables)} tables that start with {first_heading!r}"
    lines = tables[0].strip().splitlines()[2:]
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines]


def section(page: str, title: str) -> str:
    """What stands under a heading of the second level."""
    return re.split(r"^## ", page.split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def arrows(title: str) -> list[tuple[str, str]]:
    """The arrows of a section's diagram, without those from the start and to the end."""
    found = re.findall(r"^    (\S+) --> (\S+)$", section(STATES, title), flags=re.MULTILINE)
    return [(source, target) for source, target in found if "[*]" not in (source, target)]


def ends(title: str) -> set[str]:
    return set(re.findall(r"^    (\S+) --> \[\*\]$", section(STATES, title), flags=re.MULTILINE))


# Moves


MOVES = {
    "Message": {(a.value, b.value) for a, targets in message_state.ALLOWED_MOVES.items() for b in targets},
    "Campaign": {(a.value, b.value) for a, targets in campaign_state.ALLOWED_MOVES.items() for b in targets},
    "Credential": {(a.value, b.value) for a, targets in credential_state.ALLOWED_MOVES.items() for b in targets},
}


@pytest.mark.parametrize("title", MOVES)
def test_each_diagram_shows_exactly_the_allowed_moves(title: str) -> None:
    assert len(arrows(title)) == len(set(arrows(title)))
    assert set(arrows(title)) == MOVES[title]


def test_the_table_of_a_messages_moves_is_complete() -> None:
    described = [(row[0], row[1]) for row in rows(STATES, "message moves from")]
    assert sorted(described) == sorted(MOVES["Message"])


def test_the_ends_of_a_message_are_the_states_without_moves() -> None:
    assert ends("Message") == {state.value for state, targets in message_state.ALLOWED_MOVES.items() if not targets}


def test_the_end_of_a_credential_is_the_state_without_moves() -> None:
    assert ends("Credential") == {CredentialStatus.RETIRED.value}


def test_every_arrow_of_an_enrollment_rises() -> None:
    for source, target in arrows("Enrollment"):
        assert enrollment_state.risen(EnrollmentStatus(source), EnrollmentStatus(target)) == target


def test_every_status_of_an_enrollment_but_the_first_is_reached_by_an_arrow() -> None:
    assert {target for _, target in arrows("Enrollment")} == set(EnrollmentStatus) - {EnrollmentStatus.PENDING}


# States


@pytest.mark.parametrize(
    ("heading", "states"),
    [
        ("message", list(MessageState)),
        ("campaign", list(CampaignStatus)),
        ("credential", list(CredentialStatus)),
        ("paused for", list(PauseReason)),
    ],
)
def test_each_table_of_states_lists_them_all_in_order(heading: str, states: list[str]) -> None:
    assert [row[0] for row in rows(STATES, heading)] == [str(state) for state in states]


def test_enrollment_statuses_are_listed_with_their_ranks() -> None:
    listed = [(int(rank), status) for rank, status, _ in rows(STATES, "rank")]
    assert listed == [(rank, status.value) for status, rank in enrollment_state.RANK.items()]


def test_stop_reasons_are_listed_with_the_status_they_lead_to() -> None:
    listed = {row[0]: row[1] for row in rows(STATES, "stop")}
    assert listed == {
        reason.value: "unchanged" if status is None else status.value
        for reason, status in enrollment_state.STATUS_OF_STOP.items()
    }
    assert list(listed) == [reason.value for reason in StopReason]


# Actions


def outcome(decision: CampaignDecision) -> str:
    return decision.status.value if decision.refusal is None else decision.refusal.value


@pytest.mark.parametrize("status", CampaignStatus)
def test_what_each_action_on_a_campaign_leads_to(status: CampaignStatus) -> None:
    row = next(row for row in rows(STATES, "campaign") if row[0] == status)
    assert row[2:] == [
        outcome(campaign_state.decide_dispatch(status, pending_count=1)),
        outcome(campaign_state.decide_pause(status)),
        outcome(campaign_state.decide_resume(status, PauseReason.MANUAL)),
    ]


@pytest.mark.parametrize("reason", PauseReason)
def test_who_lifts_each_pause(reason: PauseReason) -> None:
    row = next(row for row in rows(STATES, "paused for") if row[0] == reason)
    by_owner = campaign_state.decide_resume(CampaignStatus.PAUSED, reason)
    assert row[2].startswith("a resume") is by_owner.allowed
    assert ("re-enabling" in row[2]) is campaign_state.resumes_on_reenable(CampaignStatus.PAUSED, reason)


@pytest.mark.parametrize("reason", SuppressionReason)
def test_which_streams_each_fact_stops(reason: SuppressionReason) -> None:
    row = next(row for row in rows(STATES, "fact") if row[0] == reason)
    scope = suppression.SCOPE_OF[reason]
    assert row[1:] == ["stopped" if suppression.blocks(scope, stream) else "goes" for stream in Stream]


# Scheduling


def first_number(text: str) -> int:
    found = re.match(r"\d+", text)
    assert found, f"{text!r} does not start with a number"
    return int(found.group())


def test_the_waits_between_retries_are_those_of_the_default_policy() -> None:
    for tries, wait in rows(SCHEDULING, "failed tries"):
        assert nominal_wait(first_number(tries), RetryPolicy()).total_seconds() == 60 * first_number(wait)


def test_the_last_line_of_the_retries_is_the_ceiling() -> None:
    tries, wait = rows(SCHEDULING, "failed tries")[-1]
    assert tries == "7 and more"
    assert RetryPolicy().ceiling.total_seconds() == 60 * first_number(wait)


def test_the_back_off_of_a_credential_is_the_rules() -> None:
    for failures, wait in rows(SCHEDULING, "failures in a row"):
        expected = credential_state.nominal_back_off(first_number(failures))
        assert expected.total_seconds() == 60 * first_number(wait)


def test_every_wait_reason_is_explained_in_order() -> None:
    assert [row[0] for row in rows(SCHEDULING, "reason")] == [reason.value for reason in WaitReason]


def test_the_give_up_time_is_the_default_policys() -> None:
    assert f"later than {RetryPolicy().give_up_after.days} days after the first one" in SCHEDULING
