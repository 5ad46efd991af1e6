"""A webhook loop in the test's process, a receiver that remembers, and a clock that is set by hand."""

import asyncio
import itertools
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from ampout.accounts.models import Account
from ampout.events.kinds import EventKind
from ampout.events.models import Event, WebhookDelivery, WebhookEndpoint
from ampout.events.services import Fact, loops, record_events
from ampout.events.services.deliver_webhooks import WebhookLoop, deliver_webhooks
from ampout.lib import clock
from tests import factories
from tests.peers.certificates import certificates
from tests.peers.dns_server import dns_server
from tests.peers.webhook_sink import WebhookSink, sink, tls_sink

__all__ = ["certificates", "dns_server", "sink", "tls_sink"]

PATIENCE_SECONDS = 40
NOW = datetime(2026, 11, 22, 6, 30, 15, tzinfo=UTC)

_numbers = itertools.count(1)


def tell(account: Account, count: int = 1, kind: EventKind = EventKind.ENROLLMENT_SENT, **data: Any) -> list[Event]:
    """Facts of an account, told now."""
    names = [f"fact:{next(_numbers)}" for _ in range(count)]
    record_events([Fact(account.pk, kind, name, {"name": name} | data) for name in names], now=clock.utc_now())
    return list(Event.everywhere.filter(account=account, fact__in=names).order_by("sequence"))


def deliveries(endpoint: WebhookEndpoint) -> list[WebhookDelivery]:
    """Everything for this endpoint, in the order of the events."""
    return list(WebhookDelivery.everywhere.filter(endpoint=endpoint).select_related("event").order_by("event_id"))


@dataclass
class Town:
    """An account with endpoints at a receiver, and a loop that serves them."""

    account: Account
    sink: WebhookSink

    def endpoint(self, path: str = "/hook", **fields: Any) -> WebhookEndpoint:
        """An endpoint for all events at a path of the receiver."""
        defaults: dict[str, Any] = {
            "account": self.account,
            "url": self.sink.url(path),
            "created_at": clock.utc_now() - timedelta(seconds=1),
        }
        return factories.make_webhook(**(defaults | fields))

    def work(self) -> None:
        """Do everything that is due at the clock's present, and return."""
        loop_id = loops.start_loop(f"test:{uuid.uuid4()}")
        assert loop_id is not None
        looks = itertools.count()
        loop = WebhookLoop(loop_id, lambda: False)

        async def until_idle() -> None:
            while await loop.look() or next(looks) == 0:
                await asyncio.gather(*loop.tasks.values())
            loop.stop_requested = lambda: True
            await loop.run()

        asyncio.run(until_idle())

    def run_until(self, condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Run a loop in a thread until `condition` holds. Raises AssertionError when time is up."""
        stop = threading.Event()
        thread = threading.Thread(target=_run_loop, args=(stop,), daemon=True)
        thread.start()
        deadline = time.monotonic() + seconds
        try:
            while not condition():
                assert time.monotonic() < deadline, "it did not come about in time"
                time.sleep(0.05)
        finally:
            stop.set()
            self.sink.hang_up()
            thread.join(30)


def _run_loop(stop: threading.Event) -> None:
    try:
        assert deliver_webhooks(f"test:{uuid.uuid4()}", stop.is_set)
    finally:
        connection.close()


@pytest.fixture
def town(transactional_db: None, sink: WebhookSink, settings: Settings) -> Town:
    """Alice's endpoints at one receiver."""
    settings.ALLOW_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    return Town(factories.make_account("Alice"), sink)


@dataclass
class Hands:
    """The hands of the clock."""

    now: datetime = NOW

    def skip(self, wait: timedelta) -> None:
        """Set the clock ahead."""
        self.now += wait


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    """A clock that stands still until it is set."""
    hands = Hands()
    monkeypatch.setattr(clock, "utc_now", lambda: hands.now)
    return hands
