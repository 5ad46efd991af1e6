"""B4: workers whose clocks are set while they run, by libfaketime: no burst, no duplicate, no other day's caps."""

import pytest

from tests.faults import clocks
from tests.faults.conftest import StartLab
from tests.faults.ledger import disagreements, finish
from tests.faults.seeding import people, seed
from tests.faults.test_health_checks import ask, await_ready, await_trouble
from tests.faults.waiting import wait_for

DAYS, HOURS = 86_400, 3_600


@pytest.fixture(autouse=True)
def _steppable() -> None:
    clocks.require()


@pytest.mark.faults_long
def test_a_worker_three_days_ahead_does_nothing_says_so_and_goes_on_once_it_is_right(start_lab: StartLab) -> None:
    lab = start_lab(clocks=True, settings={"LEASE_SECONDS": "20"})
    await_ready(lab)
    lab.clocks["worker0"].step(3 * DAYS)
    check = await_trouble(lab, "clocks")
    assert check["message"] == "A process whose clock is not the database's does nothing until both agree: see its log."
    assert "ampout_clock_wrong 1.0" in ask(lab, "/metrics")[1]
    seeded = seed(lab, people(40), credentials=2, steps=2, daily_limit=30)
    [(seen_at,)] = lab.ask("SELECT now()")
    lab.wait_for(
        "its loops look at their clock again and again",
        f"SELECT ticked_at > '{seen_at.isoformat()}'::timestamptz + interval '5 s' FROM dispatch_tick"
        " WHERE name = 'clock'",
        60,
    )
    assert lab.ask("SELECT count(*) FROM dispatch_message") == [(0,)], "nothing is even planned"
    log = lab.programs["worker0"].log_path
    wait_for("the log tells", lambda: "ahead of the database's" in log.read_text(), 30, lab.report)
    lab.clocks["worker0"].step(0)
    finish(lab, 60)
    assert disagreements(lab, seeded, unknown_at_most=0) == [], lab.report()
    days = lab.ask("SELECT day = (now() AT TIME ZONE 'UTC')::date, sum(used)::int FROM dispatch_dailyusage GROUP BY 1")
    assert days == [(True, 40)]


@pytest.mark.faults_long
@pytest.mark.parametrize("seconds", [3 * DAYS, -6 * HOURS])
def test_a_worker_whose_clock_is_set_while_it_sends_leaves_no_wrong_time_behind(
    start_lab: StartLab, seconds: int
) -> None:
    lab = start_lab(clocks=True, web=False, settings={"LEASE_SECONDS": "20"})
    seeded = seed(lab, people(60), credentials=3, steps=2)
    for after in (20, 70):
        lab.await_delivered(after, 60)
        lab.note(f"the worker's clock is set by {seconds} s")
        lab.clocks["worker0"].step(seconds)
        lab.wait_for("somebody noticed", "SELECT count(*) > 0 FROM dispatch_tick WHERE name = 'clock'", 60)
        lab.clocks["worker0"].step(0)
    finish(lab, 60)
    assert disagreements(lab, seeded, unknown_at_most=0) == [], lab.report()
    wrong = lab.ask(
        "SELECT count(*) FROM dispatch_message WHERE wire_at NOT BETWEEN now() - interval '1 hour' AND now()"
        " UNION ALL"
        " SELECT count(*) FROM dispatch_attempt WHERE ended_at NOT BETWEEN now() - interval '1 hour' AND now()"
        " UNION ALL"
        " SELECT count(*) FROM dispatch_lane WHERE last_finished_at NOT BETWEEN now() - interval '1 hour' AND now()"
        " UNION ALL"
        " SELECT count(*) FROM dispatch_dailyusage WHERE used > 0 AND day <> (now() AT TIME ZONE 'UTC')::date"
    )
    assert wrong == [(0,)] * 4, lab.report()
