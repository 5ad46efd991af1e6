"""Every provider's reports, five times each and in any order: the message ends once, with one event (promise D5)."""

import json
import random
from typing import Any

import pytest
from django.test import Client

from ampout.events.models import Event
from ampout.lib import clock
from campaigns.models import Campaign, Suppression
from credentials.models import ProviderHook, SmtpCredential
from dispatch.models import Feedback, Message, Notice
from dispatch.rules.message_id import make_message_id
from dispatch.services import notices
from tests import factories
from tests.intake.conftest import OUR_ID, RECIPIENT, Posting, captured, make_hook, posting
from tests.peers.amazon import PretendAmazon

HARD = {
    "postmark": "hard_bounce.json",
    "mailgun": "permanent_failure.json",
    "brevo": "batch.json",
    "sendgrid": "batch.json",
    "smtp2go": "hard_bounce.form",
    "amazon_ses": "bounce.json",
}
OTHERS = {
    "postmark": ["delivery.json", "open.json", "transient.json"],
    "mailgun": ["delivered.json", "opened.json", "temporary_failure.json"],
    "brevo": ["request.json", "deferred.json"],
    "sendgrid": ["deferred.json", "delivered.json"],
    "smtp2go": ["processed.json", "delivered.json"],
    "amazon_ses": ["delivery.json", "delay.json", "open.json"],
}
"""What comes besides, and must not change the end."""


@pytest.fixture
def message(credential: SmtpCredential) -> Message:
    """A step-1 message that was accepted by the provider a while before the captured calls."""
    campaign: Campaign = factories.make_campaign(credential.account, status="active", credentials=[credential], steps=2)
    contact = factories.make_contact(credential.account, RECIPIENT)
    enrollment = factories.enroll(campaign, contact, smtp_credential=credential, status="sent")
    from django.conf import settings  # noqa: PLC0415

    return factories.make_message(
        enrollment,
        credential=credential,
        state="accepted",
        message_id=make_message_id("sender.example", bytes(range(16)), settings.DIGEST_KEY.encode()),
        wire_at=clock.utc_now(),
        settled_at=clock.utc_now(),
    )


def about(message: Message, provider: str, name: str) -> bytes:
    """A captured call about this very message."""
    left, _, _ = message.message_id.strip("<>").partition("@")
    ours, _, _ = OUR_ID.strip("<>").partition("@")
    return captured(provider, name).replace(ours.encode(), left.encode())


def facts_of(message: Message) -> dict[str, Any]:
    """All that a report may change."""
    message.refresh_from_db()
    message.enrollment.refresh_from_db()  # type: ignore[union-attr]
    return {
        "bounced_at": message.bounced_at,
        "kind": message.bounce_kind,
        "enrollment": message.enrollment.status,  # type: ignore[union-attr]
        "events": sorted(Event.everywhere.values_list("fact", flat=True)),
        "suppressed": Suppression.everywhere.count(),
        "feedback": sorted(Feedback.everywhere.values_list("kind", "status")),
    }


@pytest.mark.parametrize("provider", HARD)
@pytest.mark.parametrize("seed", [1, 2])
def test_five_times_and_shuffled_has_one_effect(
    client: Client, credential: SmtpCredential, message: Message, amazon: PretendAmazon, provider: str, seed: int
) -> None:
    hook = make_hook(credential, provider)
    calls = [posting(hook, name, about(message, provider, name)) for name in (HARD[provider], *OTHERS[provider])] * 5
    random.Random(seed).shuffle(calls)
    for call in calls:
        assert call.send(client).status_code == 200
        notices.process_due()
    assert Notice.everywhere.count() == 1 + len(OTHERS[provider])
    assert not Notice.everywhere.exclude(error="").exists()
    facts = facts_of(message)
    assert (facts["kind"], facts["enrollment"], facts["suppressed"]) == ("hard", "bounced", 1)
    assert [fact for fact in facts["events"] if fact.startswith("enrollment.bounced")] == [
        f"enrollment.bounced:{message.enrollment_id}"
    ]
    assert [kind for kind, _ in facts["feedback"]].count("bounce") == 1


@pytest.mark.parametrize("provider", HARD)
def test_a_call_made_anew_with_the_same_event_has_no_second_effect(
    client: Client, credential: SmtpCredential, message: Message, amazon: PretendAmazon, provider: str
) -> None:
    """Mailgun signs each try anew, SNS may send twice, a batch may be cut differently: other bytes, the same event."""
    hook = make_hook(credential, provider)
    body = about(message, provider, HARD[provider])
    assert send(client, hook, HARD[provider], body) == 200
    before = facts_of(message)
    again = body + b"\n" if not HARD[provider].endswith(".form") else body + b"&again=1"
    assert send(client, hook, HARD[provider], again) == 200
    after = facts_of(message)
    assert Notice.everywhere.count() == 2
    before.pop("feedback")
    after.pop("feedback")
    assert after == before


def test_a_report_about_another_accounts_message_changes_nothing(
    client: Client, message: Message, other_account: Any
) -> None:
    other = factories.make_credential(other_account)
    before = facts_of(message)
    assert send(client, make_hook(other, "postmark"), "x.json", about(message, "postmark", "hard_bounce.json")) == 200
    assert facts_of(message) == before


def test_a_report_for_somebody_never_mailed_changes_nothing(
    client: Client, credential: SmtpCredential, message: Message
) -> None:
    before = facts_of(message)
    body = about(message, "postmark", "hard_bounce.json").replace(RECIPIENT.encode(), b"bob@recipient.example")
    assert send(client, make_hook(credential, "postmark"), "x.json", body) == 200
    assert facts_of(message) == before


def test_what_cannot_be_read_keeps_its_error_and_harms_no_other(
    client: Client, credential: SmtpCredential, message: Message
) -> None:
    hook = make_hook(credential, "sendgrid")
    assert send(client, hook, "x.json", json.dumps({"event": "bounce"}).encode()) == 200
    assert send(client, hook, "batch.json", about(message, "sendgrid", "batch.json")) == 200
    errors = sorted(Notice.everywhere.values_list("error", flat=True))
    assert errors == ["", "ValueError: A call of SendGrid is a list of events."]
    assert facts_of(message)["kind"] == "hard"


def send(client: Client, hook: ProviderHook, name: str, body: bytes) -> int:
    """The status of the answer; what was stored is judged."""
    call: Posting = posting(hook, name, body)
    status: int = call.send(client).status_code
    notices.process_due()
    return status
