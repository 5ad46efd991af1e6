"""Transactions on campaigns: one is created whole, with its steps and credentials, or not at all."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TypedDict

from django.db import transaction

from ampout.accounts.models import Account
from ampout.lib import clock
from ampout.lib.errors import ValidationFailed
from campaigns.models import Campaign, CampaignCredential, SequenceStep
from campaigns.selectors.campaigns import find_outreach, lock_campaign
from campaigns.services.steps import StepValues, build_step, order_steps
from credentials.services import Admission, CredentialValues, admit_credential, update_credential


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


@dataclass(frozen=True, slots=True)
class CredentialEntry:
    """A credential as a campaign names it: by `credential_id`, or by the values of its mailbox."""

    values: CredentialValues = field(repr=False)
    credential_id: uuid.UUID | None = None


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
    admissions = []
    for index, entry in enumerate(credentials):
        with problems_below(f"smtp_credentials.{index}"):
            admissions.append(attach_credential(account, campaign, entry, now=now))
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
    return campaign


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
    account: Account, campaign: Campaign, entry: CredentialEntry, *, now: datetime | None = None
) -> Admission:
    """Let a campaign send through a credential: a known one, with the fields given, or a new one.

    Attaching it twice is the same as once. Raises NotFound and ValidationFailed.
    """
    now = now or clock.utc_now()
    if entry.credential_id is None:
        admission = admit_credential(account, entry.values, now=now)
    else:
        admission = update_credential(account, entry.credential_id, entry.values, now=now)
    CampaignCredential.objects.get_or_create(
        campaign=campaign, credential=admission.credential, defaults={"attached_at": now}
    )
    return admission


@contextmanager
def problems_below(path: str) -> Iterator[None]:
    """Put `path` in front of the fields that a ValidationFailed names."""
    try:
        yield
    except ValidationFailed as error:
        raise ValidationFailed({f"{path}.{name}": problems for name, problems in error.details.items()}) from None
