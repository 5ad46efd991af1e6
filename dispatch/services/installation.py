"""A restored copy is adopted: what it holds is healed, its campaigns are paused, and from then on it may send.

What the copy takes for planned may have been sent since the backup was made, and nothing in it can tell. So it starts
with all campaigns paused: whoever resumes one says that it may go on.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models.functions import Now

from ampout.accounts import installation
from ampout.accounts.installation import sending_is_off
from ampout.lib import clock
from campaigns.models import Campaign
from campaigns.rules.campaign_state import CampaignStatus, PauseReason
from dispatch.models import DeliveryWorker, Message
from dispatch.rules.message_state import UNSTARTED, MessageState
from dispatch.services import lifecycle, reconcile

__all__ = ["Adoption", "adopt", "sending_is_off"]

REASON_RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Adoption:
    """What became of the copy; `why` is why sending was off, empty where it was not, and nothing was done."""

    why: str
    unknown: int = 0
    paused: int = 0
    tests_cancelled: int = 0


def adopt(*, moved: bool, now: datetime | None = None) -> Adoption:
    """Make this database this installation's own.

    1. End the loops that the copy believes in, and heal what they held: `planned` again, or `unknown`.
    2. Unless `moved`, which says that nothing was sent since the copy was made: pause the active campaigns, and cancel
       the test messages that had not gone.
    3. Write down whose database this is: from that commit on it may send.
    """
    now = now or clock.utc_now()
    why = sending_is_off()
    if why is None:
        return Adoption("")
    DeliveryWorker.objects.filter(ended_at__isnull=True).update(ended_at=Now())
    unknown = reconcile.reconcile()["unknown"]
    with transaction.atomic():
        paused, cancelled = (0, 0) if moved else (_pause_campaigns(now), _cancel_tests(now))
        installation.take(now)
    return Adoption(why, unknown, paused, cancelled)


def _pause_campaigns(now: datetime) -> int:
    """An operator's pause, as only operators know what was restored, and whether more was sent since."""
    active = Campaign.everywhere.filter(status=CampaignStatus.ACTIVE.value, deleted_at__isnull=True)
    campaigns = list(active.select_for_update(no_key=True).order_by("pk"))
    for campaign in campaigns:
        lifecycle.pause_locked(campaign, PauseReason.OPERATOR, now=now)
    return len(campaigns)


def _cancel_tests(now: datetime) -> int:
    tests = Message.everywhere.filter(stream="test", state__in=[state.value for state in UNSTARTED])
    ids = list(tests.select_for_update().order_by("pk").values_list("pk", flat=True))
    return Message.everywhere.filter(pk__in=ids).update(
        state=MessageState.CANCELLED.value, reason=REASON_RESTORED, settled_at=now
    )
