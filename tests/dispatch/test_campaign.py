"""The main job, end to end."""

from campaigns.models import Campaign, Enrollment
from campaigns.services.enrolment import enroll_contact
from dispatch.models import Message
from tests import factories
from tests.dispatch.conftest import Engine


def completed(campaign: Campaign) -> bool:
    campaign.refresh_from_db()
    return campaign.status == "completed"


def test_a_campaign_reaches_every_contact_once_and_completes(engine: Engine) -> None:
    campaign, _ = engine.released(*(f"ok{number}" for number in range(30)), credentials=3)
    engine.run_until(lambda: completed(campaign))
    delivered = [entry["message_id"] for entry in engine.smtp.log]
    ledger = set(Message.everywhere.filter(state="accepted").values_list("message_id", flat=True))
    assert len(delivered) == len(set(delivered)) == 30
    assert set(delivered) == ledger
    assert set(Enrollment.everywhere.values_list("status", flat=True)) == {"sent"}
    engine.assert_lawful()


def test_three_steps_arrive_in_their_order_from_one_mailbox_each(engine: Engine) -> None:
    campaign, _ = engine.released(*(f"ok{number}" for number in range(6)), credentials=2, steps=3)
    engine.run_until(lambda: completed(campaign))
    for number in range(6):
        entries = engine.delivered_to(f"ok{number}")
        assert len(entries) == 3
        assert all(b"Step %d for" % step in entry["body"] for step, entry in enumerate(entries, start=1))
        assert len({entry["sender"] for entry in entries}) == 1
    engine.assert_lawful()


def test_what_joins_a_released_batch_later_goes_too(engine: Engine) -> None:
    campaign, _ = engine.released("ok1")
    engine.run_until(lambda: completed(campaign))
    late = factories.make_contact(engine.account, "ok2@chaos.example")
    enroll_contact(engine.account, campaign.pk, late.pk)
    assert not completed(campaign)
    engine.run_until(lambda: completed(campaign))
    assert len(engine.delivered_to("ok2")) == 1
    engine.assert_lawful()
