"""After a deletion no copy of a person's data is left; the proof stays."""

import json

import pytest
from django.apps import apps

from ampout.accounts.models import Account
from ampout.lib import clock
from campaigns.rules.enrollment_state import StopReason
from dispatch.models import Attempt, Message
from dispatch.services import deletion, stops
from tests import factories

pytestmark = pytest.mark.django_db
CANARY = "canary.person"


@pytest.fixture
def alice() -> Account:
    return factories.make_account()


def _everything() -> str:
    rows = [
        list(model._base_manager.values()) for model in apps.get_models() if model._meta.app_label != "contenttypes"
    ]
    return json.dumps(rows, default=str)


def test_nothing_that_names_the_person_is_left_anywhere(alice: Account) -> None:
    contact = factories.make_contact(alice, f"{CANARY}@recipient.example", first_name=CANARY)
    enrollment = factories.enroll(factories.make_campaign(alice), contact)
    message = factories.make_message(enrollment, state="refused", subject=CANARY, reply_text=f"550 <{CANARY}> unknown")
    Attempt.objects.create(
        account=alice, message=message, fence=1, ended_at=clock.utc_now(), reply_text=f"550 <{CANARY}> unknown"
    )
    stops.stop_enrollments([enrollment.pk], StopReason.BOUNCED, now=clock.utc_now(), bounce_reason=f"no {CANARY} here")
    assert CANARY in _everything()
    deletion.erase_contact(alice, contact.pk)
    assert CANARY not in _everything()
    assert Message.everywhere.get().state == "refused"
