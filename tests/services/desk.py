"""The engine driven by hand, step by step, at times that the test chooses: no sockets, no threads, no waiting."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ampout.accounts.models import Account
from campaigns.models import Campaign, Enrollment
from credentials.models import SmtpCredential
from dispatch.models import DailyUsage, Lane, Message
from dispatch.rules.message_state import MessageState
from dispatch.rules.smtp_reply import Blame
from dispatch.services import capacity, claim, hand_back, leases, lifecycle, plan, settle, wire
from dispatch.services.audit import audit
from dispatch.services.claim import Claim
from dispatch.services.plan import TickResult
from dispatch.services.settle import Outcome
from tests import factories
from tests.strategies import NOON

S = MessageState
PLENTY = 1_000


def _new_worker() -> uuid.UUID:
    worker_id = leases.start_worker(f"desk {uuid.uuid4()}")
    assert worker_id is not None
    return worker_id


@dataclass
class Desk:
    """One account, one deliver loop's lease, and the time. `wait` moves the time on."""

    account: Account = field(default_factory=factories.make_account)
    now: datetime = NOON
    worker_id: uuid.UUID = field(default_factory=_new_worker)

    def wait(self, **units: float) -> None:
        """Let time pass: `minutes=5`."""
        self.now += timedelta(**units)

    # -- What there is to send

    def campaign(
        self, *, credentials: int | Sequence[SmtpCredential] = 1, limit: int = PLENTY, steps: int = 1, **fields: Any
    ) -> Campaign:
        """A campaign without gaps, with so many fresh credentials of this daily limit, or those given."""
        if isinstance(credentials, int):
            credentials = [self.credential(daily_limit=limit) for _ in range(credentials)]
        fields = {"min_wait_seconds": 0, "max_wait_seconds": 0} | fields
        return factories.make_campaign(self.account, steps=steps, credentials=credentials, **fields)

    def credential(self, **fields: Any) -> SmtpCredential:
        """A mailbox with plenty of room."""
        return factories.make_credential(self.account, **({"daily_limit": PLENTY, "enabled_since": self.now} | fields))

    def enroll(self, campaign: Campaign, count: int = 1, **fields: Any) -> list[Enrollment]:
        """So many new contacts in the campaign."""
        enrolled = [factories.enroll(campaign, **fields) for _ in range(count)]
        assert {one.campaign_id for one in enrolled} == {campaign.pk}
        return enrolled

    def released(self, count: int = 1, **fields: Any) -> Campaign:
        """A campaign of so many contacts, dispatched."""
        campaign = self.campaign(**fields)
        self.enroll(campaign, count)
        self.release(campaign)
        return campaign

    def release(self, campaign: Campaign, batch_number: int | None = None) -> int:
        """Dispatch; how many were pending."""
        return lifecycle.release(self.account, campaign.pk, batch_number, now=self.now).released

    # -- What the programs do

    def tick(self) -> TickResult:
        """The planner."""
        return plan.plan(now=self.now)

    def claim(self) -> list[Claim]:
        """What is due, in the order of its slots, in this loop's hands."""
        held = Message.everywhere.filter(worker_id=self.worker_id, state=S.CLAIMED).values_list("pk", flat=True)
        claims = claim.claim_messages(self.worker_id, now=self.now, lanes=PLENTY, messages=PLENTY, held=list(held))
        return sorted(claims, key=lambda claimed: claimed.due_at)

    def wire(self, *claims: Claim) -> set[uuid.UUID]:
        """Ask for these bodies to go; the ids of those that may."""
        asked = [(claimed.message_id, claimed.fence) for claimed in claims]
        return wire.commit_wire(self.worker_id, asked, now=self.now)

    def may_start(self, claimed: Claim) -> bool:
        """Whether a claim is still wanted, as the loop asks before it uses a connection."""
        return bool(hand_back.may_start(self.worker_id, [(claimed.message_id, claimed.fence)]))

    def start(self, claimed: Claim) -> bool:
        """What the loop asks before each transaction: is it still wanted, and does it hold a unit of this day?"""
        if not self.may_start(claimed):
            return False
        held = message_of(claimed).usage_day
        if held is None or held == self.now.date():
            return True
        days = (held, self.now.date())
        return capacity.move_unit(self.worker_id, claimed.message_id, claimed.fence, claimed.credential_id, days)

    def hand_back(self, *claims: Claim, attempted: bool = False) -> int:
        """Give up claims that may not go."""
        ids = [claimed.message_id for claimed in claims]
        return hand_back.hand_back(self.worker_id, ids, now=self.now, attempted=attempted)

    def settle(self, claimed: Claim, state: MessageState = S.ACCEPTED, **facts: Any) -> bool:
        """Settle a claim that came to this; whether it moved."""
        return claimed.message_id in settle.settle(self.worker_id, [self.outcome(claimed, state, **facts)])

    def outcome(self, claimed: Claim, state: MessageState = S.ACCEPTED, **facts: Any) -> Outcome:
        """How a transaction of this moment ended."""
        defaults: dict[str, Any] = {"reason": state.value, "started_at": self.now, "ended_at": self.now, "stage": "dot"}
        if state is S.DEFERRED:
            defaults |= {"due_at": self.now + timedelta(minutes=30), "blame": Blame.SERVER}
        return Outcome(claimed.message_id, claimed.fence, claimed.credential_id, state, **(defaults | facts))

    def bounce(self, claimed: Claim, words: str = "550 5.1.1 No such user") -> bool:
        """Settle a claim whose address does not exist."""
        facts: dict[str, Any] = {"reason": "address_refused", "reply_text": words, "reply_code": 550}
        return self.settle(claimed, S.REFUSED, hard_bounce=True, suppress=True, blame=Blame.ADDRESS, **facts)

    def send(self, *claims: Claim, state: MessageState = S.ACCEPTED, **facts: Any) -> None:
        """`wire`, body, final reply: each of these claims goes this way."""
        assert all(self.start(claimed) for claimed in claims)
        assert self.wire(*claims) == {claimed.message_id for claimed in claims}
        for claimed in claims:
            assert self.settle(claimed, state, **facts)

    def send_due(self, state: MessageState = S.ACCEPTED, **facts: Any) -> list[Claim]:
        """Plan, claim and send whatever is due now."""
        self.tick()
        claims = self.claim()
        self.send(*claims, state=state, **facts)
        return claims

    # -- What came of it

    def used(self, credential: SmtpCredential) -> int:
        """The units of today's cap that are taken."""
        usage = DailyUsage.objects.filter(credential=credential, day=self.now.date()).first()
        return usage.used if usage else 0

    def lane(self, credential: SmtpCredential) -> Lane:
        """The credential's place in time."""
        return Lane.objects.get(pk=credential.pk)

    def violations(self) -> list[str]:
        """Every law that this database breaks."""
        return [f"{violation.law}: {violation.row}" for violation in audit(self.now)]


def message_of(subject: Enrollment | Claim, position: int = 1) -> Message:
    """The message of an enrollment's step, or of a claim, as it is now."""
    if isinstance(subject, Claim):
        return _get(pk=subject.message_id)
    return _get(enrollment=subject, step_position=position)


def _get(**which: Any) -> Message:
    found: Message = Message.everywhere.get(**which)
    return found


def fresh(enrollment: Enrollment) -> Enrollment:
    """The enrollment as it is now."""
    found: Enrollment = Enrollment.everywhere.get(pk=enrollment.pk)
    return found
