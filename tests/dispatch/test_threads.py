"""Follow-ups stay in the thread that the contact knows (design: Rotation, Delivered Message-ID)."""

from email import message_from_bytes
from email.message import Message as Mail
from email.policy import default

import pytest

from ampout.lib import clock
from campaigns.models import Campaign
from credentials import presets
from dispatch.models import DeliveryWorker, Message
from dispatch.services import claim, leases, outbox, plan, wire
from dispatch.services.evidence import Resolution, resolve_unknown
from tests import factories
from tests.dispatch.conftest import Engine
from tests.peers.chaos_behaviours import Action, Kind
from tests.peers.chaos_connection import ChaosOptions


def mails(engine: Engine) -> list[Mail]:
    return [message_from_bytes(entry["body"], policy=default) for entry in engine.smtp.log]


def sequence(engine: Engine, *subjects: str) -> Campaign:
    """A campaign to one contact whose steps have these subjects, dispatched."""
    campaign = engine.campaign(credentials=1, steps=0)
    for position, subject in enumerate(subjects, start=1):
        factories.make_step(campaign, position, subject=subject)
    contact = factories.make_contact(engine.account, "ok@chaos.example", first_name="Bob")
    factories.enroll(campaign, contact)
    engine.release(campaign)
    return campaign


def headers(mail: Mail) -> tuple[str, str | None, str | None]:
    return mail["Subject"], mail["In-Reply-To"], mail["References"]


def test_empty_subjects_answer_the_one_that_was_sent(engine: Engine) -> None:
    sequence(engine, "Hello {{first_name}}", "", "")
    engine.run_until_settled(3)
    first, second, third = mails(engine)
    assert headers(first) == ("Hello Bob", None, None)
    assert headers(second) == ("Re: Hello Bob", first["Message-ID"], first["Message-ID"])
    assert headers(third) == ("Re: Hello Bob", second["Message-ID"], f"{first['Message-ID']} {second['Message-ID']}")


def test_a_given_subject_is_sent_as_written_and_still_in_the_thread(engine: Engine) -> None:
    sequence(engine, "Hello", "Another thing, {{first_name}}", "")
    engine.run_until_settled(3)
    first, second, third = mails(engine)
    assert headers(second) == ("Another thing, Bob", first["Message-ID"], first["Message-ID"])
    assert third["Subject"] == "Re: Another thing, Bob"


def test_an_edit_after_the_first_step_does_not_change_the_thread(engine: Engine) -> None:
    campaign = sequence(engine, "Hello {{first_name}}", "")
    campaign.steps.filter(position=2).update(delay_minutes=60)
    engine.run_until(lambda: len(engine.smtp.log) == 1)
    campaign.steps.filter(position=1).update(subject="Edited")
    engine.skip(minutes=61)
    engine.run_until_settled(2)
    assert mails(engine)[1]["Subject"] == "Re: Hello Bob"


class TestProvidersThatRename:
    """A server that gives every message an id of its own and names it in its 250, as Amazon SES does."""

    @pytest.fixture
    def chaos(self) -> ChaosOptions:
        renamed = Action(Kind.ANSWER, b"250 Ok 0100018c1234abcd-12345678-0000-000000\r\n")
        return ChaosOptions(script={"dot": renamed}, keep_bodies=True)

    def test_the_thread_names_the_delivered_id(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        amazon = presets.preset_for("email-smtp.eu-west-1.amazonaws.com")
        monkeypatch.setattr(outbox, "preset_for", lambda host: amazon)
        sequence(engine, "Hello", "")
        engine.run_until_settled(2)
        first, second = mails(engine)
        delivered = "<0100018c1234abcd-12345678-0000-000000@eu-west-1.amazonses.com>"
        message = Message.everywhere.get(step_position=1)
        assert (message.delivered_message_id, message.message_id) == (delivered, first["Message-ID"])
        assert (second["In-Reply-To"], second["References"]) == (delivered, delivered)


def crash_on_the_wire(engine: Engine) -> Message:
    """A loop commits the `wire` of the one message that is due, and is killed."""
    plan.plan()
    worker_id = leases.start_worker("killed loop")
    assert worker_id is not None
    [claimed] = claim.claim_messages(worker_id, now=clock.utc_now(), lanes=9, messages=9)
    wire.commit_wire(worker_id, [(claimed.message_id, claimed.fence)], now=clock.utc_now())
    DeliveryWorker.objects.filter(pk=worker_id).update(lease_until="2020-01-01T00:00:00Z")
    engine.crash()
    message: Message = Message.everywhere.get(pk=claimed.message_id)
    assert message.state == "unknown"
    return message


def test_a_follow_up_of_a_message_that_a_crash_left_unknown_has_its_subject(engine: Engine) -> None:
    """Nobody wrote down the subject as sent; it is made again from the step."""
    sequence(engine, "Hello {{first_name}}", "")
    unknown = crash_on_the_wire(engine)
    engine.skip(hours=73)
    engine.run_until(lambda: len(engine.smtp.log) == 1)
    [second] = mails(engine)
    assert headers(second) == ("Re: Hello Bob", unknown.message_id, unknown.message_id)
    engine.assert_lawful()


def test_a_third_step_after_a_crash_answers_the_second(engine: Engine) -> None:
    campaign = sequence(engine, "Hello {{first_name}}", "Second thoughts, {{first_name}}", "")
    campaign.steps.filter(position=2).update(delay_minutes=60)
    engine.run_until(lambda: len(engine.smtp.log) == 1)
    engine.skip(minutes=61)
    crash_on_the_wire(engine)
    engine.skip(hours=73)
    engine.run_until(lambda: len(engine.smtp.log) == 2)
    assert mails(engine)[1]["Subject"] == "Re: Second thoughts, Bob"


def test_resending_keeps_the_thread(engine: Engine) -> None:
    sequence(engine, "Hello {{first_name}}", "")
    unknown = crash_on_the_wire(engine)
    resolve_unknown(unknown.pk, Resolution.RESEND, actor="olga")
    engine.run_until_settled(2)
    first, second = mails(engine)
    assert (first["Message-ID"], second["In-Reply-To"]) == (unknown.message_id, unknown.message_id)
    engine.assert_lawful()
