"""The main job on its shortest way."""

from campaigns.models import Enrollment
from dispatch.models import Message
from tests.dispatch.conftest import Engine


def test_a_campaign_reaches_every_contact_once_and_completes(engine: Engine) -> None:
    campaign = engine.campaign(credentials=3)
    engine.enroll(campaign, *(f"ok{number}" for number in range(30)))
    engine.release(campaign)

    def completed() -> bool:
        campaign.refresh_from_db()
        return campaign.status == "completed"

    engine.run_until(completed)
    delivered = [entry["message_id"] for entry in engine.smtp.log]
    ledger = set(Message.everywhere.filter(state="accepted").values_list("message_id", flat=True))
    assert len(delivered) == len(set(delivered)) == 30
    assert set(delivered) == ledger
    assert set(Enrollment.everywhere.values_list("status", flat=True)) == {"sent"}
    engine.assert_lawful()
