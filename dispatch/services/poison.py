"""Poison: a message that kills whoever prepares or composes it is found, and set aside, at the cost of nobody else.

1. A loop that died may have died of any message that it held unsent: from then on each of them is a suspect.
2. Whoever claims a suspect has it prepared and composed by a child process (services/trial), one after the other.
3. A child that dies died of the message it was at, and no other is blamed; it is tried again at once.
4. A message that DEATHS_TO_QUARANTINE processes died of, the first loop included, is quarantined.
5. A step with POISONED_TO_PAUSE of them is poison as a whole: its campaign is paused until an operator resumes it.

So one loop dies at most, and a kill of loops, however often, quarantines nobody.
"""

import logging
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from django.db import transaction

from ampout.accounts.models import Account
from ampout.lib import clock, sql
from ampout.lib.errors import NotFound
from campaigns.rules.campaign_state import PauseReason
from dispatch.models import Attempt, Message
from dispatch.rules.message_state import MessageState
from dispatch.services import settle
from dispatch.services.claim import Claim
from dispatch.services.lifecycle import CampaignActionRefused, pause_campaign
from dispatch.services.verdicts import quarantine

logger = logging.getLogger(__name__)

DEATHS_TO_QUARANTINE = 3
POISONED_TO_PAUSE = 3
REASON_POISON = "poison"
WHY = f"{DEATHS_TO_QUARANTINE} processes died while they prepared or composed this message; it was not sent."

# Whether a connection was made nobody knows, so the unit of the cap counts as used.
_SUSPECT = """
UPDATE dispatch_message
SET first_attempt_at = COALESCE(first_attempt_at, %(now)s), deaths = GREATEST(deaths, 1)
WHERE id = ANY(%(ids)s) AND worker_id = %(worker)s AND state = 'claimed'
"""


def suspect(worker_id: uuid.UUID, ids: Sequence[uuid.UUID]) -> None:
    """Note with these messages, which a dead loop held unsent, that it may have died of them."""
    sql.execute(_SUSPECT, {"ids": list(ids), "worker": worker_id, "now": clock.utc_now()})


def blame(worker_id: uuid.UUID, claimed: Claim) -> Claim | None:
    """Note that a child died of this message. Returns the claim as it is now; None where it was quarantined."""
    deaths = claimed.deaths + 1
    held = Message.everywhere.filter(pk=claimed.message_id, worker_id=worker_id, fence=claimed.fence)
    held.filter(state=MessageState.CLAIMED.value).update(deaths=deaths)
    if deaths < DEATHS_TO_QUARANTINE:
        return replace(claimed, deaths=deaths)
    _quarantine(worker_id, claimed)
    _report(claimed)
    return None


@transaction.atomic
def _quarantine(worker_id: uuid.UUID, claimed: Claim) -> None:
    now = clock.utc_now()
    outcome = quarantine(claimed, WHY, now, reason=REASON_POISON)
    if not settle.settle(worker_id, [outcome]):
        return
    # No SMTP transaction was begun, but operators and counters look for what became of messages among attempts.
    Attempt.everywhere.create(
        account_id=Message.everywhere.values_list("account_id", flat=True).get(pk=claimed.message_id),
        message_id=claimed.message_id,
        credential_id=claimed.credential_id,
        worker_id=worker_id,
        fence=claimed.fence,
        ended_at=now,
        state=outcome.state.value,
        reason=outcome.reason,
        reply_text=outcome.reply_text,
    )


def _report(claimed: Claim) -> None:
    """Tell the operator, and pause the campaign where the whole step is poison."""
    message = Message.everywhere.get(pk=claimed.message_id)
    facts = {"action": "quarantine", "message_id": str(message.pk), "account_id": str(message.account_id)}
    logger.error("Message %s is poison and quarantined: %s", message.pk, WHY, extra=facts)
    if message.campaign_id is None or message.stream != "campaign":
        return
    alike = Message.objects.of(message.account_id).filter(
        campaign_id=message.campaign_id,
        step_position=message.step_position,
        state=MessageState.QUARANTINED.value,
        reason=REASON_POISON,
    )
    if alike.count() >= POISONED_TO_PAUSE:
        _pause(message.account_id, message.campaign_id)


def _pause(account_id: uuid.UUID, campaign_id: uuid.UUID) -> None:
    with suppress(CampaignActionRefused, NotFound):
        pause_campaign(Account.objects.get(pk=account_id), campaign_id, reason=PauseReason.OPERATOR)
        facts = {"action": "pause", "campaign_id": str(campaign_id)}
        logger.error("Campaign %s is paused: a step of it is poison.", campaign_id, extra=facts)
