"""A campaign's whole way in one process: the planner, a deliver loop, and a chaos server that remembers."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from ampout.accounts.models import Account
from ampout.lib import clock
from campaigns.models import Campaign, Enrollment
from credentials.models import SmtpCredential
from dispatch.services import deliver, lifecycle, plan
from dispatch.services.audit import audit
from tests import factories
from tests.peers.certificates import Certificates, certificates
from tests.peers.chaos_smtp import ChaosSmtp

__all__ = ["certificates"]


@dataclass
class Engine:
    """Runs the engine until something holds."""

    smtp: ChaosSmtp
    account: Account

    def credential(self, **fields: object) -> SmtpCredential:
        """A mailbox at the chaos server."""
        defaults = {"smtp_host": "127.0.0.1", "smtp_port": self.smtp.port, "daily_limit": 1_000}
        return factories.make_credential(self.account, **(defaults | fields))

    def campaign(self, *, credentials: int = 2, steps: int = 1, **fields: object) -> Campaign:
        """A campaign without gaps."""
        return factories.make_campaign(
            self.account,
            steps=steps,
            credentials=[self.credential() for _ in range(credentials)],
            **({"min_wait_seconds": 0, "max_wait_seconds": 0} | fields),
        )

    def enroll(self, campaign: Campaign, *locals_: str) -> list[Enrollment]:
        """Contacts whose local part says how the chaos server treats them."""
        return [
            factories.enroll(campaign, factories.make_contact(self.account, f"{local}@chaos.example"))
            for local in locals_
        ]

    def release(self, campaign: Campaign) -> None:
        """Dispatch everything."""
        lifecycle.release(self.account, campaign.pk)

    def run_until(self, done: Callable[[], bool], seconds: float = 20) -> None:
        """Plan and deliver until `done`; fails when that takes too long."""
        stopping = threading.Event()
        worker = threading.Thread(target=_deliver, args=[stopping])
        worker.start()
        try:
            deadline = time.monotonic() + seconds
            while not done():
                assert time.monotonic() < deadline, "the engine did not get there in time"
                plan.plan()
                stopping.wait(0.05)
        finally:
            stopping.set()
            worker.join(30)
        assert not worker.is_alive()

    def assert_lawful(self) -> None:
        """No law is broken on this database."""
        assert [f"{violation.law}: {violation.row}" for violation in audit(clock.utc_now())] == []


def _deliver(stopping: threading.Event) -> None:
    try:
        deliver.deliver("test loop", stopping.is_set)
    finally:
        connection.close()


@pytest.fixture
def engine(transactional_db: None, settings: Settings, certificates: Certificates) -> Iterator[Engine]:
    """An engine whose only outside world is a chaos server on loopback."""
    settings.ALLOW_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.SMTP_CA_FILE = str(certificates.authority)
    with ChaosSmtp(certificates) as smtp:
        yield Engine(smtp, factories.make_account())
