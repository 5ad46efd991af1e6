"""A campaign's whole way in one process: the planner, a deliver loop, and a chaos server that remembers."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from ampout.accounts.models import Account
from ampout.lib import clock
from campaigns.models import Campaign, Enrollment
from credentials.models import SmtpCredential
from dispatch.models import Message
from dispatch.rules.message_state import MessageState as S
from dispatch.services import deliver, lifecycle, plan, reconcile
from dispatch.services.audit import audit
from tests import factories
from tests.peers.certificates import Certificates, certificates
from tests.peers.chaos_connection import ChaosOptions
from tests.peers.chaos_smtp import ChaosSmtp
from tests.peers.dns_server import dns_server
from tests.peers.oracle_log import Entry

__all__ = ["certificates", "dns_server"]

PATIENCE_SECONDS = 30


@dataclass
class Engine:
    """Runs the engine until something holds. `skip` sets the clock ahead; nothing else here takes time."""

    smtp: ChaosSmtp
    account: Account
    ahead: timedelta = field(default_factory=timedelta)

    # -- What there is to send

    def credential(self, **fields: object) -> SmtpCredential:
        """A mailbox at the chaos server."""
        defaults = {"smtp_host": "127.0.0.1", "smtp_port": self.smtp.port, "daily_limit": 1_000}
        return factories.make_credential(self.account, **(defaults | fields))

    def campaign(self, *, credentials: int | list[SmtpCredential] = 2, steps: int = 1, **fields: object) -> Campaign:
        """A campaign without gaps."""
        if isinstance(credentials, int):
            credentials = [self.credential() for _ in range(credentials)]
        fields = {"min_wait_seconds": 0, "max_wait_seconds": 0} | fields
        return factories.make_campaign(self.account, steps=steps, credentials=credentials, **fields)

    def enroll(self, campaign: Campaign, *locals_: str) -> list[Enrollment]:
        """Contacts whose local part says how the chaos server treats them."""
        return [
            factories.enroll(campaign, factories.make_contact(self.account, f"{local}@chaos.example"))
            for local in locals_
        ]

    def release(self, campaign: Campaign) -> None:
        """Dispatch everything."""
        lifecycle.release(self.account, campaign.pk, now=clock.utc_now())

    def enrolled(self, *locals_: str, **fields: Any) -> tuple[Campaign, list[Enrollment]]:
        """A campaign to these contacts, not dispatched yet."""
        campaign = self.campaign(**fields)
        return campaign, self.enroll(campaign, *locals_)

    def released(self, *locals_: str, **fields: Any) -> tuple[Campaign, list[Enrollment]]:
        """A campaign to these contacts, dispatched."""
        campaign, enrolled = self.enrolled(*locals_, **fields)
        self.release(campaign)
        return campaign, enrolled

    # -- Time

    def skip(self, **units: float) -> None:
        """Set the clock ahead: `minutes=31`. Call it while no deliver loop runs."""
        self.ahead += timedelta(**units)

    # -- Running

    @contextlib.contextmanager
    def running(self) -> Iterator["Engine"]:
        """A deliver loop in a thread, until the block ends."""
        stopping = threading.Event()
        worker = threading.Thread(target=_deliver, args=[stopping])
        worker.start()
        try:
            yield self
        finally:
            stopping.set()
            worker.join(PATIENCE_SECONDS)
        assert not worker.is_alive(), "the deliver loop did not stop"

    def wait_until(self, done: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Plan until `done`; fails when that takes too long."""
        deadline = time.monotonic() + seconds
        plan.plan()
        while not done():
            assert time.monotonic() < deadline, f"the engine did not get there in time: {self.states()}"
            time.sleep(0.02)
            plan.plan()

    @contextlib.contextmanager
    def planning(self) -> Iterator["Engine"]:
        """A planner in a thread of its own, until the block ends."""
        stopping = threading.Event()
        planner = threading.Thread(target=_plan, args=[stopping])
        planner.start()
        try:
            yield self
        finally:
            stopping.set()
            planner.join(PATIENCE_SECONDS)

    def run_until(self, done: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Plan and deliver until `done`."""
        with self.running():
            self.wait_until(done, seconds)

    def run_until_settled(self, count: int | None = None) -> None:
        """Plan and deliver until so many messages exist (or all steps that are due) and none is under way."""
        self.run_until(lambda: self.is_settled(count))

    def is_settled(self, count: int | None = None) -> bool:
        """Whether no message is under way now: what is deferred, or has lost its slot, waits for something else."""
        states = self.states()
        under_way = {"planned", "claimed", "wire"} & set(states)
        wanted = Enrollment.everywhere.filter(next_due_at__lte=clock.utc_now()).exists() if count is None else False
        return not under_way and not wanted and (count is None or sum(states.values()) >= count)

    def crash(self) -> None:
        """What `reconcile` does once the lease of a killed loop ran out."""
        reconcile.reconcile()

    # -- What came of it

    def states(self) -> dict[str, int]:
        """How many messages are in each state."""
        counts: dict[str, int] = {}
        for state in Message.everywhere.values_list("state", flat=True):
            counts[state] = counts.get(state, 0) + 1
        return counts

    def delivered_to(self, local: str) -> list[Entry]:
        """What the server has taken for this contact."""
        return [entry for entry in self.smtp.log if entry["recipient"] == f"{local}@chaos.example"]

    def assert_lawful(self) -> None:
        """No law is broken on this database, and the server's log agrees with the ledger."""
        assert [f"{violation.law}: {violation.row}" for violation in audit(clock.utc_now())] == []
        taken = [entry["message_id"] for entry in self.smtp.log]
        assert len(taken) == len(set(taken)), "somebody got a message twice"
        ledger = dict(Message.everywhere.values_list("message_id", "state"))
        assert {one for one, state in ledger.items() if state == S.ACCEPTED} <= set(taken)
        assert {ledger[one] for one in taken} <= {S.ACCEPTED, S.UNKNOWN}


def _deliver(stopping: threading.Event) -> None:
    try:
        deliver.deliver("test loop", stopping.is_set)
    finally:
        connection.close()


def _plan(stopping: threading.Event) -> None:
    try:
        while not stopping.wait(0.005):
            plan.plan()
    finally:
        connection.close()


@pytest.fixture
def chaos() -> ChaosOptions:
    """What the chaos server is like; a module overrides it by a fixture of this name."""
    return ChaosOptions(keep_bodies=True)


@pytest.fixture
def engine(
    transactional_db: None,
    settings: Settings,
    certificates: Certificates,
    chaos: ChaosOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Engine]:
    """An engine whose only outside world is a chaos server on loopback."""
    settings.ALLOW_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.SMTP_CA_FILE = str(certificates.authority)
    with ChaosSmtp(certificates, options=chaos) as smtp:
        made = Engine(smtp, factories.make_account())
        real_now = clock.utc_now
        monkeypatch.setattr(clock, "utc_now", lambda: _ahead_of(real_now, made))
        monkeypatch.setattr(deliver, "IDLE_CLAIM_SECONDS", 0.05)
        yield made


def _ahead_of(real_now: Callable[[], datetime], engine: Engine) -> datetime:
    return real_now() + engine.ahead


def message_of(enrollment: Enrollment, position: int = 1) -> Message:
    """The message of an enrollment's step, as it is now."""
    found: Message = Message.everywhere.get(enrollment=enrollment, step_position=position)
    return found
