"""Many at once: loops that wire and settle, owners that pause, disable, suppress and change limits. Nobody deadlocks.

Every operation takes its locks in one order (account, campaign, credential, lane, suppression, enrollment, message), so
PostgreSQL never has to kill one of them; and whatever the order in which they commit, no law is broken.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from random import Random

import pytest
from django.db import OperationalError, connection

from campaigns.models import Campaign, Contact
from credentials.models import SmtpCredential
from dispatch.services import hand_back, lifecycle, plan, reconcile, senders, stops
from dispatch.services.lifecycle import CampaignActionRefused
from tests import factories
from tests.services.desk import Desk, S

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 3.0


class Crowd:
    """Threads that repeat what they do until the time is over, and keep what went wrong."""

    def __init__(self) -> None:
        self.until = time.monotonic() + SECONDS
        self.failures: list[BaseException] = []
        self.rounds: dict[str, int] = {}
        self.threads: list[threading.Thread] = []

    def add(self, call: Callable[[Random], object], name: str) -> None:
        self.threads.append(threading.Thread(target=self._repeat, args=[call, name, len(self.threads)]))

    def _repeat(self, call: Callable[[Random], object], name: str, seed: int) -> None:
        rng, rounds = Random(seed), 0
        try:
            while time.monotonic() < self.until and not self.failures:
                call(rng)
                rounds += 1
        except BaseException as error:
            self.failures.append(error)
        finally:
            self.rounds[name] = rounds
            connection.close()

    def run(self) -> None:
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join(SECONDS + 20)
        assert [repr(error) for error in self.failures] == []
        assert not any(thread.is_alive() for thread in self.threads), "somebody waits for ever"
        assert all(self.rounds.values()), f"somebody never got through: {self.rounds}"


def deliver(desk: Desk) -> Callable[[Random], object]:
    """What a deliver loop does, without the conversation."""

    def call(rng: Random) -> None:
        claims = desk.claim()
        rng.shuffle(claims)
        going = [claimed for claimed in claims if desk.start(claimed)]
        granted = desk.wire(*going)
        for claimed in claims:
            if claimed.message_id not in granted:
                hand_back.lose_day(desk.worker_id, claimed.message_id)
            elif rng.random() < 0.1:
                desk.bounce(claimed)
            else:
                trouble = {"stage": "connect"} if rng.random() < 0.5 else {}
                desk.settle(claimed, rng.choice([S.ACCEPTED, S.UNKNOWN, S.DEFERRED]), **trouble)

    return call


def pause_and_resume(desk: Desk) -> Callable[[Random], object]:
    campaigns = list(Campaign.everywhere.all())

    def call(rng: Random) -> None:
        campaign = rng.choice(campaigns)
        with contextlib.suppress(CampaignActionRefused):
            lifecycle.pause_campaign(desk.account, campaign.pk)
            lifecycle.resume_campaign(desk.account, campaign.pk)

    return call


def disable_and_reenable(desk: Desk) -> Callable[[Random], object]:
    ids = list(SmtpCredential.everywhere.values_list("pk", flat=True))

    def call(rng: Random) -> None:
        pk = rng.choice(ids)
        senders.disable_credential(pk, "operator")
        senders.reenable_credential(desk.account, pk)
        senders.set_daily_limit(SmtpCredential.everywhere.get(pk=pk), rng.randint(0, 40))

    return call


def unsubscribe(desk: Desk) -> Callable[[Random], object]:
    contacts = list(Contact.everywhere.all())

    def call(rng: Random) -> None:
        stops.unsubscribe_contact(rng.choice(contacts))
        time.sleep(0.02)

    return call


def make_planned(desk: Desk) -> Callable[[Random], object]:
    def call(rng: Random) -> None:
        # A limit that was lowered under the planner's hands: the tick rolls back, and the next one sees the truth.
        with contextlib.suppress(plan.CapOverrun):
            plan.plan(now=desk.now)
        reconcile.reconcile()

    return call


def test_nobody_waits_for_each_other_and_no_law_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan.logger, "warning", lambda *_, **__: None)
    desk = Desk()
    shared = desk.credential()
    contacts = [factories.make_contact(desk.account) for _ in range(60)]
    for _ in range(3):
        campaign = desk.campaign(credentials=[shared, desk.credential()], steps=3)
        for contact in contacts:
            factories.enroll(campaign, contact)
        desk.release(campaign)
    other = Desk(account=desk.account, now=desk.now)
    crowd = Crowd()
    for number, make in enumerate([pause_and_resume, disable_and_reenable, unsubscribe, make_planned]):
        crowd.add(make(desk), f"{make.__name__} {number}")
    for loop in (desk, other):
        crowd.add(deliver(loop), f"deliver {loop.worker_id}")
    crowd.run()
    for loop in (desk, other):
        hand_back.release(loop.worker_id, [claimed.message_id for claimed in loop.claim()])
    desk.tick()
    assert desk.violations() == []


def test_a_deadlock_would_be_seen() -> None:
    """The crowd keeps what any of its threads raised."""
    crowd = Crowd()
    crowd.until = time.monotonic() + 1

    def fail(rng: Random) -> None:
        raise OperationalError("deadlock detected")

    crowd.add(fail, "somebody")
    with pytest.raises(AssertionError, match="deadlock detected"):
        crowd.run()
