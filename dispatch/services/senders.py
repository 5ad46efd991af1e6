"""What happens to delivery when a credential is disabled, re-enabled, let go or given another limit.

Locks are taken in the order campaigns by id, credential, lane, messages.
"""

import uuid
from datetime import datetime

from django.db import transaction

from ampout.accounts.models import Account
from ampout.events.kinds import EventKind
from ampout.events.services import Fact, record_events
from ampout.lib import clock
from ampout.lib.errors import NotFound
from campaigns.models import Campaign, CampaignCredential
from campaigns.rules.campaign_state import (
    CampaignStatus,
    PauseReason,
    pauses_without_credentials,
    resumes_on_reenable,
)
from campaigns.services.campaigns import free_threads
from credentials.models import SmtpCredential
from credentials.rules.credential_state import decide_reenable, status_of
from dispatch.models import DailyUsage, Lane, Message
from dispatch.rules import timing
from dispatch.rules.caps import release_count
from dispatch.rules.message_state import MessageState
from dispatch.rules.smtp_reply import VerdictReason
from dispatch.services import stops
from dispatch.services.lanes import lock_lane
from dispatch.services.lifecycle import lock_campaign, pause_locked, resume_locked, take_slots_back

OWN_PROBLEMS = (
    VerdictReason.LOGIN_REFUSED.value,
    VerdictReason.SENDER_REFUSED.value,
    VerdictReason.NO_LOGIN_METHOD.value,
    VerdictReason.SERVER_REFUSED.value,
    VerdictReason.CONNECTION_REFUSED.value,
    VerdictReason.TARGET_REFUSED.value,
    VerdictReason.TLS_FAILED.value,
    VerdictReason.UNRESOLVED.value,
)
"""Why a message was deferred by the fault of its login, not of its recipient."""


def lock_campaigns_of(credential_id: uuid.UUID) -> list[Campaign]:
    """The campaigns that send through a credential, locked in the order of their ids."""
    return list(
        Campaign.everywhere.select_for_update(no_key=True, of=("self",))
        .filter(attachments__credential_id=credential_id, deleted_at__isnull=True)
        .order_by("pk")
    )


def _lock_credential(credential_id: uuid.UUID, account: Account | None = None) -> SmtpCredential:
    rows = SmtpCredential.everywhere if account is None else SmtpCredential.objects.of(account)
    found: SmtpCredential | None = (
        rows.select_for_update(no_key=True).filter(pk=credential_id, retired_at__isnull=True).first()
    )
    if found is None:
        raise NotFound("smtp_credential_not_found")
    return found


@transaction.atomic
def disable_credential(
    credential_id: uuid.UUID,
    reason: str,
    *,
    now: datetime | None = None,
    bounce_rate: float | None = None,
    threshold: float | None = None,
) -> bool:
    """Take a credential out of rotation; campaigns that are left without one pause. False when it was disabled.

    `bounce_rate` and `threshold`, in percent, are told where they are the reason. Raises NotFound.
    """
    now = now or clock.utc_now()
    campaigns = lock_campaigns_of(credential_id)
    credential = _lock_credential(credential_id)
    if credential.disabled_at is not None:
        return False
    credential.disabled_at, credential.disabled_reason, credential.updated_at = now, reason, now
    credential.save(update_fields=["disabled_at", "disabled_reason", "updated_at"])
    take_slots_back(Message.everywhere.filter(credential=credential, stream="campaign"), "credential_disabled")
    _tell_disabled(credential, campaigns, now, {"bounce_rate": bounce_rate, "threshold": threshold})
    _pause_those_without_credentials(campaigns, credential, now)
    return True


def _tell_disabled(
    credential: SmtpCredential, campaigns: list[Campaign], now: datetime, rates: dict[str, float | None]
) -> None:
    data = {
        "credential_id": str(credential.pk),
        "from_email": credential.from_email,
        "campaign_ids": [str(campaign.pk) for campaign in campaigns],
        **rates,
        "reason": credential.disabled_reason,
    }
    name = f"{EventKind.CREDENTIAL_DISABLED}:{credential.pk}:{now.isoformat()}"
    record_events([Fact(credential.account_id, EventKind.CREDENTIAL_DISABLED, name, data)], now=now)


def _pause_those_without_credentials(campaigns: list[Campaign], credential: SmtpCredential, now: datetime) -> None:
    for campaign in campaigns:
        enabled = CampaignCredential.objects.filter(
            campaign=campaign, credential__disabled_at__isnull=True, credential__retired_at__isnull=True
        ).count()
        if pauses_without_credentials(CampaignStatus(campaign.status), enabled):
            pause_locked(campaign, PauseReason.ALL_CREDENTIALS_DISABLED, now=now, credential_ids=(credential.pk,))


@transaction.atomic
def reenable_credential(account: Account, credential_id: uuid.UUID, *, now: datetime | None = None) -> SmtpCredential:
    """Put a credential back to work: a new period of health begins, its back-off ends, and campaigns resume that its
    loss alone had paused. Raises NotFound.
    """
    now = now or clock.utc_now()
    campaigns = lock_campaigns_of(credential_id)
    credential = _lock_credential(credential_id, account)
    if decide_reenable(status_of(credential.disabled_at, credential.retired_at)).moves:
        credential.disabled_at, credential.disabled_reason = None, ""
        credential.enabled_since = credential.updated_at = now
        credential.save(update_fields=["disabled_at", "disabled_reason", "enabled_since", "updated_at"])
    try_again(credential, now=now)
    for campaign in campaigns:
        reason = PauseReason(campaign.pause_reason) if campaign.pause_reason else None
        if resumes_on_reenable(CampaignStatus(campaign.status), reason):
            resume_locked(campaign, now=now)
    return credential


@transaction.atomic
def try_again(credential: SmtpCredential, *, now: datetime | None = None) -> int:
    """After its login was mended: end the back-off, forget the problem, and retry at once what waited because of it.

    Returns how many messages are due now.
    """
    now = now or clock.utc_now()
    SmtpCredential.everywhere.filter(pk=credential.pk).update(last_problem="", last_problem_at=None)
    credential.last_problem, credential.last_problem_at = "", None
    Lane.objects.filter(pk=credential.pk).update(failures=0, back_off_until=None, health_watched=False)
    waiting = Message.everywhere.filter(
        credential=credential, state=MessageState.DEFERRED.value, reason__in=OWN_PROBLEMS, due_at__gt=now
    )
    # In the order of their ids, as whoever cancels messages takes them.
    ids = list(waiting.select_for_update().order_by("pk").values_list("pk", flat=True))
    return Message.everywhere.filter(pk__in=ids).update(due_at=now)


@transaction.atomic
def set_daily_limit(credential: SmtpCredential, new_limit: int, *, now: datetime | None = None) -> int:
    """Change the cap; lowering it releases the latest unstarted reservations, returned as their number."""
    now = now or clock.utc_now()
    locked = _lock_credential(credential.pk)
    lock_lane(credential.pk)
    locked.daily_limit, locked.updated_at = new_limit, now
    locked.save(update_fields=["daily_limit", "updated_at"])
    released = 0
    for usage in DailyUsage.objects.filter(credential=locked, day__gte=timing.day_of(now)):
        released += _release_latest(usage, release_count(new_limit, usage.used))
    return released


def _release_latest(usage: DailyUsage, count: int) -> int:
    """Also what a deliver loop has claimed and not started: without its claim, it is refused its `wire`."""
    unstarted = Message.everywhere.filter(
        credential_id=usage.credential_id,
        usage_day=usage.day,
        state__in=[MessageState.PLANNED.value, MessageState.CLAIMED.value],
        due_at__isnull=False,
        first_attempt_at__isnull=True,
    )
    latest = list(unstarted.order_by("-due_at", "pk").values_list("pk", "enrollment_id")[:count])
    # What is stopped at this moment is left to its stop, or to its loop: it is cancelled and gives its unit back.
    stops.lock_enrollments([enrollment_id for _, enrollment_id in latest])
    released = unstarted.filter(pk__in=[pk for pk, _ in latest], enrollment__stopped_at__isnull=True)
    ids = list(released.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
    return Message.everywhere.filter(pk__in=ids).update(
        state=MessageState.PLANNED.value, due_at=None, worker_id=None, reason="daily_limit_lowered"
    )


@transaction.atomic
def detach_credential(
    account: Account, campaign_id: uuid.UUID, credential_id: uuid.UUID, *, now: datetime | None = None
) -> None:
    """Take a credential out of one campaign; the last campaign to let it go retires it. Raises NotFound."""
    now = now or clock.utc_now()
    campaign = lock_campaign(account, campaign_id)
    credential = _lock_credential(credential_id, account)
    attachment = CampaignCredential.objects.filter(campaign=campaign, credential=credential)
    if not attachment.exists():
        raise NotFound("smtp_credential_not_found")
    attachment.delete()
    let_go(campaign, credential, now=now)
    _pause_those_without_credentials([campaign], credential, now)


def let_go(campaign: Campaign, credential: SmtpCredential, *, now: datetime) -> None:
    """The effects of a detachment: its slots are taken back, its threads move where the campaign allows it."""
    own = Message.everywhere.filter(campaign=campaign, credential=credential, stream="campaign")
    take_slots_back(own, "credential_retired")
    if campaign.sender_may_change:
        free_threads(campaign)
    if not CampaignCredential.objects.filter(credential=credential, campaign__deleted_at__isnull=True).exists():
        credential.retired_at = credential.updated_at = now
        credential.save(update_fields=["retired_at", "updated_at"])
