"""A4: healing comes too late where the loop that seemed dead has settled its message after all."""

import uuid

import pytest

from ampout.lib import clock
from campaigns.services.digests import address_digest, domain_digest
from dispatch.models import DeliveryWorker, Message
from dispatch.services.reconcile import reconcile
from tests import factories
from tests.services.rival import Rival, Waiting

SETTLE = "UPDATE dispatch_message SET state = 'accepted', worker_id = NULL WHERE id = %s AND state = 'wire'"


@pytest.fixture
def dead_loop(transactional_db: None) -> DeliveryWorker:
    """A loop whose lease ran out."""
    return DeliveryWorker.objects.create(name="slow", lease_until=clock.utc_now(), ended_at=clock.utc_now())


def on_the_wire(held_by: uuid.UUID) -> Message:
    """A test message, which has no enrollment whose lock would keep healing and settling apart."""
    campaign = factories.make_campaign(factories.make_account())
    return Message.objects.create(
        account=campaign.account,
        stream="test",
        campaign=campaign,
        credential=factories.make_credential(campaign.account),
        step_position=1,
        recipient="someone@recipient.example",
        recipient_digest=address_digest("someone@recipient.example"),
        domain_digest=domain_digest("recipient.example"),
        message_id="<one@sender.example>",
        state="wire",
        wire_at=clock.utc_now(),
        fence=1,
        worker_id=held_by,
    )


def test_what_was_settled_first_is_not_made_unknown(dead_loop: DeliveryWorker) -> None:
    message = on_the_wire(dead_loop.pk)
    with Rival() as slow_loop:
        slow_loop.run(SETTLE, message.pk)
        healing = Waiting(reconcile).until_it_waits()
        slow_loop.commit()
        assert healing.result() == {"planned": 0, "unknown": 0}
    message.refresh_from_db()
    assert message.state == "accepted"
