"""E1: kill -9 of webhook loops while they deliver; every committed event arrives, under one id, with the same bytes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from ampout.accounts.models import Account
from ampout.events.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from ampout.supervisor.kept_environment import PROJECT
from tests import factories
from tests.events.conftest import Town, sink, tell
from tests.peers.webhook_sink import Reply, WebhookSink

__all__ = ["sink"]

SEED = 7
KILLS = 4
EVENTS_A_ROUND = 50
PATHS = ("/steady", "/slow", "/shaky")


@pytest.fixture
def town(transactional_db: None, sink: WebhookSink, settings: Settings) -> Town:
    settings.ALLOW_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    town = Town(factories.make_account("Alice"), sink)
    for path in PATHS:
        town.endpoint(path)
    sink.reply("/slow", Reply(204, wait_seconds=0.05))
    sink.drop("/shaky", 0.1)
    return town


@dataclass
class Nest:
    """Where loops come from that are to be killed."""

    process: "subprocess.Popen[str]"

    def start(self) -> int:
        """A loop in a process of its own; its id."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("start\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@pytest.fixture
def nest(transactional_db: None) -> Iterator[Nest]:
    """On the test's database."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.faults.webhook_loop", connection.settings_dict["NAME"]]
    with subprocess.Popen(
        command,
        cwd=PROJECT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        yield Nest(process)
        process.kill()


def tell_and_take_back(account: Account) -> None:
    """Facts whose transaction does not commit: nobody may hear of them."""
    with transaction.atomic():
        tell(account, 5, phantom=True)
        transaction.set_rollback(True)


def received(sink: WebhookSink) -> int:
    return sum(len(sink.calls(path)) for path in PATHS)


def has_received(sink: WebhookSink, goal: int) -> bool:
    return received(sink) >= goal


def test_every_committed_event_arrives_whatever_is_killed(town: Town, nest: Nest) -> None:
    rng = Random(SEED)
    told: dict[str, str] = {}
    for _ in range(KILLS):
        victim = nest.start()
        told |= {str(event.id): event.fact for event in tell(town.account, EVENTS_A_ROUND)}
        tell_and_take_back(town.account)
        goal = received(town.sink) + rng.randint(1, EVENTS_A_ROUND)
        town.sink.wait_for(partial(has_received, town.sink, goal), 60)
        os.kill(victim, signal.SIGKILL)
    finish(town)
    for path in PATHS:
        assert {call.headers["webhook-id"] for call in town.sink.accepted(path)} == set(told)
        assert len({(call.headers["webhook-id"], call.body) for call in town.sink.calls(path)}) == len(told)
        assert not [call for call in town.sink.calls(path) if b"phantom" in call.body]
    assert WebhookDelivery.everywhere.filter(state="delivered").count() == len(told) * len(PATHS)
    # At least once, and rarely more: only what was on its way at a kill comes twice.
    again = sum(len(town.sink.accepted(path)) - len(told) for path in PATHS)
    assert again <= KILLS * 4 * len(PATHS)
    assert WebhookAttempt.everywhere.filter(status_code=204).count() == len(told) * len(PATHS)


def finish(town: Town) -> None:
    """Deliver all that is left, without waiting for the times of retries."""
    waiting = WebhookDelivery.everywhere.filter(state="pending")

    def is_empty() -> bool:
        # Locked in the order in which the loop locks them.
        with transaction.atomic():
            list(WebhookEndpoint.everywhere.select_for_update(no_key=True).order_by("pk"))
            list(waiting.select_for_update(no_key=True).order_by("pk"))
            waiting.update(due_at=Now() - timedelta(days=1))
            WebhookEndpoint.everywhere.update(hold_until=None)
        return not waiting.exists()

    town.run_until(is_empty)
