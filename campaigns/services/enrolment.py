"""Enrolment: contacts into a campaign, in bulk or one by one, and who is left out.

1. One enrolment at a time per campaign, and per outreach where contacts are unique (advisory locks).
2. The contacts are locked against deletion and unsubscription, then judged and inserted by one statement.
3. The campaign's row is locked last, for as short as possible, as nothing of it goes on the wire meanwhile.
"""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction

from ampout.accounts.models import Account
from ampout.lib import clock
from ampout.lib.addresses import ROLE_NAMES
from ampout.lib.errors import AmpoutError, NotFound, Unprocessable
from campaigns.models import Batch, Campaign, Contact, ContactImport, Enrollment
from campaigns.rules.campaign_state import CampaignStatus
from campaigns.rules.skips import SENTENCES, SkipReason
from campaigns.selectors.campaigns import find_campaign, lock_campaign
from campaigns.selectors.contacts import find_contact, find_contacts, raise_missing

CHUNK = 10_000
"""Contacts a statement."""
HIGHEST_PRIORITY = 100

_LOCK_CONTACTS = """
SELECT id FROM campaigns_contact WHERE id = ANY(%s) AND deleted_at IS NULL ORDER BY id FOR SHARE
"""
_ENROL = """
WITH judged AS MATERIALIZED (
    SELECT contact.id, contact.email, given.place, CASE
        WHEN EXISTS (
            SELECT 1 FROM campaigns_enrollment enrollment
            WHERE enrollment.campaign_id = %(campaign)s AND enrollment.contact_id = contact.id
        ) THEN 'already_enrolled'
        WHEN contact.unsubscribed_at IS NOT NULL OR address.reason = 'unsubscribed' OR domain.reason = 'unsubscribed'
            THEN 'unsubscribed'
        WHEN address.id IS NOT NULL OR domain.id IS NOT NULL THEN 'suppressed'
        WHEN NOT %(force)s AND split_part(split_part(contact.identity, '@', 1), '+', 1) = ANY(%(roles)s)
            THEN 'role_address'
        WHEN EXISTS (
            SELECT 1 FROM campaigns_enrollment enrollment
            JOIN campaigns_campaign sibling ON sibling.id = enrollment.campaign_id
            WHERE enrollment.contact_id = contact.id AND sibling.outreach_id = %(unique_outreach)s
              AND sibling.id <> %(campaign)s AND (sibling.deleted_at IS NULL OR enrollment.sent_at IS NOT NULL)
        ) THEN 'cross_campaign_duplicate'
        ELSE ''
    END AS reason
    FROM unnest(%(contacts)s::uuid[]) WITH ORDINALITY AS given(id, place)
    JOIN campaigns_contact contact ON contact.id = given.id
    LEFT JOIN campaigns_suppression address ON address.account_id = contact.account_id
        AND address.digest = contact.address_digest AND address.scope <> ''
    LEFT JOIN campaigns_suppression domain ON domain.account_id = contact.account_id
        AND domain.digest = contact.domain_digest AND domain.scope <> ''
    WHERE contact.account_id = %(account)s AND contact.deleted_at IS NULL
), inserted AS (
    INSERT INTO campaigns_enrollment (
        id, account_id, campaign_id, contact_id, status, batch_number, priority, next_position, next_due_at,
        wait_reason, enrolled_at, bounce_reason, stop_reason
    )
    SELECT gen_random_uuid(), %(account)s, %(campaign)s, judged.id, 'pending',
           %(batch)s + (%(before)s + row_number() OVER (ORDER BY judged.place) - 1) / %(size)s,
           %(priority)s, 1, %(due)s, '', %(now)s, '', ''
    FROM judged WHERE judged.reason = '' ORDER BY judged.place
    RETURNING id
)
SELECT NULL::uuid, count(*)::text, '' FROM inserted
UNION ALL
SELECT id, email, reason FROM judged WHERE reason <> ''
"""
_COUNT_SKIPS = """
INSERT INTO campaigns_skipcount (campaign_id, reason, count)
SELECT %s, reason, count FROM unnest(%s::text[], %s::int[]) AS skipped(reason, count)
ON CONFLICT (campaign_id, reason) DO UPDATE SET count = campaigns_skipcount.count + excluded.count
"""
_SHARE_CAMPAIGN = "SELECT 1 FROM campaigns_campaign WHERE id = %s AND deleted_at IS NULL FOR SHARE"
_SHARE_BATCH = "SELECT released_at FROM campaigns_batch WHERE campaign_id = %s AND number = %s FOR SHARE"


class ContactAlreadyEnrolled(AmpoutError):
    """A contact is enrolled in a campaign once."""

    code = "contact_already_enrolled"


@dataclass(frozen=True, slots=True)
class Skip:
    """A contact that was left out."""

    contact_id: uuid.UUID
    email: str
    reason: SkipReason


@dataclass(frozen=True, slots=True)
class EnrolmentResult:
    """`enrolled` contacts in the batches `batch_numbers`, at most `batch_size` each, and those left out."""

    enrolled: int
    batch_numbers: list[int]
    batch_size: int
    skipped: list[Skip]


@dataclass(slots=True)
class _Enrolment:
    """One enrolment under way: its facts, and what has come of it so far."""

    campaign: Campaign
    batch: int
    size: int
    force: bool
    now: datetime
    priority: int = 0
    due_at: datetime | None = None
    enrolled: int = 0
    skipped: list[Skip] = field(default_factory=list)

    def add(self, contact_ids: Sequence[uuid.UUID]) -> None:
        """Enroll these contacts, in their order, where nothing speaks against it."""
        facts = {
            "campaign": self.campaign.pk,
            "account": self.campaign.account_id,
            "unique_outreach": _unique_outreach_id(self.campaign),
            "contacts": list(contact_ids),
            "roles": sorted(ROLE_NAMES),
            "force": self.force,
            "batch": self.batch,
            "before": self.enrolled,
            "size": self.size,
            "priority": self.priority,
            "due": self.due_at,
            "now": self.now,
        }
        with connection.cursor() as cursor:
            cursor.execute(_LOCK_CONTACTS, [facts["contacts"]])
            cursor.execute(_ENROL, facts)
            for contact_id, text, reason in cursor.fetchall():
                if contact_id is None:
                    self.enrolled += int(text)
                else:
                    self.skipped.append(Skip(contact_id, text, SkipReason(reason)))


@transaction.atomic
def enroll_import(
    account: Account,
    campaign_id: uuid.UUID,
    contact_import_id: uuid.UUID,
    *,
    batch_size: int | None = None,
    force: bool = False,
    now: datetime | None = None,
) -> EnrolmentResult:
    """Enroll the contacts of an import in new batches of `batch_size`; in one batch when it is None.

    The batches are numbered after the highest there is, from 1. `force` lets role addresses in. Raises NotFound.
    """
    campaign = find_campaign(account, campaign_id)
    contact_import = ContactImport.objects.of(account).filter(pk=contact_import_id, deleted_at__isnull=True).first()
    if contact_import is None:
        raise NotFound("contact_import_not_found")
    _one_at_a_time(campaign)
    contact_ids = list(
        Contact.objects.of(account)
        .filter(contact_import=contact_import, deleted_at__isnull=True)
        .order_by("created_at", "pk")
        .values_list("pk", flat=True)
    )
    size = batch_size or max(1, len(contact_ids))
    enrolment = _Enrolment(campaign, _next_batch(campaign), size, force, now or clock.utc_now())
    for start in range(0, len(contact_ids), CHUNK):
        enrolment.add(contact_ids[start : start + CHUNK])
    numbers = _create_batches(enrolment)
    _count_skips(campaign, enrolment.skipped)
    _hold_campaign(campaign)
    return EnrolmentResult(enrolment.enrolled, numbers, batch_size or enrolment.enrolled, enrolment.skipped)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The enrollments that were made, in the order of their contacts, and who was left out."""

    enrollments: list[Enrollment]
    skipped: list[Skip]


@transaction.atomic
def enroll_contacts(
    account: Account,
    campaign_id: uuid.UUID,
    contact_ids: Sequence[uuid.UUID],
    *,
    batch_number: int = 0,
    priority: int = 0,
    force: bool = False,
    now: datetime | None = None,
) -> Enrolled:
    """Enroll these contacts, each once, in one batch; when that was released they are due at once.

    Raises NotFound, also when a single contact is missing: then none is enrolled.
    """
    now = now or clock.utc_now()
    _one_at_a_time(find_campaign(account, campaign_id))
    campaign = lock_campaign(account, campaign_id)
    find_contacts(account, contact_ids)
    due_at = now if _is_released(campaign, batch_number) else None
    enrolment = _Enrolment(campaign, batch_number, len(contact_ids), force, now, priority, due_at)
    wanted = list(dict.fromkeys(contact_ids))
    for start in range(0, len(wanted), CHUNK):
        enrolment.add(wanted[start : start + CHUNK])
    left_out = {skip.contact_id for skip in enrolment.skipped}
    of_contact = _enrollments_by_contact(campaign, [one for one in wanted if one not in left_out])
    # Somebody deletes them at this very moment.
    raise_missing(contact_ids, left_out | of_contact.keys())
    _count_skips(campaign, enrolment.skipped)
    if due_at is not None and of_contact:
        _go_on(campaign, now)
    return Enrolled(list(of_contact.values()), enrolment.skipped)


def _enrollments_by_contact(campaign: Campaign, contact_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Enrollment]:
    made = Enrollment.objects.of(campaign.account_id).filter(campaign=campaign, contact__in=contact_ids)
    by_contact = {enrollment.contact_id: enrollment for enrollment in made}
    return {contact_id: by_contact[contact_id] for contact_id in contact_ids if contact_id in by_contact}


@transaction.atomic
def enroll_contact(
    account: Account,
    campaign_id: uuid.UUID,
    contact_id: uuid.UUID,
    *,
    batch_number: int = 0,
    priority: int = 0,
    force: bool = False,
    now: datetime | None = None,
) -> Enrollment:
    """Enroll one contact in a batch; when that was released it is due at once, and a completed campaign goes on.

    Raises NotFound, ContactAlreadyEnrolled, and Unprocessable with the reason when the contact must be left out.
    """
    find_campaign(account, campaign_id)
    find_contact(account, contact_id)
    result = enroll_contacts(
        account, campaign_id, [contact_id], batch_number=batch_number, priority=priority, force=force, now=now
    )
    if result.skipped:
        raise _refusal(result.skipped[0])
    return result.enrollments[0]


def _refusal(skip: Skip) -> AmpoutError:
    sentence = SENTENCES[skip.reason]
    if skip.reason is SkipReason.ALREADY_ENROLLED:
        return ContactAlreadyEnrolled(sentence)
    refusal = Unprocessable(sentence)
    refusal.details = {"reason": skip.reason.value}
    return refusal


def _unique_outreach_id(campaign: Campaign) -> uuid.UUID | None:
    outreach = campaign.outreach
    return outreach.pk if outreach is not None and outreach.unique_contacts else None


def _one_at_a_time(campaign: Campaign) -> None:
    """Until the transaction ends, nobody else enrolls in this campaign, nor in its siblings with unique contacts."""
    unique_outreach_id = _unique_outreach_id(campaign)
    names = [f"enrolment:outreach:{unique_outreach_id}"] if unique_outreach_id else []
    with connection.cursor() as cursor:
        for name in [*names, f"enrolment:campaign:{campaign.pk}"]:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def _next_batch(campaign: Campaign) -> int:
    highest = Batch.objects.filter(campaign=campaign).order_by("-number").values_list("number", flat=True).first()
    return (highest or 0) + 1


def _create_batches(enrolment: _Enrolment) -> list[int]:
    count = -(-enrolment.enrolled // enrolment.size)
    numbers = list(range(enrolment.batch, enrolment.batch + count))
    Batch.objects.bulk_create([Batch(campaign=enrolment.campaign, number=number) for number in numbers])
    return numbers


def _count_skips(campaign: Campaign, skipped: Sequence[Skip]) -> None:
    counts = Counter(skip.reason.value for skip in skipped)
    if counts:
        with connection.cursor() as cursor:
            cursor.execute(_COUNT_SKIPS, [campaign.pk, list(counts), list(counts.values())])


def _hold_campaign(campaign: Campaign) -> None:
    """Nobody deletes the campaign before this enrolment is in. Raises NotFound when somebody just did."""
    with connection.cursor() as cursor:
        cursor.execute(_SHARE_CAMPAIGN, [campaign.pk])
        if cursor.fetchone() is None:
            raise NotFound("campaign_not_found")


def _is_released(campaign: Campaign, number: int) -> bool:
    """Whether the batch was released, and will not be before this enrolment is in; makes the batch where it is new."""
    Batch.objects.bulk_create([Batch(campaign=campaign, number=number)], ignore_conflicts=True)
    with connection.cursor() as cursor:
        cursor.execute(_SHARE_BATCH, [campaign.pk, number])
        row = cursor.fetchone()
    return row is not None and row[0] is not None


def _go_on(campaign: Campaign, now: datetime) -> None:
    Campaign.everywhere.filter(pk=campaign.pk, status=CampaignStatus.COMPLETED.value).update(
        status=CampaignStatus.ACTIVE.value, completed_at=None, updated_at=now
    )
