"""B1, B5: two workers, two beats, and kills: no cap is overrun, and nothing is planned or sent twice."""

import threading
from collections import Counter

import psycopg
from django.db import connection

from dispatch.models import Attempt, Message
from dispatch.services.plan import PLANNER_LOCK, TickResult, plan
from tests.dispatch.conftest import Engine
from tests.faults.conftest import StartLab
from tests.faults.ledger import audit, doubles_and_losses
from tests.faults.loops import StartLoop, database_url, plan_until
from tests.faults.nemesis import Nemesis, Strike, Target
from tests.faults.seeding import people, seed

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


def test_no_cap_is_overrun_by_two_workers_that_are_killed(start_lab: StartLab) -> None:
    lab = start_lab(workers=2, beats=2, web=False)
    seeded = seed(lab, people(300, greylist451=10), credentials=CREDENTIALS, daily_limit=CAP)
    Nemesis(lab).strike(STRIKES, 60)
    lab.wait_for("every credential is at its cap", AT_THE_CAP, 60)
    sent = Counter((entry["login"], entry["time"][:10]) for entry in lab.delivered())
    assert max(sent.values()) <= CAP, sent
    assert [*doubles_and_losses(lab, seeded), *audit(lab)] == [], lab.report()


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
