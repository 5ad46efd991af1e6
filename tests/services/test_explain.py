"""What is told of a step is what the real services then do, on a virtual clock."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from pytest_django.fixtures import Settings

from ampout.accounts.models import Account
from campaigns.models import Batch, Campaign, Enrollment
from credentials.models import SmtpCredential
from dispatch.models import MxVerdict
from dispatch.rules.simulation import Sent, Simulation
from dispatch.services import health, lifecycle, senders, stops
from dispatch.services.explain import EnrollmentExplanation, explain_enrollment
from dispatch.services.pace import planners_dice, present_pace
from dispatch.world_reads import Asked, read_world
from tests import factories
from tests.services.desk import Desk, S
from tests.services.execution import VirtualTime

SECOND = timedelta(seconds=1)
DOMAINS = ("present.example", "absent.example", "silent.example", "unasked.example")


def simulated(desk: Desk, until: datetime) -> tuple[list[Sent], list[datetime]]:
    """What is foretold of all campaigns of the account, and at which ticks."""
    sends: set[Sent] = set()
    ticks: set[datetime] = {desk.now}
    for campaign in Campaign.everywhere.filter(status="active"):
        world = read_world(Asked(desk.account, campaign.pk, desk.now, present_pace())).world
        simulation = Recorded(world, planners_dice())
        sends |= set(simulation.sends(until))
        ticks |= set(simulation.ticks)
    return in_order(sends), sorted(tick for tick in ticks if tick <= until)


class Recorded(Simulation):
    """Remembers when it ticked."""

    ticks: list[datetime]

    def sends(self, until: datetime) -> Iterator[Sent]:
        self.ticks = []
        return super().sends(until)

    def _tick(self, now: datetime) -> None:
        self.ticks.append(now)
        super()._tick(now)


def in_order(sends: set[Sent] | list[Sent]) -> list[Sent]:
    return sorted(sends, key=lambda sent: (sent.at, sent.enrollment_id))


# -- Random states


class Past:
    """Some random hours of an account: what came of them is the state that is explained."""

    def __init__(self, random: Random, desk: Desk) -> None:
        self.random, self.desk = random, desk
        self.credentials = [self.desk.credential(pk=self.id(), daily_limit=random.randint(1, 6)) for _ in range(3)]
        self.campaigns = [self.make_campaign(self.credentials[:2]), self.make_campaign(self.credentials[1:])]
        for domain, status in (("present", "present"), ("absent", "absent"), ("silent", "silent")):
            MxVerdict.objects.create(
                domain=f"{domain}.example", status=status, checked_at=desk.now, silences=int(status == "silent")
            )

    def id(self) -> uuid.UUID:
        """The same in each run of the test."""
        return uuid.UUID(int=self.random.getrandbits(128))

    def make_campaign(self, credentials: list[SmtpCredential]) -> Campaign:
        shortest = self.random.choice([0, 60, 600])
        campaign = self.desk.campaign(
            pk=self.id(),
            credentials=credentials,
            steps=0,
            min_wait_seconds=shortest,
            max_wait_seconds=shortest + self.random.choice([0, 300]),
            verify_email_mx=self.random.random() < 0.4,
        )
        for position in range(1, self.random.randint(2, 4)):
            factories.make_step(campaign, position, delay_minutes=self.random.choice([0, 5, 600]))
        self.enroll(campaign, self.random.randint(2, 6))
        self.desk.release(campaign, 0)
        return campaign

    def enroll(self, campaign: Campaign, count: int) -> None:
        for _ in range(count):
            contact = factories.make_contact(self.desk.account, f"p{self.id().hex}@{self.random.choice(DOMAINS)}")
            batch = self.random.choice([0, 0, 0, 1])
            released = Batch.objects.filter(campaign=campaign, number=batch, opened_at__isnull=False).exists()
            factories.enroll(
                campaign,
                contact,
                pk=self.id(),
                batch_number=batch,
                priority=self.random.choice([0, 0, 5]),
                enrolled_at=self.desk.now,
                next_due_at=self.desk.now if released else None,
            )

    def go_on(self) -> None:
        for _ in range(self.random.randint(0, 8)):
            self.random.choice(
                [self.send, self.send, self.send, self.pause, self.disable, self.enroll_more, self.unsubscribe]
            )()
            self.desk.wait(seconds=self.random.choice([1, 45, 400, 4_000, 30_000]))
        health.judge_due(now=self.desk.now)

    def send(self) -> None:
        self.desk.tick()
        for claimed in self.desk.claim():
            if self.random.random() < 0.15 or not self.desk.start(claimed) or not self.desk.wire(claimed):
                self.desk.hand_back(claimed)
                continue
            state = self.random.choice([S.ACCEPTED, S.ACCEPTED, S.ACCEPTED, S.REFUSED, S.UNKNOWN, S.DEFERRED])
            stage = self.random.choice(["dot", "dot", "connect"])
            self.desk.settle(claimed, state, stage=stage)
        if self.random.random() < 0.3:
            self.desk.claim()

    def pause(self) -> None:
        campaign = Campaign.everywhere.get(pk=self.random.choice(self.campaigns).pk)
        if campaign.status == "active":
            lifecycle.pause_campaign(self.desk.account, campaign.pk, now=self.desk.now)
            if self.random.random() < 0.8:
                lifecycle.resume_campaign(self.desk.account, campaign.pk, now=self.desk.now)

    def disable(self) -> None:
        credential = SmtpCredential.everywhere.get(pk=self.random.choice(self.credentials).pk)
        if credential.disabled_at is None:
            senders.disable_credential(credential.pk, "operator", now=self.desk.now)
        else:
            senders.reenable_credential(self.desk.account, credential.pk, now=self.desk.now)

    def enroll_more(self) -> None:
        self.enroll(self.random.choice(self.campaigns), 2)

    def unsubscribe(self) -> None:
        enrollments = list(Enrollment.everywhere.filter(account=self.desk.account).order_by("pk"))
        stops.unsubscribe_contact(self.random.choice(enrollments).contact, now=self.desk.now)


@pytest.fixture(autouse=True)
def coarse_ticks(settings: Settings) -> None:
    """A tick in ten minutes: days are over sooner."""
    settings.PLAN_EVERY_SECONDS = 600


def explained(desk: Desk) -> dict[tuple[uuid.UUID, int], EnrollmentExplanation]:
    return {
        (one.pk, one.next_position): explain_enrollment(desk.account, one.pk, now=desk.now)
        for one in Enrollment.everywhere.filter(account=desk.account)
    }


@pytest.mark.parametrize("seed", range(24))
def test_the_forecast_is_what_the_services_do(desk: Desk, seed: int) -> None:
    random = Random(seed)
    Past(random, desk).go_on()
    until = desk.now + timedelta(hours=26)
    told = explained(desk)
    foretold, ticks = simulated(desk, until)
    executed = in_order(VirtualTime(desk).run(ticks, until))
    assert executed == foretold
    left = {(sent.enrollment_id, sent.position): sent.at for sent in executed}
    for key, one in told.items():
        assert left.get(key) == (one.expected_at if one.expected_at and one.expected_at <= until else None)
        if key in left:
            assert one.explanation.earliest_at is not None
            assert one.explanation.earliest_at <= left[key]
    assert desk.violations() == []


def test_a_month_that_is_full_goes_on_with_the_next_one(desk: Desk) -> None:
    Account.objects.filter(pk=desk.account.pk).update(monthly_limit=3)
    desk.account.refresh_from_db()
    enrolled = desk.enroll(campaign := desk.campaign(steps=2), 2)
    desk.release(campaign)
    until = datetime(2026, 4, 2, tzinfo=UTC)
    foretold, ticks = simulated(desk, until)
    assert [(sent.position, sent.at.month) for sent in foretold] == [(1, 3), (1, 3), (2, 3), (2, 4)]
    soon = desk.now + timedelta(hours=1)
    executed = VirtualTime(desk).run([tick for tick in ticks if tick <= soon], soon)
    assert in_order(executed) == foretold[:3]
    late = next(one for one in enrolled if one.pk == foretold[3].enrollment_id)
    told = explain_enrollment(desk.account, late.pk, now=desk.now)
    assert (told.explanation.reason, told.expected_at) == ("monthly_limit", foretold[3].at)
    assert told.explanation.earliest_at == datetime(2026, 4, 1, tzinfo=UTC)
