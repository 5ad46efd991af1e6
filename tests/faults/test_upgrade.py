"""G13: an upgrade while workers run. Old and new ones share a database for a while: nothing is lost or doubled."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from ampout.supervisor.postgres import USER
from tests.faults.caller import Caller
from tests.faults.lab import Shape
from tests.faults.ledger import disagreements, finish
from tests.faults.previous_release import export_previous
from tests.faults.seeding import people
from tests.faults.servers import Servers
from tests.faults.upgrading import SECONDS, UpgradingLab
from tests.peers.certificates import Certificates

StartOldLab = Callable[..., UpgradingLab]
BOUND_USER = "owner_without_rights"
"""It may not make the role that calls take: its tables bind their owner (docs/decisions/0006)."""


@pytest.fixture
def start_old_lab(
    servers: Servers, tmp_path: Path, certificates: Certificates, django_db_blocker: DjangoDbBlocker
) -> Iterator[StartOldLab]:
    """Starts an installation of the previous release; everything is killed after the test, however it ends."""
    previous = export_previous(tmp_path / "previous release")
    labs: list[UpgradingLab] = []

    def start(shape: Shape, user: str = USER) -> UpgradingLab:
        servers.restore()
        lab = UpgradingLab(servers, tmp_path, certificates, shape, previous, user)
        labs.append(lab)
        lab.start()
        return lab

    with django_db_blocker.unblock():
        yield start
    for lab in labs:
        lab.stop()


@pytest.mark.faults_long
def test_workers_of_both_releases_send_side_by_side(start_old_lab: StartOldLab) -> None:
    lab = start_old_lab(Shape(web=False))
    seeded = lab.seed(people(60, **{"5xx_rcpt": 20}), credentials=3, daily_limit=5)
    lab.await_delivered(5, SECONDS)
    lab.migrate("new")
    lab.allow(8, awaited=5)
    lab.launch("new", "worker")
    lab.allow(11, awaited=5)
    lab.end("old worker0")
    lab.allow(1_000)
    finish(lab, SECONDS)
    assert disagreements(lab, seeded, unknown_at_most=0) == [], lab.report()
    assert lab.sent_by_old >= 10
    assert lab.sent_by_new >= 2 * (60 - 3 - 3 * 11)


@pytest.mark.faults_long
def test_an_upgrade_under_load_with_kills(start_old_lab: StartOldLab) -> None:
    lab = start_old_lab(Shape(workers=2, delay_ms=40), user=BOUND_USER)
    seeded = lab.seed(people(400, greylist451=10, **{"5xx_rcpt": 25}), credentials=5, daily_limit=40)
    with Caller(lab.web_port, seeded.key) as old_caller:
        lab.await_delivered(50, SECONDS)
        lab.break_off_migrations()
        lab.migrate("new")
        lab.allow(45, awaited=20)
        old_caller.await_acknowledged(10, SECONDS)
    lab.launch("new")
    with Caller(lab.web_port, seeded.key) as new_caller:
        lab.allow(50, awaited=20)
        lab.crash("old worker0")
        lab.allow(55, awaited=20)
        for name in ("old web0", "old beat0", "old worker1"):
            lab.end(name)
        lab.allow(1_000)
        finish(lab, 3 * SECONDS)
    print("\n".join([*lab.happened, old_caller.report(), new_caller.report()]))
    assert disagreements(lab, seeded, unknown_at_most=lab.in_doubt) == [], lab.report()
    assert old_caller.refused + new_caller.refused == []
    assert lab.ask("SELECT relforcerowsecurity FROM pg_class WHERE relname = 'dispatch_message'") == [(True,)]
    assert lab.sent_by_old >= 70
    assert lab.sent_by_new >= 2 * (400 - 16 - 5 * 55)
