import io
import os
import sys

import pytest
from django.db import connection

from ampout.supervisor.summary import REPEAT_SECONDS, Summary, count_messages, duration, live_line
from tests.factories import enroll, make_account, make_campaign, make_message


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h 00 min"), (90_000, "25 h 00 min")],
)
def test_a_duration_reads_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_line_says_how_long_what_runs_and_what_was_sent() -> None:
    line = live_line(180, {"web": True, "worker": True}, {"accepted": 120, "planned": 40})
    assert line == "up 3 min · all 2 run · messages: 120 accepted, 40 planned"


def test_the_line_names_what_is_down() -> None:
    assert live_line(5, {"web": True, "worker": False}, {}) == "up 5 s · DOWN: worker · messages: none"


def test_without_a_terminal_the_line_is_repeated_at_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    summary = Summary(100.0)
    summary.show(100.0, {"web": True}, {})
    assert (summary.is_due(100 + REPEAT_SECONDS - 1), summary.is_due(100 + REPEAT_SECONDS)) == (False, True)
    assert capsys.readouterr().out.endswith(" UTC  up 0 s · all 1 run · messages: none\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_line_is_drawn_over_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    summary = Summary(0.0)
    summary.say("Starting")
    summary.show(1.0, {"web": True}, {})
    summary.say("web ended")
    assert terminal.getvalue().startswith("Starting\n\r\x1b[2K")
    assert terminal.getvalue().endswith("\r\x1b[2Kweb ended\n")


class Closed(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_when_nobody_reads_any_more_it_goes_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Closed())
    summary = Summary(0.0)
    summary.say("hello")
    assert not summary.is_due(1e9)


def test_a_database_that_does_not_answer_has_no_counts() -> None:
    assert count_messages("postgres://nobody@/nothing?host=/nonexistent") == {}


@pytest.mark.django_db(transaction=True)
def test_messages_are_counted_by_state_the_largest_number_first() -> None:
    campaign = make_campaign(make_account())
    for state in ("planned", "accepted", "planned"):
        make_message(enroll(campaign), state=state)
    url = os.environ["DATABASE_URL"].replace("/ampout?", f"/{connection.settings_dict['NAME']}?")
    assert list(count_messages(url).items()) == [("planned", 2), ("accepted", 1)]
