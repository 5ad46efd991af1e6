"""What each answer of a server does to message, enrollment and credential (design: States; promise A10), end to end."""

import pytest

from ampout.events.models import Event
from ampout.lib.addresses import parse_address
from campaigns.models import Enrollment, Suppression
from campaigns.services.digests import address_digest
from credentials.models import SmtpCredential
from credentials.services import CredentialValues, update_credential
from dispatch.models import Attempt, Lane, Message
from tests import factories
from tests.dispatch.conftest import Engine, message_of
from tests.peers.chaos_connection import ChaosOptions

ACCEPTED = ("accepted", "accepted", "sent", "", False)
NO_SUCH_USER = ("refused", "address_refused", "bounced", "bounced", True)
SPAM = ("refused", "content_refused", "bounced", "refused", False)
TOO_LARGE = ("refused", "too_large", "bounced", "refused", False)
UNKNOWN = ("unknown", "no_final_reply", "sent", "", False)


def deferred(reason: str) -> tuple[str, str, str, str, bool]:
    return ("deferred", reason, "pending", "", False)


# What happens in the middle of a body is tried in tests/gateways: a body as short as these has left before that.
TABLE = {
    # recipient: (message, why, enrollment, why it stopped, suppressed)
    "ok": ACCEPTED,
    "multiline": ACCEPTED,
    "5xx-rcpt": NO_SUCH_USER,
    "550-rcpt": NO_SUCH_USER,
    "553-rcpt": NO_SUCH_USER,
    "5xx-after-dot": SPAM,
    "554-dot": SPAM,
    "554-data": SPAM,
    "552-dot": TOO_LARGE,
    "full": deferred("temporary"),
    "552-rcpt": deferred("temporary"),
    "450-rcpt": deferred("temporary"),
    "451-data": deferred("temporary"),
    "4xx-after-dot": deferred("temporary"),
    "greylist451": deferred("temporary"),
    "421-rcpt": deferred("server_closing"),
    "421-data": deferred("server_closing"),
    "421-dot": deferred("server_closing"),
    "503-rcpt": deferred("wrong_reply"),
    "wrong-code-334": deferred("wrong_reply"),
    "wrong-code-250": deferred("wrong_reply"),
    "garbage-reply": deferred("garbage"),
    "drop-rcpt": deferred("disconnected"),
    "drop-data": deferred("disconnected"),
    "drop-after-dot": UNKNOWN,
    "reset-after-dot": UNKNOWN,
    "garbage-after-dot": UNKNOWN,
    "wrong-code-354": UNKNOWN,
}


def facts_of(enrolled: Enrollment) -> tuple[str, str, str, str, bool]:
    enrolled.refresh_from_db()
    message = message_of(enrolled)
    digest = address_digest(parse_address(enrolled.contact.email).identity)
    suppressed = Suppression.everywhere.filter(digest=digest).exclude(scope="").exists()
    return message.state, message.reason, enrolled.status, enrolled.stop_reason, suppressed


def test_every_answer_means_what_the_table_says(engine: Engine) -> None:
    campaign, enrolled = engine.released(*TABLE, credentials=4)
    engine.run_until_settled(len(TABLE))
    assert {local: facts_of(one) for local, one in zip(TABLE, enrolled, strict=True)} == TABLE
    for credential in campaign.credentials.all():
        assert credential.last_problem == ""
        assert Lane.objects.get(pk=credential.pk).back_off_until is None
    bounced = [one for one in enrolled if one.status == "bounced"]
    assert all("As you wish" in one.bounce_reason or one.bounce_reason[:1] == "5" for one in bounced)
    assert Event.everywhere.filter(type="enrollment.bounced").count() == len(bounced)
    engine.assert_lawful()


def test_a_retry_comes_after_half_an_hour_under_the_same_message_id(engine: Engine) -> None:
    _, [enrolled] = engine.released("greylist451-2", credentials=1, steps=2)
    engine.run_until_settled(1)
    message_id = message_of(enrolled).message_id
    waits = []
    for _ in range(2):
        message = message_of(enrolled)
        assert message.due_at is not None
        assert message.settled_at is not None
        waits.append((message.due_at - message.settled_at).total_seconds() / 60)
        engine.skip(minutes=waits[-1] + 1)
        engine.run_until(lambda before=message.attempts: message_of(enrolled).attempts > before)  # type: ignore[misc]
    assert 30 <= waits[0] <= 36
    assert 60 <= waits[1] <= 72
    engine.run_until_settled(2)
    message = message_of(enrolled)
    assert (message.state, message.attempts, message.message_id) == ("accepted", 3, message_id)
    assert [entry["message_id"] for entry in engine.smtp.log] == [message_id, message_of(enrolled, 2).message_id]
    engine.assert_lawful()


def test_a_hard_bounce_stops_the_contacts_other_sequences(engine: Engine) -> None:
    contact = factories.make_contact(engine.account, "5xx-rcpt@chaos.example")
    first, second = engine.campaign(steps=2), engine.campaign(steps=2, min_wait_seconds=60, max_wait_seconds=60)
    here, there = factories.enroll(first, contact), factories.enroll(second, contact)
    engine.enroll(second, "ok")
    engine.release(first)
    engine.run_until(lambda: Enrollment.everywhere.get(pk=here.pk).status == "bounced")
    there.refresh_from_db()
    assert (there.status, there.stop_reason) == ("bounced", "bounced")
    engine.release(second)
    engine.run_until(lambda: len(engine.smtp.log) == 1)
    assert engine.smtp.log[0]["recipient"] == "ok@chaos.example"
    engine.assert_lawful()


def test_a_refused_sender_is_the_credentials_problem(engine: Engine) -> None:
    refused = engine.credential(from_email="550-mail@sender.example")
    _, [enrolled] = engine.released("ok", credentials=[refused])
    engine.run_until_settled(1)
    refused.refresh_from_db()
    assert refused.last_problem.startswith("mail: ")
    assert "550 As you wish" in refused.last_problem
    assert facts_of(enrolled) == deferred("sender_refused")
    assert Lane.objects.get().back_off_until is not None
    engine.assert_lawful()


class TestLogins:
    """A server that knows one password."""

    @pytest.fixture
    def chaos(self) -> ChaosOptions:
        return ChaosOptions(logins={"alice": "correct horse"}, keep_bodies=True)

    @pytest.fixture
    def wrong(self, engine: Engine) -> SmtpCredential:
        return engine.credential(smtp_username="alice", smtp_password="canary-wrong-password")

    def test_a_refused_login_is_shown_and_touches_no_message(self, engine: Engine, wrong: SmtpCredential) -> None:
        engine.released("ok1", "ok2", "ok3", credentials=[wrong])
        engine.run_until(lambda: engine.states() == {"planned": 2, "deferred": 1})
        wrong.refresh_from_db()
        assert wrong.last_problem.startswith("auth: ")
        assert "535 5.7.8 No: alice" in wrong.last_problem
        lane = Lane.objects.get()
        assert (lane.failures, lane.back_off_until is not None) == (1, True)
        assert {one.status for one in Enrollment.everywhere.all()} == {"pending"}
        assert set(Message.everywhere.values_list("attempts", flat=True)) == {0}
        assert engine.smtp.count("mail") == 0
        assert engine.smtp.count("auth") == 1
        engine.assert_lawful()

    def test_the_password_is_nowhere(
        self, engine: Engine, wrong: SmtpCredential, caplog: pytest.LogCaptureFixture
    ) -> None:
        engine.released("ok1", credentials=[wrong])
        engine.run_until_settled(1)
        kept = [*Message.everywhere.values_list("reply_text", flat=True)]
        kept += [*Attempt.everywhere.values_list("reply_text", flat=True)]
        kept += [*SmtpCredential.everywhere.values_list("last_problem", flat=True), caplog.text]
        assert not any("canary-wrong" in text or "Y2FuYXJ5" in text for text in kept)

    def test_it_works_again_once_the_password_is_right(self, engine: Engine, wrong: SmtpCredential) -> None:
        _, enrolled = engine.released("ok1", "ok2", credentials=[wrong])
        engine.run_until(lambda: engine.states() == {"planned": 1, "deferred": 1})
        update_credential(engine.account, wrong.pk, CredentialValues(smtp_password="correct horse"))
        engine.skip(hours=1)
        engine.run_until_settled(2)
        assert {facts_of(one) for one in enrolled} == {ACCEPTED}
        assert Lane.objects.get().failures == 0
        engine.assert_lawful()

    def test_other_credentials_go_on(self, engine: Engine, wrong: SmtpCredential) -> None:
        right = engine.credential(smtp_username="alice", smtp_password="correct horse", from_email="x@sender.example")
        engine.released(*(f"ok{number}" for number in range(6)), credentials=[wrong, right])
        engine.run_until(lambda: len(engine.smtp.log) >= 3)
        assert {entry["sender"] for entry in engine.smtp.log} == {"x@sender.example"}
        engine.assert_lawful()


def test_a_server_that_cannot_be_reached_rests(engine: Engine) -> None:
    nowhere = engine.credential(smtp_port=1)
    engine.released("ok1", "ok2", credentials=[nowhere])
    engine.run_until(lambda: engine.states() == {"planned": 1, "deferred": 1})
    nowhere.refresh_from_db()
    assert nowhere.last_problem.startswith("connect: ")
    assert Attempt.everywhere.count() == 1
    lane = Lane.objects.get()
    assert (lane.failures, lane.back_off_until is not None) == (1, True)
    engine.skip(minutes=2)
    engine.run_until(lambda: engine.states() == {"deferred": 2})
    assert Lane.objects.get().failures == 2
    engine.assert_lawful()
