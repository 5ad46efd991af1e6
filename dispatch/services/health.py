"""The health of senders: judged after every return, and before the next `wire` (promise B6).

1. Whoever records a bounce, a complaint or a refused login writes `HealthDue` in the same transaction; once it has
   committed, the credential is granted no `wire` (one whose check ran before may commit milliseconds after it).
2. The judgement locks campaigns, credential and lane, counts what the credential's campaigns show to their owners, and
   disables the credential, or pauses a campaign, or neither. It takes the rows away that it has judged.

A deliver loop judges before the next body of its connection. A judgement that a crash prevented is made by the next
loop that wants a `wire`, or by the next look for dead workers.
"""

import logging
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction

from ampout.lib import clock
from campaigns.models import Campaign
from campaigns.rules.campaign_state import CampaignStatus, PauseReason
from credentials.models import SmtpCredential
from dispatch import figures
from dispatch.figures import Sends
from dispatch.models import Attempt, HealthDue, Lane, Message
from dispatch.rules import health as rules
from dispatch.rules.health import Evidence, HealthVerdict, Judgement, Limit
from dispatch.rules.smtp_reply import VerdictReason
from dispatch.services import lifecycle, senders
from dispatch.services.lanes import lock_lane

logger = logging.getLogger(__name__)

FIXED, EVIDENCE = "fixed", "evidence"


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of a credential since it was last enabled."""

    sends: Sends
    complaints: int
    refused_logins: int


def note_due(credential_ids: Iterable[uuid.UUID], *, now: datetime) -> None:
    """Ask for a judgement, inside the transaction of what calls for it."""
    HealthDue.objects.bulk_create(
        [HealthDue(credential_id=credential_id, since=now) for credential_id in sorted(set(credential_ids))]
    )


def judge_due(credential_ids: Collection[uuid.UUID] | None = None, *, now: datetime | None = None) -> int:
    """Judge the credentials that wait for it, or those of them that are named; returns how many were judged.

    Call it outside of any transaction, after the one that asked for it. One that cannot be judged stays due, and
    without a `wire`; the others are judged all the same.
    """
    now = now or clock.utc_now()
    due = HealthDue.objects.all() if credential_ids is None else HealthDue.objects.filter(credential__in=credential_ids)
    by_credential: dict[uuid.UUID, list[int]] = {}
    for due_id, credential_id in due.values_list("pk", "credential_id")[:10_000]:
        by_credential.setdefault(credential_id, []).append(due_id)
    return sum(_try(credential_id, due_ids, now) for credential_id, due_ids in sorted(by_credential.items()))


def _try(credential_id: uuid.UUID, due_ids: Sequence[int], now: datetime) -> bool:
    try:
        _judge(credential_id, due_ids, now)
    except (OperationalError, InterfaceError):
        # The database's own trouble: whoever asked asks again.
        raise
    except Exception:
        logger.exception("The health of credential %s could not be judged; it waits.", credential_id)
        return False
    return True


@transaction.atomic
def _judge(credential_id: uuid.UUID, due_ids: Sequence[int], now: datetime) -> None:
    campaigns = senders.lock_campaigns_of(credential_id)
    credential: SmtpCredential = SmtpCredential.everywhere.select_for_update(no_key=True).get(pk=credential_id)
    lock_lane(credential_id)
    if credential.disabled_at is None and credential.retired_at is None:
        _judge_credential(credential, _judged_campaigns(campaigns), now)
    for campaign in campaigns:
        if campaign.health_rule == EVIDENCE and campaign.status == CampaignStatus.ACTIVE:
            _judge_campaign(campaign, credential_id, now)
    HealthDue.objects.filter(pk__in=due_ids).delete()


def _judged_campaigns(campaigns: Sequence[Campaign]) -> list[Campaign]:
    """The active ones; a bounce that comes when all are through is judged by those that were started."""
    active = [campaign for campaign in campaigns if campaign.status == CampaignStatus.ACTIVE]
    return active or [campaign for campaign in campaigns if campaign.started_at is not None]


def _judge_credential(credential: SmtpCredential, campaigns: Sequence[Campaign], now: datetime) -> None:
    seen = _look_at(credential)
    limits = [
        Limit(campaign.pk, campaign.bounce_rate_threshold, campaign.bounce_rate_min_sends)
        for campaign in campaigns
        if campaign.health_rule == FIXED
    ]
    fewest = min((campaign.bounce_rate_min_sends for campaign in campaigns), default=0)
    judgement = (
        rules.judge_bounces(seen.sends.total, seen.sends.bounced, limits)
        or rules.judge_complaints(seen.sends.total, seen.complaints, settings.COMPLAINT_RATE_THRESHOLD, fewest)
        or rules.judge_logins(seen.refused_logins, settings.LOGIN_REFUSALS_LIMIT)
    )
    if judgement is not None:
        _disable(credential, judgement, now)
    most = max((campaign.bounce_rate_min_sends for campaign in campaigns), default=0)
    troubled = seen.sends.bounced > 0 or seen.complaints >= rules.FEWEST_COMPLAINTS
    Lane.objects.filter(pk=credential.pk).update(health_watched=troubled and seen.sends.total < most)


def _look_at(credential: SmtpCredential) -> _Seen:
    complaints = Message.everywhere.filter(
        credential=credential, stream="campaign", complained_at__isnull=False, wire_at__gte=credential.enabled_since
    ).count()
    return _Seen(figures.sends_since_enabled(credential), complaints, _refused_logins_in_a_row(credential))


def _refused_logins_in_a_row(credential: SmtpCredential) -> int:
    latest = Attempt.everywhere.filter(credential=credential, ended_at__gte=credential.enabled_since)
    reasons = latest.order_by("-pk").values_list("reason", flat=True)[: settings.LOGIN_REFUSALS_LIMIT]
    return sum(1 for _ in takewhile(lambda reason: reason == VerdictReason.LOGIN_REFUSED, reasons))


def _disable(credential: SmtpCredential, judgement: Judgement, now: datetime) -> None:
    logger.warning(
        "Credential %s is disabled: %s.",
        credential.pk,
        judgement.reason,
        extra={"action": "health", "rate": judgement.rate},
    )
    senders.disable_credential(
        credential.pk, judgement.reason.value, now=now, bounce_rate=judgement.rate, threshold=judgement.limit
    )


def _judge_campaign(campaign: Campaign, credential_id: uuid.UUID, now: datetime) -> None:
    evidence = weigh_campaign(campaign)
    if evidence.verdict is HealthVerdict.UNHEALTHY:
        lifecycle.pause_locked(campaign, PauseReason.HEALTH, now=now, credential_ids=(credential_id,))
    if evidence.verdict is not HealthVerdict.HEALTHY:
        logger.warning(
            "Campaign %s: %s, its true bounce rate is above %s %% with probability %.3f.",
            campaign.pk,
            evidence.verdict,
            campaign.bounce_rate_threshold,
            evidence.probability,
            extra={"action": "health"},
        )


def weigh_campaign(campaign: Campaign, *, lifetime: Sends | None = None) -> Evidence:
    """What a campaign's sends say about its true bounce rate, since it was last resumed from a pause for it.

    `lifetime` are all its sends, where the caller has counted them: for most campaigns they are the ones to weigh.
    """
    counted = lifetime if campaign.health_since is None else None
    sends = counted or figures.campaign_sends(campaign.pk, since=campaign.health_since)
    return rules.weigh(sends.total, sends.bounced, campaign.bounce_rate_threshold)
