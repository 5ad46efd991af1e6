"""Reads of outreaches and campaigns, always within one account, and the figures made of their enrollments."""

import uuid
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet, Sum

from ampout.accounts.models import Account
from ampout.lib.errors import NotFound
from campaigns.models import Batch, Campaign, Enrollment, EnrollmentTally, Outreach, SkipCount
from campaigns.rules.enrollment_state import EnrollmentStatus, FactGroup, StopReason
from campaigns.rules.skips import SkipReason

MX_INVALID = "mx_invalid"
"""The contract's name, in `skipped`, of contacts whose domain takes no mail."""


def campaigns_of(account: Account | uuid.UUID) -> QuerySet[Campaign]:
    """The campaigns of an account that were not deleted."""
    return Campaign.objects.of(account).filter(deleted_at__isnull=True)


def find_campaign(account: Account, campaign_id: uuid.UUID) -> Campaign:
    """A campaign that was not deleted. Raises NotFound."""
    found: Campaign | None = campaigns_of(account).filter(pk=campaign_id).first()
    if found is None:
        raise NotFound("campaign_not_found")
    return found


def lock_campaign(account: Account, campaign_id: uuid.UUID) -> Campaign:
    """A campaign, locked until the transaction ends: nothing of it goes on the wire meanwhile. Raises NotFound."""
    found: Campaign | None = campaigns_of(account).select_for_update(no_key=True).filter(pk=campaign_id).first()
    if found is None:
        raise NotFound("campaign_not_found")
    return found


def find_outreach(account: Account, outreach_id: uuid.UUID) -> Outreach:
    """An outreach. Raises NotFound."""
    found: Outreach | None = Outreach.objects.of(account).filter(pk=outreach_id).first()
    if found is None:
        raise NotFound("outreach_not_found")
    return found


@dataclass(frozen=True, slots=True)
class EnrollmentGroup:
    """How many enrollments of a batch have the same status and the same facts."""

    campaign_id: uuid.UUID
    batch_number: int
    status: EnrollmentStatus
    mx_absent: bool
    facts: FactGroup


@dataclass(frozen=True, slots=True)
class BatchFigures:
    """One batch: when it was released, and its enrollments by status."""

    number: int
    released_at: datetime | None
    counts: dict[EnrollmentStatus, int]


_FACTS = ("sent", "opened", "replied", "bounced", "unsubscribed")


def enrollment_groups(campaign_ids: Collection[uuid.UUID]) -> list[EnrollmentGroup]:
    """How many enrollments of these campaigns there are by batch, status and facts, from their tallies. One query."""
    rows: Iterable[dict[str, Any]] = (
        EnrollmentTally.objects.filter(campaign__in=campaign_ids)
        .values("campaign_id", "batch_number", "status", "stop_reason", *(f"was_{fact}" for fact in _FACTS))
        .order_by()
        .annotate(number=Sum("count"))
        .exclude(number=0)
    )
    return [_group(row) for row in rows]


def _group(row: dict[str, Any]) -> EnrollmentGroup:
    return EnrollmentGroup(
        campaign_id=row["campaign_id"],
        batch_number=row["batch_number"],
        status=EnrollmentStatus(row["status"]),
        mx_absent=row["stop_reason"] == StopReason.MX_ABSENT,
        facts=FactGroup(count=row["number"], **{fact: row[f"was_{fact}"] for fact in _FACTS}),
    )


def count_by_status(groups: Iterable[EnrollmentGroup]) -> dict[EnrollmentStatus, int]:
    """How many enrollments have each status."""
    counts: Counter[EnrollmentStatus] = Counter()
    for group in groups:
        counts[group.status] += group.facts.count
    return dict(counts)


def batch_figures(campaign: Campaign, groups: Iterable[EnrollmentGroup]) -> list[BatchFigures]:
    """Every batch of a campaign by number, with its enrollments by status. One query."""
    by_batch: dict[int, list[EnrollmentGroup]] = {}
    for group in groups:
        by_batch.setdefault(group.batch_number, []).append(group)
    released = dict(Batch.objects.filter(campaign=campaign).values_list("number", "released_at"))
    return [
        BatchFigures(number, released.get(number), count_by_status(by_batch.get(number, [])))
        for number in sorted(released.keys() | by_batch.keys())
    ]


def skip_counts(campaign: Campaign, groups: Iterable[EnrollmentGroup]) -> dict[str, int]:
    """The contract's `skipped`: contacts that were left out, by reason, 0 where none. One query."""
    counted = dict(SkipCount.objects.filter(campaign=campaign).values_list("reason", "count"))
    mx_invalid = sum(group.facts.count for group in groups if group.mx_absent)
    return {MX_INVALID: mx_invalid} | {reason.value: counted.get(reason.value, 0) for reason in SkipReason}


def recent_bounces(campaign: Campaign, *, most: int = 20) -> list[Enrollment]:
    """The latest enrollments that bounced, with their contacts. One query."""
    bounced = Enrollment.everywhere.filter(campaign=campaign, status=EnrollmentStatus.BOUNCED.value)
    return list(bounced.select_related("contact").order_by("-bounced_at", "pk")[:most])
