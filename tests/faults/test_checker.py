"""The checker passes a lawful run, and names the law of each way in which it is broken on purpose, and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.breaks import (
    BREAKS,
    a_limit_is_overrun,
    a_message_arrives_twice,
    a_secret_is_in_a_log,
    an_accepted_message_was_never_seen,
    an_enrollment_never_ends,
)
from tests.faults.checker import Law, Violation, check, concerning, in_doubt, report, shortest_prefix
from tests.faults.history import Entry, Kind
from tests.faults.lawful import BEGIN, FOLDER, lawful

# -- The tests


def test_a_lawful_run_breaks_nothing() -> None:
    assert check(lawful().history()) == []


@pytest.mark.parametrize("sentence", BREAKS)
def test_exactly_the_law_that_is_broken_is_named(sentence: str) -> None:
    law, at, way = BREAKS[sentence]
    run = lawful()
    way(run)
    found = check(run.history())
    assert {violation.law for violation in found} == {law}, found
    assert _seconds(min((one.at for one in found if one.at is not None), default=None)) == at


def test_every_law_is_broken_in_some_way() -> None:
    assert {law for law, _, _ in BREAKS.values()} == set(Law)


def _seconds(at: float | None) -> float | None:
    return None if at is None else round(at - BEGIN, 3)


@given(st.permutations(lawful().entries))
def test_the_order_in_which_entries_are_given_tells_nothing(entries: list[Entry]) -> None:
    run = lawful()
    run.entries = entries
    assert check(run.history()) == []


@pytest.mark.parametrize("sentence", [sentence for sentence, (_, at, _) in BREAKS.items() if at is not None])
def test_the_shortest_prefix_ends_with_what_shows_the_violation(sentence: str) -> None:
    _, at, way = BREAKS[sentence]
    run = lawful()
    way(run)
    prefix = shortest_prefix(run.history())
    assert at is not None
    assert set(map(id, prefix)) == {id(entry) for entry in run.entries if entry.at <= BEGIN + at}
    assert [entry.at for entry in prefix] == sorted(entry.at for entry in prefix)


def test_what_only_the_end_shows_needs_every_entry() -> None:
    run = lawful()
    an_accepted_message_was_never_seen(run)
    assert len(shortest_prefix(run.history())) == len(run.entries)


def test_a_prefix_is_cut_to_a_persons_own_entries_and_the_strikes() -> None:
    run = lawful()
    run.again(run.seen(Kind.DELIVERED, message_id="<1.rita of A>"), 10.9)
    [violation] = check(run.history())
    found = concerning(shortest_prefix(run.history()), violation)
    assert [entry.kind for entry in found] == [
        Kind.ANSWERED,
        Kind.DELIVERED,
        Kind.MAILED,
        Kind.STRIKE,
        Kind.DELIVERED,
    ]


# -- What is lawful though it looks odd


def test_a_body_whose_wire_came_before_the_stop_may_arrive_after_it() -> None:
    run = lawful()
    run.note(50.2, Kind.STOPPED, account="B", reason="suspended")
    assert check(run.history()) == []


def test_what_left_after_a_resume_is_lawful() -> None:
    run = lawful()
    run.note(45, Kind.STOPPED, account="B", reason="suspended")
    run.note(49.8, Kind.RESUMED, account="B")
    assert check(run.history()) == []


def test_a_transaction_across_a_resume_proves_nothing() -> None:
    """Its `wire` was asked for during the pause, and may have been granted after it."""
    run = lawful()
    run.note(45, Kind.STOPPED, account="B", reason="suspended")
    run.note(50.45, Kind.RESUMED, account="B")
    assert check(run.history()) == []


def test_a_test_message_may_leave_while_its_campaign_is_paused() -> None:
    run = lawful()
    message = {**run.row("messages", id="2 anna of A"), "message_id": "<test>", "recipient": "me@chaos.example"}
    run.add("messages", **{**message, "stream": "test", "enrollment": None, "step": None, "wire_at": BEGIN + 34})
    run.again(run.seen(Kind.DELIVERED), 35, message_id="<test>", recipient="me@chaos.example", began=BEGIN + 33)
    assert check(run.history()) == []


@pytest.mark.parametrize("manner", ["drop-mid-body", "drop-before-dot", "reset-after-dot", "hang", "garbage-after-dot"])
def test_a_doubt_that_the_server_asks_for_needs_no_strike(manner: str) -> None:
    run = lawful()
    run.row("attempts", message_id="<1.doris of A>")["recipient"] = f"{manner}+doris@chaos.example"
    run.drop(run.seen(Kind.STRIKE))
    assert check(run.history()) == []


@pytest.mark.parametrize("manner", ["ok", "drop-data", "421-data", "4xx-after-dot", "late-0.2", "drip"])
def test_no_other_server_asks_for_doubt(manner: str) -> None:
    run = lawful()
    run.row("attempts", message_id="<1.doris of A>")["recipient"] = f"{manner}+doris@chaos.example"
    run.drop(run.seen(Kind.STRIKE))
    assert {violation.law for violation in check(run.history())} == {Law.LOST}


def test_another_accounts_stop_stops_nothing_here() -> None:
    run = lawful()
    run.note(3, Kind.STOPPED, account="C", contact="anna@chaos.example", reason="suppressed")
    assert check(run.history()) == []


def test_a_clock_that_is_off_is_not_believed() -> None:
    run = lawful()
    run.note(66, Kind.STRIKE, action="step clock", target="worker0", detail="", in_doubt=0, clock_skew=3_600)
    run.row("messages", id="1 doris of A")["wire_at"] = BEGIN + 70
    run.row("messages", id="1 ursula of A")["wire_at"] = BEGIN + 70
    assert check(run.history()) == []


def test_a_raised_limit_may_hold_before_its_answer() -> None:
    run = lawful()
    run.facts["limits"]["login A"] = 5
    run.note(11.6, Kind.ANSWERED, call="raise", account="A", login="login A", limit=6)
    assert check(run.history()) == []


def test_each_day_has_its_own_cap() -> None:
    run = lawful()
    run.facts["limits"]["login A"] = 5
    entry = run.seen(Kind.DELIVERED, message_id="<1.drop-after-dot+1 of A>")
    run.drop(entry)
    run.again(entry, 11.5, began=BEGIN - 3_601)
    assert check(run.history()) == []


def test_a_login_without_a_known_limit_is_not_judged() -> None:
    run = lawful()
    del run.facts["limits"]
    assert check(run.history()) == []


def test_a_retry_counts_once_a_day() -> None:
    run = lawful()
    attempt = run.row("attempts", message_id="<1.rita of A>")
    run.add("attempts", **{**attempt, "state": "deferred"})
    assert check(run.history()) == []


def test_a_batch_that_was_never_released_waits_for_ever() -> None:
    run = lawful()
    run.enroll("A", "later", released_at=None, finished_at=None, status="pending", next_position=1)
    assert check(run.history()) == []


def test_a_pause_that_was_never_answered_may_be_told() -> None:
    run = lawful()
    run.drop(run.seen(Kind.STOPPED, reason="pause"))
    assert check(run.history()) == []


def test_a_mail_that_is_fetched_twice_counts_once() -> None:
    run = lawful()
    run.again(run.seen(Kind.MAILED, behaviour="bounce"), 81)
    assert check(run.history()) == []


def test_a_reply_after_an_unsubscription_is_recorded_and_not_told() -> None:
    run = lawful()
    run.come_back(run.row("messages", id="1 ursula of A"), "reply", "reply", 20)
    assert check(run.history()) == []


def test_a_test_message_goes_to_no_contact() -> None:
    run = lawful()
    message = {**run.row("messages", id="1 anna of A"), "message_id": "<test>", "recipient": "me@chaos.example"}
    run.add("messages", **{**message, "stream": "test", "enrollment": None, "campaign": None, "step": None})
    run.again(run.seen(Kind.DELIVERED), 5, message_id="<test>", recipient="me@chaos.example")
    run.note(4, Kind.ANSWERED, call="test_send", account="A", contact="me@chaos.example")
    assert check(run.history()) == []


def test_an_endpoint_hears_what_it_wants_since_it_was_made() -> None:
    run = lawful()
    run.drop(run.seen(Kind.CALLED, type="enrollment.replied"))
    run.row("endpoints", id="endpoint A")["event_filters"] = ["enrollment.sent", "enrollment.bounced", "campaign.*"]
    run.drop(run.seen(Kind.CALLED, type="enrollment.unsubscribed"))
    late = {**run.row("endpoints", id="endpoint A"), "id": "late", "since": BEGIN + 100}
    run.add("endpoints", **late)
    run.add("endpoints", **{**late, "since": BEGIN, "disabled_at": BEGIN + 1})
    assert check(run.history()) == []


# -- Words


def test_the_report_names_the_law_the_seed_and_the_folder() -> None:
    run = lawful()
    a_message_arrives_twice(run)
    history = run.history()
    text = report(history, check(history))
    assert "Broken: I1 never twice (1 times)" in text
    assert "<1.rita of A> to rita@chaos.example was delivered again." in text
    assert "make faults SEED=7" in text
    assert FOLDER in text
    assert "message_id=<1.rita of A>" in text.splitlines()[-1]


def test_the_report_shows_at_most_forty_entries_of_the_prefix() -> None:
    run = lawful()
    an_accepted_message_was_never_seen(run)
    history = run.history()
    text = report(history, check(history))
    assert f"the last 40 of {len(run.entries)}" in text
    assert len(text.partition("The shortest failing prefix")[2].splitlines()) == 41


def test_a_report_of_many_violations_shows_some_and_counts_all() -> None:
    run = lawful()
    run.leaks.extend(f"log {number}" for number in range(12))
    text = report(run.history(), check(run.history()))
    assert "Broken: I8 secrets stay in (12 times)" in text
    assert "… and 2 more" in text


def test_violations_come_by_law_and_time() -> None:
    run = lawful()
    for way in (a_secret_is_in_a_log, a_limit_is_overrun, a_message_arrives_twice, an_enrollment_never_ends):
        way(run)
    laws = [violation.law for violation in check(run.history())]
    assert laws == [Law.TWICE, Law.LOST, Law.CAPS, Law.SECRETS]


def test_each_message_in_doubt_is_listed_with_the_last_strike_before_it_was_settled() -> None:
    [line] = in_doubt(lawful().history())
    assert "<1.doris of A> to doris@chaos.example" in line
    assert "unknown" in line
    assert "strike     action=kill target=worker" in line


def test_a_violation_is_a_law_a_sentence_and_a_time() -> None:
    assert Violation("I1 never twice", "Twice.", None) == Violation(Law.TWICE, "Twice.", None, ())
