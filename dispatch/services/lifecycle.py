"""What owners and operators do to campaigns: dispatch, pause, resume (design: Dispatch, Pause)."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from ampout.accounts.models import Account
from ampout.accounts.rules.keys import ClientKind
from ampout.events.kinds import EventKind
from ampout.events.services import Fact, record_events
from ampout.lib import clock
from ampout.lib.errors import AmpoutError, NotFound
from campaigns.models import Batch, Campaign, Enrollment
from campaigns.rules.campaign_state import (
    CampaignDecision,
    CampaignStatus,
    PauseReason,
    decide_dispatch,
    decide_pause,
    decide_resume,
)
from campaigns.rules.enrollment_state import EnrollmentStatus
from dispatch.models import Message
from dispatch.rules.message_state import MessageState
from dispatch.services.completion import open_batch
from dispatch.services.monthly_limit import check_release
from dispatch.services.reply_detection import reply_detection_warnings
from dispatch.services.restored_copy import sending_off_warnings


class CampaignActionRefused(AmpoutError):
    """The campaign's state does not allow the action; `code` says which of the contract's refusals it is."""

    def __init__(self, decision: CampaignDecision) -> None:
        super().__init__(decision.sentence)
        self.code = str(decision.refusal)


class PostalAddressMissing(AmpoutError):
    """The operator requires a postal address in every campaign message, and the account has none."""


@dataclass(frozen=True, slots=True)
class ReleaseResult:
    """What a dispatch released; `warnings` are `{"code", "message"}`."""

    campaign: Campaign
    released: int
    warnings: list[dict[str, str]] = field(default_factory=list)


def lock_campaign(account: Account, campaign_id: uuid.UUID) -> Campaign:
    """The account's campaign, locked until the transaction ends. Raises NotFound."""
    campaign: Campaign | None = (
        Campaign.objects.of(account)
        .select_for_update(no_key=True)
        .filter(pk=campaign_id, deleted_at__isnull=True)
        .first()
    )
    if campaign is None:
        raise NotFound("campaign_not_found")
    return campaign


@transaction.atomic
def release(
    account: Account,
    campaign_id: uuid.UUID,
    batch_number: int | None = None,
    *,
    client_kind: ClientKind = ClientKind.DIRECT,
    now: datetime | None = None,
) -> ReleaseResult:
    """Release one batch, or all when none is named; what is added to a released batch later goes too.

    What goes out by it is counted under `client_kind`. Raises NotFound, CampaignActionRefused (campaign_not_active,
    no_pending_enrollments), PostalAddressMissing, PlanLimitReached.
    """
    now = now or clock.utc_now()
    campaign = lock_campaign(account, campaign_id)
    warnings = sending_off_warnings() + _postal_address_warnings(account)
    warnings += reply_detection_warnings(
        campaign.credentials.filter(retired_at__isnull=True).order_by("created_at", "pk")
    )
    pending = Enrollment.objects.of(account).filter(
        campaign=campaign, status=EnrollmentStatus.PENDING.value, stopped_at__isnull=True, finished_at__isnull=True
    )
    if batch_number is not None:
        pending = pending.filter(batch_number=batch_number)
    released = pending.count()
    decision = decide_dispatch(CampaignStatus(campaign.status), released)
    if not decision.allowed:
        raise CampaignActionRefused(decision)
    warnings += check_release(account, released, now=now)
    _activate(campaign, now)
    for batch in _batches(campaign, batch_number, pending):
        held = Batch.objects.filter(pk=batch.pk, released_at__isnull=True)
        held.update(released_at=now, client_kind=client_kind.value)
        open_batch(batch, now)
    return ReleaseResult(campaign, released, warnings)


def _postal_address_warnings(account: Account) -> list[dict[str, str]]:
    if account.postal_address.strip():
        return []
    sentence = (
        "The account has no postal_address. Set it by PATCH /account: most countries require it in every message."
    )
    if settings.REQUIRE_POSTAL_ADDRESS:
        raise PostalAddressMissing(sentence)
    return [{"code": "postal_address_missing", "message": sentence}]


def _batches(campaign: Campaign, batch_number: int | None, pending: Any) -> list[Batch]:
    numbers = [batch_number] if batch_number is not None else pending.values_list("batch_number", flat=True).distinct()
    known = Batch.objects.filter(campaign=campaign).values_list("number", flat=True)
    wanted = {*numbers} if batch_number is not None else {*numbers, *known}
    Batch.objects.bulk_create([Batch(campaign=campaign, number=number) for number in wanted], ignore_conflicts=True)
    return list(Batch.objects.filter(campaign=campaign, number__in=wanted).order_by("number"))


def _activate(campaign: Campaign, now: datetime) -> None:
    campaign.status = CampaignStatus.ACTIVE.value
    campaign.started_at = campaign.started_at or now
    campaign.completed_at = None
    campaign.updated_at = now
    campaign.save(update_fields=["status", "started_at", "completed_at", "updated_at"])


@transaction.atomic
def pause_campaign(
    account: Account,
    campaign_id: uuid.UUID,
    *,
    reason: PauseReason = PauseReason.MANUAL,
    now: datetime | None = None,
) -> Campaign:
    """Pause: once this commits, no `wire` of the campaign does. Raises NotFound, CampaignActionRefused."""
    campaign = lock_campaign(account, campaign_id)
    decision = decide_pause(CampaignStatus(campaign.status))
    if not decision.allowed:
        raise CampaignActionRefused(decision)
    pause_locked(campaign, reason, now=now or clock.utc_now())
    return campaign


def pause_locked(
    campaign: Campaign,
    reason: PauseReason,
    *,
    now: datetime,
    credential_ids: tuple[uuid.UUID, ...] = (),
    is_overdue: bool = False,
) -> None:
    """Pause a campaign whose row is locked; its unstarted messages give back unit and slot, and it is told once.

    `is_overdue` tells the event's readers that nobody did it: the campaign waits to be confirmed.
    """
    campaign.status, campaign.pause_reason = CampaignStatus.PAUSED.value, reason.value
    campaign.paused_at = campaign.updated_at = now
    campaign.save(update_fields=["status", "pause_reason", "paused_at", "updated_at"])
    take_slots_back(Message.everywhere.filter(campaign=campaign, stream="campaign"), "paused")
    data: dict[str, Any] = {
        "campaign_id": str(campaign.pk),
        "reason": reason.value,
        "credential_ids": [str(credential_id) for credential_id in credential_ids],
    }
    if is_overdue:
        data["overdue"] = True
    name = f"{EventKind.CAMPAIGN_PAUSED}:{campaign.pk}:{now.isoformat()}"
    record_events([Fact(campaign.account_id, EventKind.CAMPAIGN_PAUSED, name, data)], now=now)


def take_slots_back(messages: Any, reason: str) -> int:
    """Planned messages go back to the planner. A deferred one keeps its retry time: it is no slot, and no burst.

    They are locked in the order of their ids, as whoever cancels messages does.
    """
    planned = messages.filter(state=MessageState.PLANNED.value, due_at__isnull=False)
    ids = list(planned.select_for_update().order_by("pk").values_list("pk", flat=True))
    return int(Message.everywhere.filter(pk__in=ids).update(due_at=None, reason=reason))


@transaction.atomic
def resume_campaign(
    account: Account, campaign_id: uuid.UUID, *, by_operator: bool = False, now: datetime | None = None
) -> Campaign:
    """Resume: what was held back is planned afresh with fresh gaps. Raises NotFound, CampaignActionRefused."""
    campaign = lock_campaign(account, campaign_id)
    reason = PauseReason(campaign.pause_reason) if campaign.pause_reason else None
    decision = decide_resume(CampaignStatus(campaign.status), reason, by_operator=by_operator)
    if not decision.allowed:
        raise CampaignActionRefused(decision)
    resume_locked(campaign, now=now or clock.utc_now())
    return campaign


def resume_locked(campaign: Campaign, *, now: datetime) -> None:
    """Resume a campaign whose row is locked; one that its health had paused is judged by what it sends from now on."""
    if campaign.pause_reason == PauseReason.HEALTH:
        campaign.health_since = now
    campaign.status, campaign.pause_reason = CampaignStatus.ACTIVE.value, ""
    campaign.paused_at, campaign.updated_at = None, now
    campaign.save(update_fields=["status", "pause_reason", "paused_at", "health_since", "updated_at"])
