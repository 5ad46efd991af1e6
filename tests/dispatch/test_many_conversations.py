"""One deliver loop holds hundreds of slow conversations side by side (issue: Speed)."""

import pytest
from pytest_django.fixtures import Settings

from dispatch.models import Message
from tests import factories
from tests.dispatch.conftest import Engine
from tests.peers.certificates import Certificates
from tests.peers.chaos_smtp import ChaosSmtp

SENDERS = 220


@pytest.fixture
def slow_engine(transactional_db: None, settings: Settings, certificates: Certificates) -> Engine:
    settings.ALLOW_PRIVATE_NETWORKS = ["127.0.0.0/8"]
    settings.SMTP_CA_FILE = str(certificates.authority)
    return Engine(ChaosSmtp(certificates, delay_ms=300), factories.make_account())


def test_two_hundred_servers_that_answer_after_300_ms_are_talked_to_at_once(slow_engine: Engine) -> None:
    with slow_engine.smtp:
        campaign = slow_engine.campaign(credentials=SENDERS)
        slow_engine.enroll(campaign, *(f"ok+{number}" for number in range(SENDERS)))
        slow_engine.release(campaign)
        slow_engine.run_until(lambda: Message.everywhere.filter(state="accepted").count() == SENDERS, seconds=60)
    assert slow_engine.smtp.most_connections >= 200
    slow_engine.assert_lawful()
