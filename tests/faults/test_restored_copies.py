"""B5, G13: a backup that is restored sends nothing until it is adopted, then what was never sent, and nothing twice."""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from ampout.supervisor.kept_environment import PROJECT
from ampout.supervisor.postgres import USER
from ampout.supervisor.programs import find_postgres
from campaigns.models import Campaign
from dispatch.services.lifecycle import resume_campaign
from tests.faults.conftest import StartLab
from tests.faults.lab import Lab
from tests.faults.ledger import disagreements, finish
from tests.faults.seeding import people, seed

LOOPS_HAVE_LOOKED = """
SELECT coalesce(bool_or(lease_until > started_at + interval '8 seconds' AND name NOT LIKE 'poll %%'), false)
       AND NOT EXISTS (SELECT FROM dispatch_message WHERE state IN ('claimed', 'wire'))
FROM dispatch_deliveryworker WHERE ended_at IS NULL
"""
"""A deliver loop has looked for something to claim for three seconds, and what the dead one held is healed."""
WAITING = "SELECT count(*) FROM dispatch_message WHERE state = 'planned' AND due_at < now()"
RESTORED = "restored"


def restore_copy(lab: Lab, folder: Path) -> str:
    """Dump the lab's database and restore it into a new one, as the manual says; returns its URL."""
    tools = find_postgres().folder
    dump, server = folder / "backup.dump", ["--host", str(lab.servers.data.run), "--username", USER]
    if not (tools / "pg_dump").exists():
        pytest.fail("These PostgreSQL programs have no pg_dump: install PostgreSQL itself.")
    name = lab.database_url.partition("?")[0].rpartition("/")[2]
    run([str(tools / "pg_dump"), *server, "--format", "custom", "--file", str(dump), name])
    with psycopg.connect(lab.servers.url_of("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {RESTORED}")
        connection.execute(f"CREATE DATABASE {RESTORED}")
    options = ["--no-owner", "--no-privileges", "--exit-on-error"]
    run([str(tools / "pg_restore"), *server, *options, "--dbname", RESTORED, str(dump)])
    return lab.servers.url_of(RESTORED)


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def manage(lab: Lab, *words: str) -> str:
    """What a command says."""
    command = [sys.executable, "manage.py", *words]
    done = subprocess.run(
        command, env=lab.environment(), cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_restored_backup_sends_what_was_never_sent_once_it_is_adopted(start_lab: StartLab, tmp_path: Path) -> None:
    lab = start_lab(web=False)
    seeded = seed(lab, people(80), credentials=4)
    lab.await_delivered(20, 60)
    in_doubt = lab.freeze("worker0")
    for name in ("worker0", "beat0"):
        lab.kill(name)
    copy = restore_copy(lab, tmp_path)
    before = lab.delivered_count()
    lab.move(copy)
    manage(lab, "migrate", "--verbosity", "0")
    lab.wait_for("the copy's loops have looked", LOOPS_HAVE_LOOKED, 60)
    assert lab.ask(WAITING)[0][0] > 0, lab.report()
    assert lab.delivered_count() == before, lab.report()
    assert "Adopted. 1 campaigns paused" in manage(lab, "adopt")
    with lab.django():
        campaign = Campaign.everywhere.get()
        assert (campaign.status, campaign.pause_reason) == ("paused", "operator")
        assert lab.delivered_count() == before
        resume_campaign(campaign.account, campaign.pk, by_operator=True)
    finish(lab, 60)
    assert disagreements(lab, seeded, unknown_at_most=in_doubt) == [], lab.report()
    assert before < lab.delivered_count() <= len(seeded.recipients)
