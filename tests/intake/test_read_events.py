"""What each provider's captured calls say, in the one shape."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.rules.hook_provider import HookProvider
from dispatch.gateways.provider_events import read_events
from dispatch.rules.provider_event import ProviderEvent, ProviderEventKind
from tests.intake.conftest import CALLS, OUR_ID, RECIPIENT, captured
from tests.peers import amazon as sns

Kind = ProviderEventKind

EXPECTED: dict[str, tuple[str, str]] = {
    "postmark/hard_bounce.json": ("hard_bounce", "5.1.1"),
    "postmark/soft_bounce.json": ("soft_bounce", "5.2.2"),
    "postmark/hard_for_policy.json": ("soft_bounce", "5.7.1"),
    "postmark/transient.json": ("delay", "4.3.0"),
    "postmark/auto_responder.json": ("other", ""),
    "postmark/spam_complaint.json": ("complaint", ""),
    "postmark/delivery.json": ("delivered", "2.0.0"),
    "postmark/subscription_change.json": ("unsubscribe", ""),
    "postmark/open.json": ("other", ""),
    "mailgun/permanent_failure.json": ("hard_bounce", "5.1.1"),
    "mailgun/full_mailbox.json": ("soft_bounce", "5.2.2"),
    "mailgun/suppressed.json": ("hard_bounce", ""),
    "mailgun/temporary_failure.json": ("delay", "4.2.2"),
    "mailgun/delivered.json": ("delivered", ""),
    "mailgun/complained.json": ("complaint", ""),
    "mailgun/unsubscribed.json": ("unsubscribe", ""),
    "mailgun/opened.json": ("other", ""),
    "mailgun/legacy_bounced.form": ("hard_bounce", "5.1.1"),
    "mailgun/legacy_dropped.multipart": ("hard_bounce", ""),
    "brevo/hard_bounce.json": ("hard_bounce", "5.1.1"),
    "brevo/soft_bounce.json": ("soft_bounce", "4.2.2"),
    "brevo/deferred.json": ("delay", "4.7.0"),
    "brevo/spam.json": ("complaint", ""),
    "brevo/unsubscribed.json": ("unsubscribe", ""),
    "brevo/delivered.json": ("delivered", ""),
    "brevo/request.json": ("other", ""),
    "sendgrid/bounce.json": ("hard_bounce", "5.1.1"),
    "sendgrid/blocked.json": ("soft_bounce", "5.7.1"),
    "sendgrid/deferred.json": ("delay", ""),
    "sendgrid/dropped.json": ("hard_bounce", "5.0.0"),
    "sendgrid/delivered.json": ("delivered", ""),
    "sendgrid/spamreport.json": ("complaint", ""),
    "sendgrid/unsubscribe.json": ("unsubscribe", ""),
    "smtp2go/hard_bounce.json": ("hard_bounce", "5.1.1"),
    "smtp2go/soft_bounce.json": ("soft_bounce", "4.2.2"),
    "smtp2go/hard_bounce.form": ("hard_bounce", "5.1.1"),
    "smtp2go/delivered.json": ("delivered", "2.0.0"),
    "smtp2go/spam.json": ("complaint", ""),
    "smtp2go/unsubscribe.json": ("unsubscribe", ""),
    "smtp2go/reject.json": ("soft_bounce", ""),
    "smtp2go/processed.json": ("other", ""),
    "amazon_ses/bounce.json": ("hard_bounce", "5.1.1"),
    "amazon_ses/transient.json": ("soft_bounce", "5.2.2"),
    "amazon_ses/complaint.json": ("complaint", ""),
    "amazon_ses/delivery.json": ("delivered", ""),
    "amazon_ses/delay.json": ("delay", "4.4.1"),
    "amazon_ses/subscription.json": ("unsubscribe", ""),
    "amazon_ses/open.json": ("other", ""),
}
BATCHES = {
    "brevo/batch.json": ["other", "delivered", "other", "hard_bounce"],
    "sendgrid/batch.json": ["other", "delay", "other", "hard_bounce", "other"],
}


def body_of(provider: str, body: bytes) -> bytes:
    """What is stored of a captured call: Amazon's are in an envelope."""
    if provider != "amazon_ses":
        return body
    return sns.as_body(sns.notification(body.decode(), MessageId="11111111-2222-4333-8444-555555555555"))


def events_of(name: str) -> list[ProviderEvent]:
    provider, _, file = name.partition("/")
    return read_events(provider, body_of(provider, captured(provider, file)))


def changed(name: str, **changes: Any) -> ProviderEvent:
    """A captured call with other values on its first level."""
    provider, _, file = name.partition("/")
    call = json.loads(captured(provider, file))
    call = [call[0] | changes] if isinstance(call, list) else call | changes
    return read_events(provider, body_of(provider, json.dumps(call).encode()))[0]


def test_every_captured_call_is_expected() -> None:
    files = {f"{file.parent.name}/{file.name}" for file in CALLS.glob("*/*")}
    assert files == EXPECTED.keys() | BATCHES.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_call_says_what_happened_to_which_message(name: str) -> None:
    (event,) = events_of(name)
    assert (event.kind.value, event.status) == EXPECTED[name]
    assert event.recipient == RECIPIENT
    assert OUR_ID.strip("<>") in {one.strip("<>") for one in event.message_ids}
    assert event.occurred_at is not None
    assert event.occurred_at.date().isoformat() in {"2026-11-21", "2026-11-20"} or name == "postmark/open.json"


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_is_read_in_its_order(name: str) -> None:
    assert [event.kind.value for event in events_of(name)] == BATCHES[name]


@pytest.mark.parametrize("name", ["sendgrid/batch.json", "brevo/batch.json"])
def test_an_event_that_cannot_be_read_costs_only_itself(name: str) -> None:
    provider, _, file = name.partition("/")
    call = [5, *json.loads(captured(provider, file))]
    kinds = [event.kind.value for event in read_events(provider, json.dumps(call).encode())]
    assert kinds == ["other", *BATCHES[name]]


def test_brevos_batch_may_be_wrapped() -> None:
    call = {"events": json.loads(captured("brevo", "batch.json"))}
    assert len(read_events("brevo", json.dumps(call).encode())) == 4


# -- Ids


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("postmark/hard_bounce.json", (OUR_ID, "883953f4-6105-42a2-a16a-77a8eac79483")),
        ("brevo/hard_bounce.json", (OUR_ID, "<202611210932.41857462@smtp-relay.mailin.fr>")),
        ("sendgrid/bounce.json", (OUR_ID, "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0")),
        ("smtp2go/hard_bounce.json", (OUR_ID, "1u0SwL-B9zBpi9ffUq-JAB2")),
        ("mailgun/permanent_failure.json", (OUR_ID,)),
        (
            "amazon_ses/bounce.json",
            (
                OUR_ID,
                "<0100018c5f3e2a1b-3f1b7a52-6f0e-4c1e-9d1d-4a5b6c7d8e9f-000000@email.amazonses.com>",
                "<0100018c5f3e2a1b-3f1b7a52-6f0e-4c1e-9d1d-4a5b6c7d8e9f-000000@us-east-1.amazonses.com>",
                "0100018c5f3e2a1b-3f1b7a52-6f0e-4c1e-9d1d-4a5b6c7d8e9f-000000",
            ),
        ),
    ],
)
def test_every_id_is_told(name: str, ids: tuple[str, ...]) -> None:
    assert events_of(name)[0].message_ids == ids


@pytest.mark.parametrize(
    ("name", "event_id"),
    [
        ("postmark/hard_bounce.json", "4323372036854775807"),
        ("mailgun/permanent_failure.json", "G9Bn5sl1TC6nu79C8C0bwg"),
        ("sendgrid/bounce.json", "bounce-6g4ZI7SA-xmRDv57GoPIPw=="),
        ("smtp2go/hard_bounce.json", "6f1ed002ab5595859014ebf0951522d9"),
        ("amazon_ses/bounce.json", "11111111-2222-4333-8444-555555555555:0"),
        ("brevo/hard_bounce.json", ""),
    ],
)
def test_the_events_own_id_is_told(name: str, event_id: str) -> None:
    assert events_of(name)[0].event_id == event_id


def test_postmarks_bounce_tells_when_and_why() -> None:
    (event,) = events_of("postmark/hard_bounce.json")
    assert event.occurred_at == datetime(2026, 11, 21, 9, 32, 0, 527396, tzinfo=UTC)
    assert event.text == "smtp;550 5.1.1 The email account that you tried to reach does not exist."


# -- Hard or soft


@pytest.mark.parametrize(
    ("name", "changes", "kind"),
    [
        ("postmark/hard_bounce.json", {"Details": "Test bounce details"}, Kind.HARD_BOUNCE),
        ("postmark/hard_bounce.json", {"Details": "", "Description": ""}, Kind.HARD_BOUNCE),
        ("postmark/hard_bounce.json", {"Details": "smtp;452 4.2.2 over quota"}, Kind.SOFT_BOUNCE),
        ("postmark/hard_bounce.json", {"Type": "SomethingNew"}, Kind.OTHER),
        ("postmark/subscription_change.json", {"Origin": "Admin"}, Kind.OTHER),
        ("postmark/subscription_change.json", {"SuppressSending": False}, Kind.OTHER),
        ("postmark/subscription_change.json", {"SuppressionReason": "HardBounce"}, Kind.HARD_BOUNCE),
        ("postmark/subscription_change.json", {"SuppressionReason": "SpamComplaint"}, Kind.COMPLAINT),
        ("brevo/hard_bounce.json", {"event": "invalid_email"}, Kind.HARD_BOUNCE),
        ("brevo/hard_bounce.json", {"reason": "550 5.7.1 blocked by policy"}, Kind.SOFT_BOUNCE),
        ("brevo/hard_bounce.json", {"event": "blocked"}, Kind.SOFT_BOUNCE),
        ("brevo/hard_bounce.json", {"event": "error"}, Kind.SOFT_BOUNCE),
        ("sendgrid/bounce.json", {"type": "blocked"}, Kind.SOFT_BOUNCE),
        ("sendgrid/bounce.json", {"status": "5.7.1", "reason": "550 spam"}, Kind.SOFT_BOUNCE),
        ("sendgrid/dropped.json", {"reason": "Unsubscribed Address"}, Kind.UNSUBSCRIBE),
        ("sendgrid/dropped.json", {"reason": "Spam Reporting Address"}, Kind.COMPLAINT),
        ("sendgrid/dropped.json", {"reason": "Invalid SMTPAPI header"}, Kind.SOFT_BOUNCE),
        ("sendgrid/unsubscribe.json", {"event": "group_unsubscribe"}, Kind.UNSUBSCRIBE),
        ("sendgrid/unsubscribe.json", {"event": "group_resubscribe"}, Kind.OTHER),
        ("smtp2go/hard_bounce.json", {"message": "554 5.7.1 spam detected"}, Kind.SOFT_BOUNCE),
        ("smtp2go/hard_bounce.json", {"bounce": "unheard of"}, Kind.SOFT_BOUNCE),
        ("smtp2go/spam.json", {"event": "spam_complaint"}, Kind.COMPLAINT),
        ("smtp2go/spam.json", {"event": "resubscribe"}, Kind.OTHER),
    ],
)
def test_only_an_address_that_is_no_good_is_hard(name: str, changes: dict[str, Any], kind: Kind) -> None:
    assert changed(name, **changes).kind is kind


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"bounceType": "Permanent", "bounceSubType": "NoEmail"}, Kind.HARD_BOUNCE),
        ({"bounceType": "Permanent", "bounceSubType": "OnAccountSuppressionList"}, Kind.HARD_BOUNCE),
        ({"bounceType": "Undetermined", "bounceSubType": "Undetermined"}, Kind.SOFT_BOUNCE),
        ({"bounceType": "Transient", "bounceSubType": "General"}, Kind.SOFT_BOUNCE),
    ],
)
def test_amazons_types_of_bounces(changes: dict[str, str], kind: Kind) -> None:
    bounce = json.loads(captured("amazon_ses", "bounce.json"))["bounce"]
    assert changed("amazon_ses/bounce.json", bounce=bounce | changes).kind is kind


def test_amazons_general_bounce_for_policy_is_soft() -> None:
    bounce = json.loads(captured("amazon_ses", "bounce.json"))["bounce"]
    told = {"emailAddress": RECIPIENT, "status": "5.7.1", "diagnosticCode": "smtp; 550 5.7.1 refused as spam"}
    assert changed("amazon_ses/bounce.json", bounce=bounce | {"bouncedRecipients": [told]}).kind is Kind.SOFT_BOUNCE


def test_a_complaint_that_amazon_only_remembers_is_none_of_now() -> None:
    complaint = json.loads(captured("amazon_ses", "complaint.json"))["complaint"]
    told = complaint | {"complaintSubType": "OnAccountSuppressionList"}
    assert changed("amazon_ses/complaint.json", complaint=told).kind is Kind.SOFT_BOUNCE


def test_each_recipient_of_amazons_has_an_event() -> None:
    bounce = json.loads(captured("amazon_ses", "bounce.json"))["bounce"]
    both = [{"emailAddress": "a@x.example"}, {"emailAddress": "b@x.example"}]
    call = json.loads(captured("amazon_ses", "bounce.json")) | {"bounce": bounce | {"bouncedRecipients": both}}
    events = read_events("amazon_ses", body_of("amazon_ses", json.dumps(call).encode()))
    assert [(event.recipient, event.event_id[-2:]) for event in events] == [
        ("a@x.example", ":0"),
        ("b@x.example", ":1"),
    ]


@pytest.mark.parametrize(
    "envelope",
    [
        sns.subscription(),
        sns.subscription("UnsubscribeConfirmation"),
        sns.notification("Successfully validated SNS topic for Amazon SES event publishing."),
    ],
)
def test_what_sns_says_for_itself_is_no_event(envelope: sns.Envelope) -> None:
    assert read_events("amazon_ses", sns.as_body(envelope)) == []


# -- Hostile calls


def test_a_file_in_an_old_form_of_mailgun_is_not_looked_at() -> None:
    form = captured("mailgun", "legacy_dropped.multipart")
    end = b"--c1a5e9a8d04b4d2c--"
    file = (
        b'--c1a5e9a8d04b4d2c\r\nContent-Disposition: form-data; name="attachment-1"; filename="a.eml"\r\n'
        b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n"
    )
    assert read_events("mailgun", form.replace(end, file + end)) == read_events("mailgun", form)


@pytest.mark.parametrize("body", [b"--x\r\n", b"--x\r\nContent-Disposition: form-data", b"&".join([b"a=1"] * 5_000)])
def test_a_form_that_cannot_be_read_is_an_error_with_a_sentence(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"[A-Z].*\."):
        read_events("mailgun", body)


@pytest.mark.parametrize("provider", list(HookProvider))
@pytest.mark.parametrize("body", [b"", b"{", b"null", b"5", b'"x"', b"\xff\xfe", b'{"a":' * 50_000, b'{"a":1,"a":2}'])
def test_what_cannot_be_read_is_an_error_with_a_sentence(provider: str, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"[A-Z].*\."):
        read_events(provider, body)


def test_an_unknown_provider_is_an_error() -> None:
    with pytest.raises(ValueError, match="'mandrill'"):
        read_events("mandrill", b"{}")


def test_too_many_events_are_an_error() -> None:
    with pytest.raises(ValueError, match="5000"):
        read_events("sendgrid", json.dumps([{}] * 5_001).encode())


@pytest.mark.parametrize("name", ["postmark/hard_bounce.json", "brevo/hard_bounce.json", "smtp2go/hard_bounce.json"])
def test_nothing_unprintable_comes_through(name: str) -> None:
    names = ("Details", "reason", "message", "Email", "email", "rcpt", "message-id", "MessageID")
    event = changed(name, **dict.fromkeys(names, "a\x00b\r\nBcc: c\ud800" + "x" * 9_000))
    shown = event.text + event.recipient + "".join(event.message_ids) + event.event_id
    assert shown.isprintable()
    shown.encode()
    assert len(event.text) <= 2_000
    assert len(event.recipient) <= 320


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(name for name in EXPECTED | BATCHES if name.endswith(".json"))), st.data())
def test_any_value_in_any_place_is_read_or_refused_by_a_sentence(name: str, data: st.DataObject) -> None:
    provider, _, file = name.partition("/")
    call = json.loads(captured(provider, file))
    first = call[0] if isinstance(call, list) else call
    place = data.draw(
        st.sampled_from([first, *(value for value in first.values() if isinstance(value, dict) and value)])
    )
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(JSON_VALUES)
    read = outcome(provider, body_of(provider, json.dumps(call).encode()))
    if isinstance(read, str):
        assert read.endswith(".")
        return
    for event in read:
        (event.recipient + event.text + event.status + "".join(event.message_ids)).encode()


@given(st.sampled_from(list(HookProvider)), st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_by_a_sentence(provider: str, body: bytes) -> None:
    read = outcome(provider, body)
    assert not isinstance(read, str) or read.endswith(".")


def outcome(provider: str, body: bytes) -> list[ProviderEvent] | str:
    """The events, or the sentence of the refusal."""
    try:
        return read_events(provider, body)
    except ValueError as error:
        return str(error)
