"""Whatever happens in whatever order, no law is broken: a machine of random steps against real PostgreSQL.

Owners release, enroll, pause, unsubscribe and change limits; loops claim, send, fail, crash; days pass. After every
step, `audit` must find nothing, and no credential may have attempted more new contacts on a day than its limit allowed.
"""

from collections import defaultdict
from datetime import date
from random import Random
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from campaigns.models import Campaign, Enrollment
from campaigns.services.enrolment import enroll_contact
from credentials.models import SmtpCredential
from dispatch.models import DeliveryWorker, Message
from dispatch.services import evidence, hand_back, lifecycle, plan, reconcile, senders, stops
from dispatch.services.claim import Claim
from dispatch.services.evidence import Resolution
from tests import factories
from tests.services.desk import Desk, S, message_of

LIMITS = st.integers(0, 4)


class SendingMachine(RuleBasedStateMachine):
    """Two campaigns that share one of three credentials."""

    def __init__(self) -> None:
        super().__init__()
        # One transaction for each run of the machine, rolled back at its end: cheaper than emptying all tables.
        self.whole_run = transaction.atomic()
        self.whole_run.__enter__()
        self.desk = Desk()
        self.claims: list[Claim] = []
        self.highest: dict[tuple[UUID, date], int] = defaultdict(int)
        self.tried: dict[tuple[UUID, date], set[UUID]] = defaultdict(set)

    @initialize(limits=st.tuples(LIMITS, LIMITS, LIMITS), steps=st.integers(1, 2), may_change=st.booleans())
    def make_campaigns(self, limits: tuple[int, int, int], steps: int, may_change: bool) -> None:
        first, shared, second = (self.desk.credential(daily_limit=limit) for limit in limits)
        facts: dict[str, Any] = {"steps": steps, "min_wait_seconds": 0, "max_wait_seconds": 30}
        self.campaigns = [
            self.desk.campaign(credentials=[first, shared], sender_may_change=may_change, **facts),
            self.desk.campaign(credentials=[shared, second], sender_may_change=may_change, **facts),
        ]
        self.credentials = [first, shared, second]
        self.remember_limits()
        for campaign in self.campaigns:
            self.desk.enroll(campaign, 2)
            self.desk.release(campaign)

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.whole_run.__exit__(None, None, None)

    # -- What is looked at

    def remember_limits(self) -> None:
        for pk, limit in SmtpCredential.everywhere.filter(account=self.desk.account).values_list("pk", "daily_limit"):
            key = (pk, self.desk.now.date())
            self.highest[key] = max(self.highest[key], limit)

    def campaign(self, number: int) -> Campaign:
        campaign: Campaign = Campaign.everywhere.get(pk=self.campaigns[number].pk)
        return campaign

    def begin(self, claimed: Claim) -> bool:
        """As the loop does; remembers which new contacts were tried through whom on which day."""
        if not self.desk.start(claimed):
            if self.desk.may_start(claimed):
                hand_back.lose_day(self.desk.worker_id, claimed.message_id)
            else:
                self.desk.hand_back(claimed)
            return False
        message = message_of(claimed)
        if message.step_position == 1:
            self.tried[claimed.credential_id, self.desk.now.date()].add(message.pk)
        return True

    # -- What owners do

    @rule(number=st.integers(0, 1), count=st.integers(1, 3))
    def enroll(self, number: int, count: int) -> None:
        """The batch was released before, so they are due at once, and a completed campaign goes on."""
        for _ in range(count):
            contact = factories.make_contact(self.desk.account)
            enroll_contact(self.desk.account, self.campaigns[number].pk, contact.pk, now=self.desk.now)

    @rule(number=st.integers(0, 1))
    def pause_or_resume(self, number: int) -> None:
        campaign = self.campaign(number)
        if campaign.status == "active":
            lifecycle.pause_campaign(self.desk.account, campaign.pk, now=self.desk.now)
        elif campaign.status == "paused":
            lifecycle.resume_campaign(self.desk.account, campaign.pk, now=self.desk.now)

    @rule(random=st.randoms(use_true_random=False))
    def unsubscribe_somebody(self, random: Random) -> None:
        found = list(Enrollment.everywhere.filter(account=self.desk.account).order_by("enrolled_at"))
        stops.unsubscribe_contact(random.choice(found).contact, now=self.desk.now)

    @rule(which=st.integers(0, 2), limit=LIMITS)
    def change_limit(self, which: int, limit: int) -> None:
        credential = SmtpCredential.everywhere.get(pk=self.credentials[which].pk)
        if credential.retired_at is None:
            senders.set_daily_limit(credential, limit, now=self.desk.now)
            self.remember_limits()

    @rule(which=st.integers(0, 2))
    def disable_or_reenable(self, which: int) -> None:
        credential = SmtpCredential.everywhere.get(pk=self.credentials[which].pk)
        if credential.retired_at is not None:
            return
        if credential.disabled_at is None:
            senders.disable_credential(credential.pk, "operator", now=self.desk.now)
        else:
            senders.reenable_credential(self.desk.account, credential.pk, now=self.desk.now)

    @rule(number=st.integers(0, 1), which=st.integers(0, 2))
    def detach(self, number: int, which: int) -> None:
        campaign, credential = self.campaign(number), self.credentials[which]
        if campaign.attachments.filter(credential=credential).exists() and campaign.attachments.count() > 1:
            senders.detach_credential(self.desk.account, campaign.pk, credential.pk, now=self.desk.now)

    @rule(choice=st.sampled_from(list(Resolution)))
    def resolve_an_unknown(self, choice: Resolution) -> None:
        unknown = Message.everywhere.filter(account=self.desk.account, state=S.UNKNOWN, enrollment__stopped_at=None)
        message = unknown.order_by("created_at").first()
        later = Message.everywhere.filter(enrollment=message and message.enrollment_id, step_position=2)
        if message is not None and not (message.step_position == 1 and later.exists()):
            evidence.resolve_unknown(message.pk, choice, actor="olga")

    # -- What programs do

    @rule()
    def tick(self) -> None:
        self.desk.tick()

    @rule()
    def claim(self) -> None:
        self.claims += self.desk.claim()

    @rule(count=st.integers(1, 4), state=st.sampled_from([S.ACCEPTED, S.ACCEPTED, S.REFUSED, S.UNKNOWN, S.DEFERRED]))
    def send(self, count: int, state: S) -> None:
        going, self.claims = self.claims[:count], self.claims[count:]
        for claimed in going:
            if not self.begin(claimed):
                continue
            if self.desk.wire(claimed):
                assert self.desk.settle(claimed, state)
            else:
                self.desk.hand_back(claimed, attempted=True)

    @rule()
    def fail_to_connect(self) -> None:
        if self.claims and self.begin(claimed := self.claims.pop(0)):
            self.desk.settle(claimed, S.DEFERRED, stage="connect")

    @rule()
    def shut_down(self) -> None:
        hand_back.release(self.desk.worker_id, [claimed.message_id for claimed in self.claims])
        self.claims = []

    @rule(wired=st.integers(0, 1))
    def crash(self, wired: int) -> None:
        """A killed loop: what it had on the wire is unknown, the rest is planned again."""
        for claimed in self.claims[:wired]:
            if self.begin(claimed):
                self.desk.wire(claimed)
        DeliveryWorker.objects.filter(pk=self.desk.worker_id).update(lease_until="2020-01-01T00:00:00Z")
        reconcile.reconcile()
        self.claims = []
        self.desk.worker_id = Desk(account=self.desk.account).worker_id

    @rule(minutes=st.sampled_from([1, 31, 300, 1_440, 4_400]))
    def wait(self, minutes: int) -> None:
        self.desk.wait(minutes=minutes)
        self.remember_limits()

    # -- What must hold

    @invariant()
    def no_law_is_broken(self) -> None:
        assert self.desk.violations() == []

    @invariant()
    def no_cap_was_overrun(self) -> None:
        for key, messages in self.tried.items():
            assert len(messages) <= self.highest[key], key


@pytest.mark.django_db
def test_no_order_of_events_breaks_a_law(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan.logger, "warning", lambda *_, **__: None)
    checked = settings(
        max_examples=12,
        stateful_step_count=35,
        # No shrinking: it takes minutes here. The steps of a failure are printed as they are.
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        print_blob=True,
    )
    run_state_machine_as_test(SendingMachine, settings=checked)
