"""The factories make rows that the database accepts."""

import pytest

from campaigns.models import Enrollment
from dispatch.models import Message
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_whole_campaign_can_be_made_in_a_few_lines() -> None:
    account = factories.make_account()
    campaign = factories.make_campaign(account, steps=3, credentials=2)
    message = factories.make_message(factories.enroll(campaign))
    assert (campaign.steps.count(), campaign.attachments.count()) == (3, 2)
    assert Message.objects.of(account).get() == message
    assert Enrollment.objects.of(account).get().contact == message.contact
