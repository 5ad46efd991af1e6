"""A step that was deleted while its predecessor was under way leaves nobody waiting for it."""

from datetime import timedelta

import pytest

from ampout.lib import clock
from campaigns.models import Enrollment
from dispatch.models import Message
from dispatch.services import plan
from tests import factories

pytestmark = pytest.mark.django_db


def test_whoever_waits_for_a_deleted_step_is_through() -> None:
    now = clock.utc_now()
    campaign = factories.make_campaign(factories.make_account(), steps=1, status="active")
    sender = campaign.credentials.get()
    waiting = factories.enroll(
        campaign, next_position=2, next_due_at=now - timedelta(minutes=1), status="sent", smtp_credential=sender
    )
    plan.plan(now=now)
    finished = Enrollment.everywhere.get(pk=waiting.pk)
    assert (finished.finished_at, finished.steps_due, finished.next_due_at) == (now, 1, None)
    assert not Message.everywhere.exists()
