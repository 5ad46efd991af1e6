"""What a campaign's contacts wait for, counted: in a fixed number of queries, whatever is enrolled.

Enrollments that cannot differ in their gates are counted as one class; one of each is asked gate by gate, as a single
enrollment is. Fresh first steps that are due are parted by today's units: those that fit wait for a slot, the others
for the daily limit.
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings

from ampout.accounts.installation import is_off
from ampout.accounts.models import Account
from ampout.lib import clock, sql
from ampout.lib.mx import MxStatus
from campaigns.models import Campaign
from campaigns.rules.campaign_state import CampaignStatus, PauseReason
from campaigns.rules.enrollment_state import WaitReason
from campaigns.selectors.campaigns import find_campaign
from dispatch.rules import caps
from dispatch.rules.gates import Explanation, explain_step
from dispatch.rules.message_state import MessageState
from dispatch.rules.mx import MxKnown, kept_for
from dispatch.rules.step_facts import StepFacts, facts_of
from dispatch.rules.world import OpenMessage, OpenSequence
from dispatch.services.pace import planners_dice, present_pace
from dispatch.world_reads import Asked, ReadWorld, read_world

_MOST_SILENCES = 12
"""From so many silences in a row on, a domain is asked in the same rhythm."""

# What is known of a domain counts as long as `kept`, a table of `rules.mx.kept_for`, says.
_CLASSES = """
WITH suppressed AS (
    SELECT contact.id FROM campaigns_suppression suppression
    JOIN campaigns_contact contact ON contact.account_id = suppression.account_id
     AND contact.address_digest = suppression.digest AND suppression.kind = 'address'
    WHERE suppression.account_id = %(account)s AND suppression.scope <> ''
    UNION
    SELECT contact.id FROM campaigns_suppression suppression
    JOIN campaigns_contact contact ON contact.account_id = suppression.account_id
     AND contact.domain_digest = suppression.digest AND suppression.kind = 'domain'
    WHERE suppression.account_id = %(account)s AND suppression.scope <> ''
), kept AS (
    SELECT * FROM unnest(%(statuses)s::text[], %(silences)s::int[], %(seconds)s::float[])
    AS kept(status, silences, seconds)
), domains AS (
    SELECT verdict.domain, verdict.status, kept.silences,
           verdict.checked_at + kept.seconds * interval '1 second' AS ends_at
    FROM dispatch_mxverdict verdict
    JOIN kept ON kept.status = verdict.status AND kept.silences = LEAST(verdict.silences, %(most_silences)s)
    WHERE %(checks)s AND verdict.checked_at <= %(now)s
      AND verdict.checked_at + kept.seconds * interval '1 second' > %(now)s
)
SELECT LEAST(enrollment.next_position, 2), EXISTS (SELECT 1 FROM campaigns_sequencestep step
           WHERE step.campaign_id = enrollment.campaign_id AND step.position = enrollment.next_position),
       enrollment.smtp_credential_id, enrollment.wait_reason,
       batch.released_at IS NOT NULL OR enrollment.next_position > 1 OR enrollment.next_due_at IS NOT NULL
           OR message.id IS NOT NULL,
       enrollment.next_due_at > %(now)s, suppressed.id IS NOT NULL,
       message.state, message.credential_id, message.due_at IS NOT NULL, message.first_attempt_at IS NOT NULL,
       message.usage_day, domains.status, domains.silences,
       count(*), min(enrollment.next_due_at), min(message.due_at), min(domains.ends_at)
FROM campaigns_enrollment enrollment
LEFT JOIN dispatch_message message
       ON message.enrollment_id = enrollment.id AND message.step_position = enrollment.next_position
      AND message.state IN ('planned', 'claimed', 'deferred', 'wire')
LEFT JOIN campaigns_batch batch
       ON batch.campaign_id = enrollment.campaign_id AND batch.number = enrollment.batch_number
LEFT JOIN suppressed ON suppressed.id = enrollment.contact_id
LEFT JOIN campaigns_contact contact ON %(checks)s AND contact.id = enrollment.contact_id
LEFT JOIN domains ON domains.domain = contact.domain
WHERE enrollment.campaign_id = %(campaign)s AND enrollment.stopped_at IS NULL AND enrollment.finished_at IS NULL
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
"""


NOBODY = uuid.UUID(int=0)
"""No enrollment's id: the world around the classes is wanted, not who is in it."""
_PLANNERS = frozenset({WaitReason.RELEASING, WaitReason.GAP, WaitReason.DAILY_CAP})
"""What fresh first steps wait for while nothing but the planner stands before them."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """So many wait for this; `opens_at` is when the first of them may go at the earliest."""

    reason: str
    count: int
    opens_at: datetime | None
    sentence: str


@dataclass(frozen=True, slots=True)
class CredentialGates:
    """A credential of the campaign: today's use of its limit, and why it would not send a new contact now, if so."""

    credential_id: uuid.UUID
    from_email: str
    daily_limit: int
    used_today: int
    reason: str
    opens_at: datetime | None
    sentence: str


@dataclass(frozen=True, slots=True)
class CampaignExplanation:
    """The campaign's waiting contacts by reason, the most frequent first, and its credentials."""

    campaign_id: uuid.UUID
    status: str
    now: datetime
    waiting: Sequence[Waiting]
    credentials: Sequence[CredentialGates]

    @property
    def total(self) -> int:
        """All that wait."""
        return sum(waiting.count for waiting in self.waiting)

    @property
    def sentence(self) -> str:
        """In one line: "412 waiting: 300 daily cap, 80 gap, 32 credential disabled"."""
        if not self.waiting:
            return "Nobody is waiting."
        parts = ", ".join(f"{waiting.count:,} {waiting.reason.replace('_', ' ')}" for waiting in self.waiting)
        return f"{self.total:,} waiting: {parts}"


@dataclass(frozen=True, slots=True)
class _Class:
    """Enrollments whose gates are the same: one of them, how many, and what its gates ask beside the world."""

    sequence: OpenSequence
    count: int
    known: dict[str, object]

    @property
    def is_fresh(self) -> bool:
        """Whether they are due first steps without a message."""
        one = self.sequence
        return one.position == 1 and one.message is None and one.due_at is not None and not one.suppressed


def explain_campaign(account: Account, campaign_id: uuid.UUID, *, now: datetime | None = None) -> CampaignExplanation:
    """What the open enrollments of a campaign wait for. Raises NotFound (campaign_not_found)."""
    now = now or clock.utc_now()
    with sql.snapshot():
        campaign = find_campaign(account, campaign_id)
        classes = list(_read_classes(account, campaign, now))
        asked = Asked(account, campaign_id, now, present_pace(), only=NOBODY, credentials=_named_in(classes))
        found = read_world(asked)
    counts: Counter[str] = Counter()
    soonest: dict[str, Explanation] = {}
    for facts, count in _parted(found, campaign, classes):
        explanation = explain_step(facts)
        counts[explanation.reason] += count
        known = soonest.setdefault(explanation.reason, explanation)
        if known.earliest_at and explanation.earliest_at and explanation.earliest_at < known.earliest_at:
            soonest[explanation.reason] = explanation
    waiting = [
        Waiting(reason, count, soonest[reason].earliest_at, soonest[reason].sentence)
        for reason, count in counts.most_common()
    ]
    return CampaignExplanation(campaign_id, campaign.status, now, waiting, list(_credentials(found, campaign)))


def _named_in(classes: Iterable[_Class]) -> frozenset[uuid.UUID]:
    """The credentials that the classes were sent or tried through."""
    named = {one.sequence.sender_id for one in classes}
    named |= {one.sequence.message.credential_id for one in classes if one.sequence.message is not None}
    return frozenset(key for key in named if key is not None)


def _parted(found: ReadWorld, campaign: Campaign, classes: Iterable[_Class]) -> Iterator[tuple[StepFacts, int]]:
    """The facts of each class, fresh first steps parted by who has a unit of today before them."""
    attached = next(one for one in found.world.campaigns if one.campaign_id == campaign.pk).credential_ids
    lanes = [lane for lane in found.world.lanes if lane.credential_id in found.world.usable & set(attached)]
    left = sum(caps.remaining(lane.limit, lane.used) for lane in lanes)
    room, ahead = left, 0
    for one in classes:
        known = {"gap_seconds": campaign.min_wait_seconds, "ahead": 0} | one.known
        facts = facts_of(found.world, one.sequence, found.senders, planners_dice(), **known)
        if not one.is_fresh or explain_step(facts).reason not in _PLANNERS:
            yield facts, one.count
            continue
        fits = min(one.count, room)
        at_once = min(fits, 1 - ahead)
        room, ahead = room - fits, ahead or at_once
        parts = ((0, at_once), (1, fits - at_once), (left, one.count - fits))
        yield from ((replace(facts, ahead=before), count) for before, count in parts if count)


def _credentials(found: ReadWorld, campaign: Campaign) -> Iterator[CredentialGates]:
    """Each credential that is attached, asked as if it had to send a new contact."""
    attached = next(one for one in found.world.campaigns if one.campaign_id == campaign.pk).credential_ids
    lanes = {lane.credential_id: lane for lane in found.world.lanes}
    for key in attached:
        facts = StepFacts(
            now=found.world.now,
            position=1,
            senders=(found.senders[key],),
            keeps_to=True,
            gap_seconds=campaign.min_wait_seconds,
        )
        told = explain_step(facts)
        is_free = told.reason == WaitReason.RELEASING
        yield CredentialGates(
            key,
            found.senders[key].name,
            lanes[key].limit,
            lanes[key].used,
            "" if is_free else told.reason,
            told.earliest_at,
            "It may send now." if is_free else told.sentence,
        )


def _read_classes(account: Account, campaign: Campaign, now: datetime) -> Iterator[_Class]:
    known = {
        "suspended": account.suspended_at is not None,
        "sending_off": is_off(),
        "status": CampaignStatus(campaign.status),
        "pause_reason": PauseReason(campaign.pause_reason) if campaign.pause_reason else None,
        "lacks_postal_address": settings.REQUIRE_POSTAL_ADDRESS and not account.postal_address.strip(),
    }
    kept = [(MxStatus.PRESENT, 0), (MxStatus.ABSENT, 0)]
    kept += [(MxStatus.SILENT, silences) for silences in range(1, _MOST_SILENCES + 1)]
    facts = {
        "account": account.pk,
        "campaign": campaign.pk,
        "now": now,
        "checks": campaign.verify_email_mx,
        "statuses": [status.value for status, _ in kept],
        "silences": [silences for _, silences in kept],
        "seconds": [kept_for(*one).total_seconds() for one in kept],
        "most_silences": _MOST_SILENCES,
    }
    for row in sql.fetch(_CLASSES, facts):
        yield _class_of(campaign, row, known, now)


def _class_of(campaign: Campaign, row: sql.Row, known: dict[str, object], now: datetime) -> _Class:
    position, has_step, sender_id, wait_reason, released, _, suppressed, state, credential_id = row[:9]
    has_slot, attempted, usage_day, status, silences, count, due_at, slot_at, ends_at = row[9:]
    message = None
    if state is not None:
        holds = usage_day if has_slot or attempted else None
        message = OpenMessage(
            uuid.UUID(int=1), MessageState(state), credential_id, slot_at if has_slot else None, 0, 0, holds, attempted
        )
    sequence = OpenSequence(
        uuid.UUID(int=1),
        campaign.pk,
        position=position,
        priority=0,
        batch_number=0,
        enrolled_at=now,
        due_at=due_at,
        sender_id=sender_id,
        suppressed=suppressed,
        opening=due_at is None and message is None,
        message=message,
    )
    mx = None
    if status is not None:
        mx = MxKnown(MxStatus(status), ends_at - kept_for(MxStatus(status), silences), silences)
    return _Class(
        sequence, count, known | {"has_step": has_step, "wait_reason": wait_reason, "released": released, "mx": mx}
    )
