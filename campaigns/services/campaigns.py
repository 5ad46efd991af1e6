"""Transactions on campaigns: one is created whole, with its steps and credentials, or not at all."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypedDict

from django.db import transaction

from ampout.accounts.models import Account
from ampout.lib import clock, sql
from ampout.lib.errors import ValidationFailed, problems_below
from campaigns.models import Campaign, CampaignCredential, SequenceStep
from campaigns.selectors.campaigns import find_outreach, lock_campaign
from campaigns.services.steps import StepValues, build_step, order_steps
from credentials.models import SmtpCredential
from credentials.services import Admission, CredentialEntry, admit_credential, admit_credentials

_FREE_THREADS = """
UPDATE campaigns_enrollment SET smtp_credential_id = NULL
WHERE id IN (
    SELECT enrollment.id FROM campaigns_enrollment enrollment
    WHERE enrollment.campaign_id = %(campaign)s AND enrollment.smtp_credential_id IS NOT NULL
      AND enrollment.stopped_at IS NULL AND enrollment.finished_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM campaigns_campaigncredential attachment
                      WHERE attachment.campaign_id = enrollment.campaign_id
                        AND attachment.credential_id = enrollment.smtp_credential_id)
    ORDER BY enrollment.id FOR NO KEY UPDATE
)
"""


class CampaignValues(TypedDict, total=False):
    """The fields of a campaign that a caller gave, checked one by one."""

    name: str
    outreach_id: uuid.UUID | None
    min_wait_seconds: int
    max_wait_seconds: int
    verify_email_mx: bool
    track_opens: bool
    track_clicks: bool
    sender_may_change: bool
    bounce_rate_threshold: Decimal
    bounce_rate_min_sends: int
    health_rule: str


@dataclass(frozen=True, slots=True)
class CreatedCampaign:
    """A new campaign. `admissions` tell of daily limits that dispatch has to change on credentials it shares."""

    campaign: Campaign
    admissions: list[Admission]


@transaction.atomic
def create_campaign(
    account: Account,
    values: CampaignValues,
    steps: Sequence[StepValues],
    credentials: Sequence[CredentialEntry],
    *,
    now: datetime | None = None,
) -> CreatedCampaign:
    """A pending campaign with everything it needs.

    Raises NotFound for an outreach or credential of another account, and ValidationFailed with paths such as
    `sequence_steps.1.subject`.
    """
    now = now or clock.utc_now()
    campaign = Campaign(account=account, created_at=now)
    _take_in(account, campaign, values, now)
    campaign.save(force_insert=True)
    _add_steps(campaign, steps, now)
    with problems_below("smtp_credentials"):
        admissions = admit_credentials(account, credentials, now=now)
    for admission in admissions:
        _attach(campaign, admission.credential, now)
    return CreatedCampaign(campaign, admissions)


def _add_steps(campaign: Campaign, steps: Sequence[StepValues], now: datetime) -> None:
    with problems_below("sequence_steps"):
        ordered = order_steps(steps)
    rows = []
    for position, (index, values) in enumerate(ordered, start=1):
        with problems_below(f"sequence_steps.{index}"):
            rows.append(build_step(campaign, position, values, now=now))
    SequenceStep.objects.bulk_create(rows)


@transaction.atomic
def update_campaign(
    account: Account, campaign_id: uuid.UUID, values: CampaignValues, *, now: datetime | None = None
) -> Campaign:
    """Change a campaign's own fields; gaps that were drawn stay as they are. Raises NotFound and ValidationFailed."""
    campaign = lock_campaign(account, campaign_id)
    changed = _take_in(account, campaign, values, now or clock.utc_now())
    campaign.save(update_fields=changed)
    if values.get("sender_may_change"):
        free_threads(campaign)
    return campaign


def free_threads(campaign: Campaign) -> int:
    """Let the open sequences go on through another credential whose own one was taken out of the campaign."""
    return sql.execute(_FREE_THREADS, {"campaign": campaign.pk})


def _take_in(account: Account, campaign: Campaign, values: CampaignValues, now: datetime) -> list[str]:
    """Set the fields given; returns the names of what changed."""
    for name, value in values.items():
        setattr(campaign, name, value)
    campaign.updated_at = now
    if campaign.min_wait_seconds > campaign.max_wait_seconds:
        blamed = "max_wait_seconds" if "max_wait_seconds" in values else "min_wait_seconds"
        sentence = (
            f"The shortest wait ({campaign.min_wait_seconds} s) must not be longer than the longest "
            f"({campaign.max_wait_seconds} s)."
        )
        raise ValidationFailed({blamed: [sentence]})
    outreach_id = values.get("outreach_id")
    if outreach_id is not None:
        find_outreach(account, outreach_id)
    return [*values, "updated_at"]


@transaction.atomic
def attach_credential(
    account: Account, campaign_id: uuid.UUID, entry: CredentialEntry, *, now: datetime | None = None
) -> Admission:
    """Let a campaign send through a credential: a known one, with the fields given, or a new one.

    Attaching it twice is the same as once. Raises NotFound and ValidationFailed.
    """
    now = now or clock.utc_now()
    campaign = lock_campaign(account, campaign_id)
    admission = admit_credential(account, entry, now=now)
    _attach(campaign, admission.credential, now)
    return admission


def _attach(campaign: Campaign, credential: SmtpCredential, now: datetime) -> None:
    CampaignCredential.objects.get_or_create(campaign=campaign, credential=credential, defaults={"attached_at": now})
