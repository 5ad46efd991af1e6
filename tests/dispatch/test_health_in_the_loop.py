"""A sender above its threshold stops in the middle of a running loop (promise B6)."""

from ampout.events.models import Event
from credentials.models import SmtpCredential
from dispatch.models import HealthDue, Message
from tests.dispatch.conftest import Engine


def test_no_body_leaves_after_the_bounce_that_was_one_too_many(engine: Engine) -> None:
    """Accepted, and from the sixth on refused: at the first refusal after six sends the share is above 8 %."""
    people = [f"ok{number}" for number in range(5)] + ["5xx-rcpt"] + [f"ok{number}" for number in range(5, 40)]
    campaign, _ = engine.released(*people, credentials=1, bounce_rate_min_sends=6)
    engine.run_until(lambda: SmtpCredential.everywhere.filter(disabled_at__isnull=False).exists())
    with engine.running():
        engine.wait_until(lambda: not Message.everywhere.filter(state__in=["claimed", "wire"]).exists())
    campaign.refresh_from_db()
    assert (campaign.status, campaign.pause_reason) == ("paused", "all_credentials_disabled")
    sender = SmtpCredential.everywhere.get()
    assert sender.disabled_at is not None
    assert sender.disabled_reason == "bounce_rate"
    assert not Message.everywhere.filter(wire_at__gt=sender.disabled_at).exists()
    assert Message.everywhere.filter(state="accepted").count() < 40
    assert [event.type for event in Event.everywhere.exclude(type__startswith="enrollment.").order_by("sequence")] == [
        "credential.disabled",
        "campaign.paused",
    ]
    assert HealthDue.objects.count() == 0
    engine.assert_lawful()
