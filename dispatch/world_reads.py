"""What explanation and forecast read: a `World` of the campaigns that share credentials, in a fixed number of queries.

Call it in one snapshot (`sql.snapshot`): the parts of a world must be of one moment.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ampout.accounts.models import Account
from ampout.accounts.rules.months import month_of, months_after, start_of
from ampout.lib import sql
from ampout.lib.mx import MxStatus
from campaigns.rules.enrollment_state import WaitReason
from dispatch.models import MxVerdict
from dispatch.rules import timing
from dispatch.rules.message_state import MessageState
from dispatch.rules.mx import MxKnown
from dispatch.rules.planning import LaneFacts
from dispatch.rules.step_facts import Sender
from dispatch.rules.world import CampaignWorld, MonthlyRoom, OpenMessage, OpenSequence, Pace, Passer, World
from dispatch.usage import sends_in_month

_CAMPAIGNS = """
SELECT campaign.id, campaign.status, campaign.min_wait_seconds, campaign.max_wait_seconds, campaign.verify_email_mx,
       ARRAY(SELECT attachment.credential_id FROM campaigns_campaigncredential attachment
             WHERE attachment.campaign_id = campaign.id ORDER BY attachment.id),
       ARRAY(SELECT step.position FROM campaigns_sequencestep step
             WHERE step.campaign_id = campaign.id ORDER BY step.position),
       ARRAY(SELECT step.delay_minutes FROM campaigns_sequencestep step
             WHERE step.campaign_id = campaign.id ORDER BY step.position)
FROM campaigns_campaign campaign
WHERE campaign.account_id = %(account)s AND campaign.deleted_at IS NULL
  AND (campaign.status = 'active' OR campaign.id = %(campaign)s)
"""

# A message of the next step has not ended. A first step whose unit was never tried gives it back at the next tick.
_SEQUENCES = """
SELECT enrollment.id, enrollment.campaign_id, enrollment.next_position, enrollment.priority, enrollment.batch_number,
       enrollment.enrolled_at, enrollment.next_due_at, enrollment.smtp_credential_id,
       CASE WHEN enrollment.campaign_id = ANY(%(checked)s) THEN
            (SELECT contact.domain FROM campaigns_contact contact WHERE contact.id = enrollment.contact_id)
            ELSE '' END,
       message.id IS NULL AND enrollment.next_due_at IS NULL,
       message.id, message.state, message.credential_id, message.due_at, message.gap_seconds, message.gap_seed,
       CASE WHEN message.due_at IS NOT NULL OR message.first_attempt_at IS NOT NULL THEN message.usage_day END,
       message.first_attempt_at IS NOT NULL, message.wire_at
FROM campaigns_enrollment enrollment
LEFT JOIN dispatch_message message
       ON message.enrollment_id = enrollment.id AND message.step_position = enrollment.next_position
      AND message.state IN ('planned', 'claimed', 'deferred', 'wire')
LEFT JOIN campaigns_batch batch
       ON batch.campaign_id = enrollment.campaign_id AND batch.number = enrollment.batch_number
WHERE enrollment.campaign_id = ANY(%(campaigns)s) AND enrollment.stopped_at IS NULL AND enrollment.finished_at IS NULL
  AND (enrollment.id = %(only)s OR %(only)s::uuid IS NULL AND (
       message.id IS NOT NULL OR enrollment.next_due_at IS NOT NULL
       OR enrollment.next_position = 1 AND enrollment.status = 'pending'
          AND (batch.released_at IS NOT NULL OR enrollment.campaign_id = ANY(%(released)s))))
LIMIT %(most)s
"""
# Each half by the index of its digest.
_SUPPRESSED = """
SELECT enrollment.id FROM campaigns_suppression suppression
JOIN campaigns_contact contact ON contact.account_id = suppression.account_id
 AND contact.address_digest = suppression.digest AND suppression.kind = 'address'
JOIN campaigns_enrollment enrollment ON enrollment.contact_id = contact.id
WHERE suppression.account_id = %(account)s AND suppression.scope <> '' AND enrollment.campaign_id = ANY(%(campaigns)s)
  AND enrollment.stopped_at IS NULL AND enrollment.finished_at IS NULL
UNION ALL
SELECT enrollment.id FROM campaigns_suppression suppression
JOIN campaigns_contact contact ON contact.account_id = suppression.account_id
 AND contact.domain_digest = suppression.digest AND suppression.kind = 'domain'
JOIN campaigns_enrollment enrollment ON enrollment.contact_id = contact.id
WHERE suppression.account_id = %(account)s AND suppression.scope <> '' AND enrollment.campaign_id = ANY(%(campaigns)s)
  AND enrollment.stopped_at IS NULL AND enrollment.finished_at IS NULL
"""

# The slot and the units are those that the next tick leaves (`lanes.return_slots`, `capacity.return_units`).
_LANES = """
SELECT credential.id, credential.from_email, credential.daily_limit,
       credential.disabled_at IS NOT NULL, credential.retired_at IS NOT NULL,
       COALESCE((SELECT usage.used FROM dispatch_dailyusage usage
                 WHERE usage.credential_id = credential.id AND usage.day = %(today)s), 0)
       - (SELECT count(*) FROM dispatch_message message
          WHERE message.credential_id = credential.id AND message.usage_day = %(today)s AND message.due_at IS NULL
            AND message.first_attempt_at IS NULL AND message.state IN ('planned', 'cancelled')),
       lane.last_slot_at,
       (SELECT max(message.due_at) FROM dispatch_message message
        WHERE message.credential_id = credential.id AND message.stream = 'campaign'
          AND message.due_at IS NOT NULL AND message.state IN ('planned', 'claimed', 'wire')),
       lane.last_finished_at, lane.back_off_until,
       EXISTS (SELECT 1 FROM dispatch_healthdue due WHERE due.credential_id = credential.id)
FROM credentials_smtpcredential credential LEFT JOIN dispatch_lane lane ON lane.credential_id = credential.id
WHERE credential.id = ANY(%(credentials)s)
ORDER BY credential.id
"""
_PASSERS = """
SELECT message.id, message.credential_id, message.due_at, message.gap_seconds, message.stream, message.state
FROM dispatch_message message
WHERE message.credential_id = ANY(%(credentials)s) AND message.state IN ('planned', 'claimed', 'deferred')
  AND message.due_at IS NOT NULL
"""
_UNDER_WAY = """
SELECT count(*) FROM campaigns_campaign campaign JOIN dispatch_message message ON message.campaign_id = campaign.id
WHERE campaign.account_id = %(account)s AND message.state IN ('planned', 'claimed', 'wire', 'deferred')
  AND (message.state <> 'planned' OR message.due_at IS NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which world is wanted.

    `released`: the campaign is taken as if all its batches were dispatched now; it acts, whatever its status. `only`
    leaves out every other enrollment; `credentials` are wanted beside those of the campaigns. `most` bounds how many
    enrollments are read.
    """

    account: Account
    campaign_id: uuid.UUID
    now: datetime
    pace: Pace
    released: bool = False
    only: uuid.UUID | None = None
    credentials: frozenset[uuid.UUID] = frozenset()
    most: int = 1_000_000


@dataclass(frozen=True, slots=True)
class ReadWorld:
    """A world, and its credentials by id. `complete` is False where there was more than was to be read."""

    world: World
    senders: Mapping[uuid.UUID, Sender]
    complete: bool


def read_world(asked: Asked) -> ReadWorld:
    """The campaign with all active ones that it shares credentials with, directly or through others."""
    campaigns = _connected(asked)
    sequences = _read_sequences(asked, campaigns)
    senders, lanes = _read_lanes(asked, campaigns, sequences)
    world = World(
        now=asked.now,
        pace=asked.pace,
        campaigns=tuple(campaigns),
        sequences=tuple(sequences[: asked.most]),
        lanes=tuple(lanes),
        usable=frozenset(key for key, sender in senders.items() if sender.lane is not None),
        passers=tuple(_read_passers(lanes, sequences)),
        mx=_read_mx(sequences),
        month=_read_month(asked),
    )
    return ReadWorld(world, senders, complete=len(sequences) <= asked.most)


def _connected(asked: Asked) -> list[CampaignWorld]:
    rows = sql.fetch(_CAMPAIGNS, {"account": asked.account.pk, "campaign": asked.campaign_id})
    campaigns = {
        key: CampaignWorld(
            key, shortest, longest, tuple(credentials), dict(zip(positions, delays, strict=True)), checks
        )
        for key, _, shortest, longest, checks, credentials, positions, delays in rows
    }
    if asked.account.monthly_limit is not None:
        # What an account may send in a month is shared by all that it does.
        return list(campaigns.values())
    found, reached = {asked.campaign_id}, set(campaigns[asked.campaign_id].credential_ids)
    while more := {key for key, one in campaigns.items() if key not in found and reached & set(one.credential_ids)}:
        found |= more
        reached |= {credential for key in more for credential in campaigns[key].credential_ids}
    return [campaign for key, campaign in campaigns.items() if key in found]


def _read_sequences(asked: Asked, campaigns: Sequence[CampaignWorld]) -> list[OpenSequence]:
    ids = [campaign.campaign_id for campaign in campaigns]
    facts = {
        "account": asked.account.pk,
        "campaigns": ids,
        "checked": [campaign.campaign_id for campaign in campaigns if campaign.verify_email_mx],
        "released": [asked.campaign_id] if asked.released else [],
        "only": asked.only,
        "most": asked.most + 1,
    }
    suppressed = {row[0] for row in sql.fetch(_SUPPRESSED, facts)}
    return [
        OpenSequence(
            row[0],
            row[1],
            position=row[2],
            priority=row[3],
            batch_number=row[4],
            enrolled_at=row[5],
            due_at=row[6],
            sender_id=row[7],
            domain=row[8],
            suppressed=row[0] in suppressed,
            opening=row[9],
            message=None if row[10] is None else OpenMessage(row[10], MessageState(row[11]), *row[12:]),
        )
        for row in sql.fetch(_SEQUENCES, facts)
    ]


def _read_lanes(
    asked: Asked, campaigns: Iterable[CampaignWorld], sequences: Iterable[OpenSequence]
) -> tuple[dict[uuid.UUID, Sender], list[LaneFacts]]:
    wanted = {key for campaign in campaigns for key in campaign.credential_ids} | asked.credentials
    wanted |= {one.sender_id for one in sequences if one.sender_id is not None}
    wanted |= {one.message.credential_id for one in sequences if one.message is not None}
    facts = {"credentials": sorted(wanted), "today": timing.day_of(asked.now)}
    senders, lanes = {}, []
    for key, name, limit, disabled, retired, used, slot_at, latest, finished_at, back_off_until, due in sql.fetch(
        _LANES, facts
    ):
        is_unused = slot_at is not None and slot_at > asked.now and (latest is None or latest < slot_at)
        lane = LaneFacts(key, limit, used, latest if is_unused else slot_at, finished_at, back_off_until, 0)
        lanes.append(lane)
        trouble = WaitReason.CREDENTIAL_RETIRED if retired else WaitReason.CREDENTIAL_DISABLED if disabled else ""
        senders[key] = Sender(key, name, str(trouble), None if trouble else lane, health_due=due)
    return senders, lanes


def _read_passers(lanes: Iterable[LaneFacts], sequences: Iterable[OpenSequence]) -> Iterable[Passer]:
    """What takes its turn on the lanes and is not among the sequences: tests, and what may not start any more."""
    own = {one.message.message_id for one in sequences if one.message is not None}
    rows = sql.fetch(_PASSERS, {"credentials": [lane.credential_id for lane in lanes]})
    for message_id, credential_id, due_at, gap_seconds, stream, state in rows:
        if message_id not in own:
            is_test = stream == "test"
            yield Passer(credential_id, due_at, gap_seconds, is_test, state == MessageState.PLANNED, is_test)


def _read_mx(sequences: Iterable[OpenSequence]) -> dict[str, MxKnown]:
    domains = {one.domain for one in sequences if one.domain}
    if not domains:
        return {}
    verdicts = MxVerdict.objects.filter(domain__in=domains, checked_at__isnull=False)
    return {
        domain: MxKnown(MxStatus(status), checked_at, silences)
        for domain, status, checked_at, silences in verdicts.values_list("domain", "status", "checked_at", "silences")
        if checked_at is not None
    }


def _read_month(asked: Asked) -> MonthlyRoom | None:
    """What the planner would count: all that was sent this month, and all that is under way."""
    limit = asked.account.monthly_limit
    if limit is None:
        return None
    month = month_of(asked.now)
    under_way = int(sql.fetch(_UNDER_WAY, {"account": asked.account.pk})[0][0])
    return MonthlyRoom(limit, sends_in_month(asked.account.pk, month) + under_way, start_of(months_after(month, 1)))
