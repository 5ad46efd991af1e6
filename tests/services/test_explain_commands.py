"""`manage.py explain` and `manage.py simulate`: the same answers for operators, in lines."""

import uuid
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from ampout.lib import clock
from tests.services.desk import Desk

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "utc_now", lambda: NOON)


def said(command: str, *arguments: str) -> str:
    output = StringIO()
    call_command(command, *arguments, stdout=output)
    return output.getvalue()


def test_each_gate_is_a_line_and_the_times_come_last(desk: Desk) -> None:
    campaign = desk.campaign()
    [enrolled] = desk.enroll(campaign)
    desk.release(campaign)
    lines = said("explain", str(enrolled.pk)).splitlines()
    assert lines[0] == "pass  stopped         Nothing has ended the sequence."
    assert lines[-3:] == [
        "Step 1: Nothing holds it: the planner is about to give it a slot.",
        "Earliest: 2026-03-10 12:00:00 UTC",
        "Expected: 2026-03-10 12:00:00 UTC",
    ]


def test_whoever_waits_for_a_person_has_no_time(desk: Desk) -> None:
    [enrolled] = desk.enroll(desk.campaign())
    assert said("explain", str(enrolled.pk)).splitlines()[-2:] == [
        "Earliest: not by time alone",
        "Expected: not by time alone (not_released)",
    ]


def test_a_campaign_is_simulated_day_by_day(desk: Desk) -> None:
    campaign = desk.campaign(limit=2)
    desk.enroll(campaign, 5)
    assert said("simulate", str(campaign.pk)).splitlines() == [
        "As if it were dispatched now.",
        "day         first  later  binding",
        "2026-03-10      2      0  daily_cap",
        "2026-03-11      2      0  daily_cap",
        "2026-03-12      1      0",
        "5 sends, the last at 2026-03-12 00:00:00 UTC.",
        "With one more credential of 2 a day: the last at 2026-03-11 00:00:00 UTC.",
    ]


def test_another_seed_draws_other_gaps_and_the_same_for_ever(desk: Desk) -> None:
    campaign = desk.campaign(min_wait_seconds=60, max_wait_seconds=3_600)
    desk.enroll(campaign, 6)
    told = [said("simulate", str(campaign.pk), *seed) for seed in ([], [], ["--seed=7"], ["--seed=7"])]
    assert told[0] == told[1] != told[2] == told[3]


def test_what_is_not_there_and_a_horizon_that_is_none_are_refused(desk: Desk) -> None:
    nothing = str(uuid.uuid4())
    for arguments in (("explain", nothing), ("simulate", nothing), ("simulate", nothing, "--days=0")):
        with pytest.raises(CommandError):
            said(*arguments)
