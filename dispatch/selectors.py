"""What the planner reads. Every query's cost follows what is due and how many credentials there are, never how much is
enrolled: the partial indexes of Enrollment and Message are made for these.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from ampout.lib import sql
from campaigns.models import SequenceStep, Suppression
from credentials.models import SmtpCredential
from dispatch.rules.planning import LaneFacts

# ruff: noqa: S608  # the only thing put into a query is another constant of this module

_LANES = """
SELECT lane.credential_id, credential.daily_limit, COALESCE(usage.used, 0), lane.last_slot_at, lane.last_finished_at,
       lane.back_off_until,
       (SELECT count(*) FROM dispatch_message message
        WHERE message.credential_id = lane.credential_id AND message.state = 'planned' AND message.due_at IS NOT NULL)
FROM dispatch_lane lane
JOIN credentials_smtpcredential credential ON credential.id = lane.credential_id
JOIN accounts_account account ON account.id = credential.account_id
LEFT JOIN dispatch_dailyusage usage ON usage.credential_id = lane.credential_id AND usage.day = %(today)s
WHERE credential.disabled_at IS NULL AND credential.retired_at IS NULL AND account.suspended_at IS NULL
  AND lane.credential_id = ANY(%(credentials)s)
"""

_CAMPAIGNS = """
SELECT campaign.id, campaign.account_id, campaign.min_wait_seconds, campaign.max_wait_seconds,
       campaign.verify_email_mx, array_remove(array_agg(attachment.credential_id ORDER BY attachment.id), NULL)
FROM campaigns_campaign campaign
JOIN accounts_account account ON account.id = campaign.account_id
LEFT JOIN campaigns_campaigncredential attachment ON attachment.campaign_id = campaign.id
WHERE campaign.status = 'active' AND campaign.deleted_at IS NULL AND account.suspended_at IS NULL
GROUP BY campaign.id
"""

_ENROLLMENT_COLUMNS = """
enrollment.id AS enrollment_id, enrollment.campaign_id, enrollment.next_position AS position, enrollment.priority,
enrollment.batch_number, enrollment.enrolled_at, enrollment.account_id, contact.id AS contact_id, contact.email,
contact.domain, contact.address_digest, contact.domain_digest
"""

_LATER = f"""
SELECT {_ENROLLMENT_COLUMNS}, enrollment.smtp_credential_id AS sender_id,
       NULL::uuid AS message_id, NULL::uuid AS held_credential, NULL::date AS held_day, NULL::bigint AS seed
FROM unnest(%(campaigns)s::uuid[], %(credentials)s::uuid[], %(rooms)s::int[]) AS asked(campaign_id, credential_id, room)
CROSS JOIN LATERAL (
    SELECT * FROM campaigns_enrollment enrollment
    WHERE enrollment.campaign_id = asked.campaign_id AND enrollment.smtp_credential_id = asked.credential_id
      AND enrollment.next_position > 1 AND enrollment.next_due_at <= %(now)s
    ORDER BY enrollment.next_position DESC, enrollment.priority DESC, enrollment.batch_number, enrollment.enrolled_at,
             enrollment.id
    LIMIT asked.room
) enrollment
JOIN campaigns_contact contact ON contact.id = enrollment.contact_id
"""

_FIRST = f"""
SELECT {_ENROLLMENT_COLUMNS}, NULL::uuid AS sender_id,
       NULL::uuid AS message_id, NULL::uuid AS held_credential, NULL::date AS held_day, NULL::bigint AS seed
FROM unnest(%(campaigns)s::uuid[], %(rooms)s::int[]) AS asked(campaign_id, room)
CROSS JOIN LATERAL (
    SELECT * FROM campaigns_enrollment enrollment
    WHERE enrollment.campaign_id = asked.campaign_id AND enrollment.next_position = 1
      AND enrollment.next_due_at <= %(now)s
    ORDER BY enrollment.priority DESC, enrollment.batch_number, enrollment.enrolled_at, enrollment.id
    LIMIT asked.room
) enrollment
JOIN campaigns_contact contact ON contact.id = enrollment.contact_id
"""

# Later steps whose sender was retired in a campaign that lets the sender change.
_MOVED = f"""
SELECT {_ENROLLMENT_COLUMNS}, NULL::uuid AS sender_id,
       NULL::uuid AS message_id, NULL::uuid AS held_credential, NULL::date AS held_day, NULL::bigint AS seed
FROM unnest(%(campaigns)s::uuid[], %(rooms)s::int[]) AS asked(campaign_id, room)
CROSS JOIN LATERAL (
    SELECT * FROM campaigns_enrollment enrollment
    WHERE enrollment.campaign_id = asked.campaign_id AND enrollment.smtp_credential_id IS NULL
      AND enrollment.next_position > 1 AND enrollment.next_due_at <= %(now)s
    ORDER BY enrollment.next_due_at
    LIMIT asked.room
) enrollment
JOIN campaigns_contact contact ON contact.id = enrollment.contact_id
"""

# What lost its slot (a pause, a full day, a disabled sender) goes before new contacts. A later step is asked for only
# where its sender is usable or free to change, so that those of a disabled one never fill the page.
_UNPLANNED = f"""
SELECT {_ENROLLMENT_COLUMNS},
       CASE WHEN message.step_position > 1 THEN enrollment.smtp_credential_id
            WHEN message.first_attempt_at IS NOT NULL THEN message.credential_id END AS sender_id,
       message.id AS message_id, message.credential_id AS held_credential, message.usage_day AS held_day,
       message.gap_seed AS seed
FROM dispatch_message message
JOIN campaigns_enrollment enrollment ON enrollment.id = message.enrollment_id
JOIN campaigns_contact contact ON contact.id = enrollment.contact_id
WHERE message.campaign_id = ANY(%(campaigns)s) AND message.state = 'planned' AND message.due_at IS NULL
  AND enrollment.stopped_at IS NULL
  AND (message.step_position = 1 OR enrollment.smtp_credential_id = ANY(%(credentials)s)
       OR enrollment.smtp_credential_id IS NULL)
ORDER BY message.step_position DESC, enrollment.priority DESC, enrollment.batch_number, enrollment.enrolled_at,
         enrollment.id
LIMIT %(room)s
"""


_CLIENT_KINDS = """
SELECT batch.campaign_id, batch.number, batch.client_kind
FROM unnest(%(campaigns)s::uuid[], %(numbers)s::int[]) AS asked(campaign_id, number)
JOIN campaigns_batch batch ON batch.campaign_id = asked.campaign_id AND batch.number = asked.number
"""


@dataclass(frozen=True, slots=True)
class ActiveCampaign:
    """A campaign the planner works for."""

    campaign_id: uuid.UUID
    account_id: uuid.UUID
    min_wait_seconds: int
    max_wait_seconds: int
    verify_email_mx: bool
    credential_ids: list[uuid.UUID]


@dataclass(frozen=True, slots=True)
class DueStep:
    """A due step as read; `message_id` is set when it has a row that lost its slot."""

    enrollment_id: uuid.UUID
    campaign_id: uuid.UUID
    position: int
    priority: int
    batch_number: int
    enrolled_at: datetime
    account_id: uuid.UUID
    contact_id: uuid.UUID
    email: str
    domain: str
    address_digest: bytes
    domain_digest: bytes
    sender_id: uuid.UUID | None
    message_id: uuid.UUID | None
    held_credential: uuid.UUID | None
    held_day: date | None
    seed: int | None


def active_campaigns() -> list[ActiveCampaign]:
    """Every active campaign of an account that is not suspended."""
    return [ActiveCampaign(*row) for row in sql.fetch(_CAMPAIGNS)]


def usable_lanes(credential_ids: Sequence[uuid.UUID], today: date) -> list[LaneFacts]:
    """The lanes of these credentials that are enabled, with today's use."""
    return [LaneFacts(*row) for row in sql.fetch(_LANES, {"credentials": list(credential_ids), "today": today})]


def later_steps_due(asked: Sequence[tuple[uuid.UUID, uuid.UUID, int]], now: datetime) -> list[DueStep]:
    """Due later steps; `asked` names (campaign, credential, how many at most)."""
    facts = {
        "campaigns": [row[0] for row in asked],
        "credentials": [row[1] for row in asked],
        "rooms": [row[2] for row in asked],
        "now": now,
    }
    return [DueStep(*row) for row in sql.fetch(_LATER, facts)]


def first_steps_due(asked: Sequence[tuple[uuid.UUID, int]], now: datetime) -> list[DueStep]:
    """Due first steps, in the order of planning; `asked` names (campaign, how many at most)."""
    facts = {"campaigns": [row[0] for row in asked], "rooms": [row[1] for row in asked], "now": now}
    return [DueStep(*row) for row in sql.fetch(_FIRST, facts)]


def moved_steps_due(asked: Sequence[tuple[uuid.UUID, int]], now: datetime) -> list[DueStep]:
    """Due later steps that may be sent by another credential than step 1."""
    facts = {"campaigns": [row[0] for row in asked], "rooms": [row[1] for row in asked], "now": now}
    return [DueStep(*row) for row in sql.fetch(_MOVED, facts)]


def steps_without_slot(
    campaign_ids: Sequence[uuid.UUID], credential_ids: Sequence[uuid.UUID], room: int
) -> list[DueStep]:
    """Planned messages that lost their slot, at most `room`."""
    facts = {"campaigns": list(campaign_ids), "credentials": list(credential_ids), "room": room}
    return [DueStep(*row) for row in sql.fetch(_UNPLANNED, facts)]


def steps_of(campaign_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, set[int]]:
    """The positions of these campaigns' steps."""
    positions: dict[uuid.UUID, set[int]] = {campaign_id: set() for campaign_id in campaign_ids}
    for campaign_id, position in SequenceStep.objects.filter(campaign__in=campaign_ids).values_list(
        "campaign_id", "position"
    ):
        positions[campaign_id].add(position)
    return positions


def suppressed_among(due: Sequence[DueStep]) -> set[uuid.UUID]:
    """The enrollments of these steps whose address or domain is suppressed in their account."""
    digests = {bytes(digest) for step in due for digest in (step.address_digest, step.domain_digest)}
    rows = Suppression.everywhere.filter(digest__in=digests).exclude(scope="").values_list("account_id", "digest")
    listed = {(account_id, bytes(digest)) for account_id, digest in rows}
    return {
        step.enrollment_id
        for step in due
        if {(step.account_id, bytes(step.address_digest)), (step.account_id, bytes(step.domain_digest))} & listed
    }


def client_kinds(batches: Collection[tuple[uuid.UUID, int]]) -> dict[tuple[uuid.UUID, int], str]:
    """The kind of the key that released each of these batches, given as (campaign, number)."""
    facts = {"campaigns": [batch[0] for batch in batches], "numbers": [batch[1] for batch in batches]}
    return {(campaign_id, number): kind for campaign_id, number, kind in sql.fetch(_CLIENT_KINDS, facts)}


def sender_domains(credential_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """The domain of each credential's `from_email`: the right side of its Message-IDs."""
    rows = SmtpCredential.everywhere.filter(pk__in=credential_ids).values_list("pk", "from_email")
    return {pk: from_email.rpartition("@")[2] for pk, from_email in rows}
