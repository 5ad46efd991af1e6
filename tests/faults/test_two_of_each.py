"""B1, B5: two workers, two beats, and kills: no cap is overrun, and nothing is planned or sent twice."""

import threading
from collections import Counter
from functools import partial

import psycopg
import pytest
from django.db import connection
from django.db.models import QuerySet

from dispatch.models import Attempt, Message
from dispatch.services.plan import PLANNER_LOCK, TickResult, plan
from dispatch.services.reconcile import reconcile
from tests import factories
from tests.dispatch.conftest import Engine
from tests.faults.conftest import StartLab
from tests.faults.ledger import audit, doubles_and_losses
from tests.faults.loops import StartLoop, database_url, let_leases_run_out, plan_until
from tests.faults.nemesis import Nemesis, Strike, Target
from tests.faults.seeding import people, seed
from tests.peers.oracle_log import Entry

CAP = 50
CREDENTIALS = 4
STRIKES = [
    Strike(30, 0.1, Target.WORKER, 0.2, 0),
    Strike(60, 0.0, Target.BEAT, 0.5, 1),
    Strike(90, 0.2, Target.POSTGRES, 0.3, 0),
    Strike(120, 0.1, Target.WORKER, 0.5, 1),
    Strike(150, 0.1, Target.POOL, 0.0, 0),
]
AT_THE_CAP = f"""
SELECT count(*) >= {CAP * CREDENTIALS} AND bool_and(state NOT IN ('planned', 'claimed', 'wire', 'deferred'))
FROM dispatch_message
"""


@pytest.mark.faults_long
def test_no_cap_is_overrun_by_two_workers_that_are_killed(start_lab: StartLab) -> None:
    lab = start_lab(workers=2, beats=2, web=False)
    seeded = seed(lab, people(300, greylist451=10), credentials=CREDENTIALS, daily_limit=CAP)
    Nemesis(lab).strike(STRIKES, 60)
    lab.wait_for("every credential is at its cap", AT_THE_CAP, 60)
    assert most_in_a_day(lab.delivered()) <= CAP
    assert [*doubles_and_losses(lab, seeded), *audit(lab)] == [], lab.report()


def most_in_a_day(log: list[Entry]) -> int:
    """The most messages that one credential sent on one UTC day, by the oracle."""
    return max(Counter((entry["login"], entry["time"][:10]) for entry in log).values())


def test_no_cap_is_overrun_by_two_loops_that_are_killed(engine: Engine, start_loop: StartLoop) -> None:
    campaign = factories.make_campaign(
        engine.account,
        credentials=[engine.credential(daily_limit=10) for _ in range(CREDENTIALS)],
        min_wait_seconds=0,
        max_wait_seconds=0,
    )
    engine.enroll(campaign, *(f"late-0.05+{number}" for number in range(60)))
    engine.release(campaign)
    ended = Message.everywhere.filter(state__in=["accepted", "unknown"])
    for kill in range(4):
        loops = [start_loop(f"{name} {kill}", DELIVER_CONVERSATIONS=2) for name in ("one", "other")]
        plan_until(partial(_reaches, ended, min(10 * (kill + 1), 40)))
        for loop in loops:
            loop.kill()
        let_leases_run_out()
        reconcile()
    engine.run_until(lambda: ended.count() == 40 and Message.everywhere.count() == 40)
    assert most_in_a_day(engine.smtp.log) <= 10
    engine.assert_lawful()


def _reaches(messages: QuerySet[Message], count: int) -> bool:
    return messages.count() >= count


def test_two_loops_and_two_planners_send_every_message_once(engine: Engine, start_loop: StartLoop) -> None:
    campaign = engine.campaign(credentials=6)
    engine.enroll(campaign, *(f"late-0.05+{number}" for number in range(90)))
    engine.release(campaign)
    for name in ("one", "other"):
        start_loop(name, DELIVER_CONVERSATIONS=3)
    stopping = threading.Event()
    rival = threading.Thread(target=plan_beside, args=[stopping])
    rival.start()
    try:
        plan_until(lambda: Message.everywhere.filter(state="accepted").count() == 90)
    finally:
        stopping.set()
        rival.join(30)
    seen = [entry["message_id"] for entry in engine.smtp.log]
    assert len(seen) == len(set(seen)) == 90
    assert Attempt.everywhere.values("worker_id").distinct().count() == 2
    engine.assert_lawful()


def plan_beside(stopping: threading.Event) -> None:
    """A second planner."""
    try:
        while not stopping.wait(0.03):
            plan()
    finally:
        connection.close()


def test_a_second_planner_idles(engine: Engine) -> None:
    campaign = engine.campaign()
    engine.enroll(campaign, "ok+1", "ok+2")
    engine.release(campaign)
    with psycopg.connect(database_url()) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [PLANNER_LOCK])
        assert plan() == TickResult()
    assert plan().planned == 2
