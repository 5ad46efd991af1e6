"""A8: the trial of suspects: what is counted against a message, and what the database or the machine is blamed for."""

import asyncio
import os
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection, connections, transaction
from pytest_django.fixtures import Settings

from ampout.lib import clock
from ampout.lib.database_thread import DatabaseThread
from campaigns.models import Enrollment
from dispatch.gateways.smtp_session import Envelope
from dispatch.models import Lane, Message
from dispatch.services import plan, trial
from dispatch.services.claim import Claim
from dispatch.services.deliver import DeliverLoop
from dispatch.services.lane_runner import LaneRunner
from dispatch.services.outbox import Composed
from dispatch.services.trial import Finding
from tests.dispatch.conftest import Engine, message_of
from tests.faults.waiting import wait_for

HINDERED = "could be tried"
FINISHED = datetime(2026, 11, 22, 6, tzinfo=UTC)


def suspected(engine: Engine, local: str) -> Enrollment:
    """Somebody whose message a loop may have died of."""
    _, [enrollment] = engine.released(local, credentials=1)
    plan.plan()
    Message.everywhere.update(deaths=1)
    return enrollment


def opened() -> int:
    """How many descriptors this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


def claim() -> Claim:
    """A claim of a message that there is none of."""
    return Claim(uuid.uuid4(), 1, uuid.uuid4(), datetime(2026, 11, 22, tzinfo=UTC), "campaign", 0, None, 0, None, None)


async def tried(suspects: Sequence[Claim]) -> list[Finding]:
    """What a child says of them."""
    database = DatabaseThread()
    try:
        return [finding async for finding in trial.findings(database, suspects)]
    finally:
        await database.close()


def test_a_lane_of_which_only_poison_was_claimed_goes_back(engine: Engine, settings: Settings) -> None:
    settings.CRASH_AT = "compose=poison"
    victim = suspected(engine, "ok+poison")
    engine.run_until(
        lambda: message_of(victim).state == "quarantined" and not Lane.objects.filter(worker_id__isnull=False).exists()
    )


def test_a_database_that_keeps_a_child_waiting_is_no_death(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trial, "SECONDS", 0.2)
    innocent = suspected(engine, "ok+1")
    with engine.running():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE campaigns_sequencestep")
            wait_for("the trial is hindered", lambda: caplog.text.count(HINDERED) >= 3, 30, lambda: caplog.text)
        monkeypatch.setattr(trial, "SECONDS", 60.0)
        engine.wait_until(lambda: message_of(innocent).state == "accepted")
    assert message_of(innocent).deaths == 1


@pytest.mark.django_db
def test_a_database_that_is_away_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections.databases["default"], "HOST", "/nowhere")
    with pytest.raises(ConnectionError):
        asyncio.run(tried([claim()]))


@pytest.mark.django_db
def test_a_child_that_computes_for_too_long_dies_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    suspects = [claim() for _ in range(300)]
    assert [finding.error for finding in asyncio.run(tried(suspects[:1]))] == [f"KeyError: {suspects[0].message_id!r}"]
    monkeypatch.setattr(trial, "SECONDS_OF_WORK", 1e-6)
    assert len(asyncio.run(tried(suspects))) < len(suspects)


def test_processes_that_cannot_be_made_leave_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError("Resource temporarily unavailable")

    async def left_open() -> int:
        before = opened()
        for _ in range(3):
            with pytest.raises(BlockingIOError):
                await tried([claim()])
        return opened() - before

    monkeypatch.setattr(os, "fork", refuse)
    assert asyncio.run(left_open()) == 0


def test_what_a_lane_sent_during_a_trial_is_followed_by_its_gap() -> None:
    suspect = replace(claim(), due_at=clock.utc_now() + timedelta(hours=1), lane_finished_at=FINISHED)
    ended_at = FINISHED + timedelta(seconds=30)
    ready = Composed(None, Envelope("a@example.com", "b@example.com"), b"", None, "")

    async def handed_over() -> datetime | None:
        loop = DeliverLoop(uuid.uuid4(), stop_requested=lambda: True)
        before = loop.runners[suspect.credential_id] = LaneRunner(loop, suspect.credential_id)
        before.last_finished_at = ended_at
        await asyncio.gather(before._task)
        loop._hand_to_lane(suspect, ready)
        runner = loop.runners[suspect.credential_id]
        runner.drop()
        return runner.last_finished_at

    assert asyncio.run(handed_over()) == ended_at
