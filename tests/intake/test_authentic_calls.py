"""Calls that are the provider's: stored once, answered after the commit, and noted."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from ampout.lib import clock
from credentials.models import ProviderHook, SmtpCredential
from dispatch.gateways.sns import Amazon
from dispatch.models import Notice
from tests.intake.conftest import (
    CALLS,
    CONTENT_TYPES,
    SECRET,
    SENDGRID_PUBLIC,
    Posting,
    basic,
    captured,
    mailgun_signature,
    make_hook,
    posting,
)
from tests.peers import amazon as sns
from tests.peers.amazon import PretendAmazon

EVERY_CALL = [
    (folder.name, file.name)
    for folder in sorted(CALLS.iterdir())
    if folder.is_dir() and folder.name != "amazon_ses"
    for file in sorted(folder.iterdir())
    if file.suffix == ".json" or folder.name == "smtp2go"
]


def bodies() -> list[bytes]:
    return [bytes(body) for body in Notice.everywhere.order_by("received_at").values_list("body", flat=True)]


@pytest.mark.parametrize(("provider", "name"), EVERY_CALL)
def test_a_call_is_stored_raw(client: Client, credential: SmtpCredential, provider: str, name: str) -> None:
    call = posting(make_hook(credential, provider), name)
    answer = call.send(client)
    assert (answer.status_code, answer.content) == (200, b"{}")
    notice = Notice.everywhere.get()
    assert (bytes(notice.body), notice.source, notice.credential_id) == (call.body, provider, credential.pk)
    assert (notice.account_id, notice.processed_at) == (credential.account_id, None)


@pytest.mark.parametrize(("provider", "name"), EVERY_CALL)
def test_a_call_that_comes_five_times_is_stored_once(
    client: Client, credential: SmtpCredential, provider: str, name: str
) -> None:
    call = posting(make_hook(credential, provider), name)
    assert [call.send(client).status_code for _ in range(5)] == [200] * 5
    assert bodies() == [call.body]


def test_different_calls_are_stored_apart(client: Client, credential: SmtpCredential) -> None:
    hook = make_hook(credential, "postmark")
    for name in ("hard_bounce.json", "delivery.json", "hard_bounce.json"):
        posting(hook, name).send(client)
    assert len(bodies()) == 2


@pytest.mark.parametrize("suffix", ["form", "multipart"])
def test_mailguns_old_forms_are_taken(client: Client, credential: SmtpCredential, suffix: str) -> None:
    hook = make_hook(credential, "mailgun")
    name = {"form": "legacy_bounced.form", "multipart": "legacy_dropped.multipart"}[suffix]
    body = captured("mailgun", name).decode()
    old = {
        "timestamp": "1795253520",
        "token": "4d1c5b0fd1a74b8e8f9a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d",
        "signature": "0" * 64,
    }
    for field, value in mailgun_signature().items():
        body = body.replace(old[field], value)
    url = f"/hooks/in/mailgun/{hook.credential_id}"
    answer = Posting(url, body.encode(), CONTENT_TYPES[f".{suffix}"]).send(client)
    assert answer.status_code == 200
    assert bodies() == [body.encode()]


def test_sendgrids_signature_is_enough(client: Client, credential: SmtpCredential) -> None:
    hook = make_hook(credential, "sendgrid", secret="", signing_key=SENDGRID_PUBLIC)
    assert posting(hook, "batch.json").send(client).status_code == 200
    assert bodies() == [captured("sendgrid", "batch.json")]


def test_an_unknown_type_of_event_is_stored(client: Client, credential: SmtpCredential) -> None:
    hook = make_hook(credential, "postmark")
    assert posting(hook, "x.json", b'{"RecordType": "SomethingNew"}').send(client).status_code == 200
    assert bodies() == [b'{"RecordType": "SomethingNew"}']


def test_a_call_of_a_retired_mailbox_is_stored(client: Client, credential: SmtpCredential) -> None:
    hook = make_hook(credential, "postmark")
    SmtpCredential.everywhere.update(retired_at=clock.utc_now())
    assert posting(hook, "hard_bounce.json").send(client).status_code == 200
    assert len(bodies()) == 1


def test_the_last_call_is_kept_to_the_minute(client: Client, credential: SmtpCredential) -> None:
    hook = make_hook(credential, "postmark")
    earlier = clock.utc_now()
    posting(hook, "hard_bounce.json").send(client)
    hook.refresh_from_db()
    assert hook.last_call_at is not None
    assert (hook.last_call_at.second, hook.last_call_at.microsecond) == (0, 0)
    assert hook.last_call_at >= earlier - timedelta(minutes=1)


def test_a_later_call_in_the_minute_writes_nothing(
    client: Client, credential: SmtpCredential, django_assert_num_queries: Any
) -> None:
    hook = make_hook(credential, "postmark")
    posting(hook, "hard_bounce.json").send(client)
    with django_assert_num_queries(5):
        # Savepoint, hook, notice, last call, savepoint: the same for each.
        posting(hook, "delivery.json").send(client)


@pytest.mark.django_db(transaction=True)
def test_the_answer_comes_after_the_commit(client: Client, credential: SmtpCredential) -> None:
    hook = make_hook(credential, "postmark")
    posting(hook, "hard_bounce.json").send(client)
    seen: list[int] = []

    def look() -> None:
        seen.append(Notice.everywhere.count())
        connection.close()

    elsewhere = threading.Thread(target=look)
    elsewhere.start()
    elsewhere.join()
    assert seen == [1]


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_stored_is_not_answered_by_200(client: Client, credential: SmtpCredential) -> None:
    hook = make_hook(credential, "postmark")
    client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE dispatch_notice RENAME TO away")
        try:
            answer = posting(hook, "hard_bounce.json").send(client)
        finally:
            cursor.execute("ALTER TABLE away RENAME TO dispatch_notice")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    hook.refresh_from_db()
    assert hook.last_call_at is None


# -- Amazon


@pytest.fixture
def hook(credential: SmtpCredential) -> ProviderHook:
    return make_hook(credential, "amazon_ses")


def ses(hook: ProviderHook, envelope: sns.Envelope) -> Posting:
    return Posting(f"/hooks/in/amazon_ses/{hook.credential_id}?secret={SECRET}", sns.as_body(envelope), "text/plain")


@pytest.mark.parametrize("version", ["1", "2"])
def test_amazons_notifications_are_taken(
    client: Client, hook: ProviderHook, amazon: PretendAmazon, version: str
) -> None:
    call = ses(hook, sns.notification(captured("amazon_ses", "bounce.json").decode(), version=version))
    assert [call.send(client).status_code for _ in range(5)] == [200] * 5
    assert bodies() == [call.body]


def test_a_notification_without_subject_is_taken(client: Client, hook: ProviderHook, amazon: PretendAmazon) -> None:
    envelope = sns.notification("{}")
    del envelope["Subject"]
    assert ses(hook, sns.signed(envelope)).send(client).status_code == 200


def test_the_certificate_is_fetched_once(client: Client, hook: ProviderHook, amazon: PretendAmazon) -> None:
    for number in range(3):
        assert ses(hook, sns.notification(json.dumps({"n": number}))).send(client).status_code == 200
    assert amazon.certificates_fetched() == 1


def test_a_subscription_is_confirmed_once(client: Client, hook: ProviderHook, amazon: PretendAmazon) -> None:
    call = ses(hook, sns.subscription())
    assert [call.send(client).status_code for _ in range(5)] == [200] * 5
    topic = "arn%3Aaws%3Asns%3Aus-east-1%3A123456789012%3Abounces"
    assert amazon.confirmations() == [f"/?Action=ConfirmSubscription&TopicArn={topic}&Token={sns.TOKEN}"]
    hook.refresh_from_db()
    assert hook.confirmed_at is not None


def test_a_subscription_made_anew_is_confirmed_anew(client: Client, hook: ProviderHook, amazon: PretendAmazon) -> None:
    for _ in range(2):
        assert ses(hook, sns.subscription()).send(client).status_code == 200
    assert len(amazon.confirmations()) == 2


def test_amazon_is_asked_again_after_its_silence(client: Client, hook: ProviderHook, amazon: PretendAmazon) -> None:
    ses(hook, sns.notification("{}")).send(client)
    call, down = ses(hook, sns.subscription()), amazon
    down.is_down()
    refused = call.send(client)
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    hook.refresh_from_db()
    assert hook.confirmed_at is None
    amazon.is_up()
    assert call.send(client).status_code == 200
    hook.refresh_from_db()
    assert hook.confirmed_at is not None
    assert len(bodies()) == 2


def test_the_end_of_a_subscription_is_noted(client: Client, hook: ProviderHook, amazon: PretendAmazon) -> None:
    ses(hook, sns.subscription()).send(client)
    assert ses(hook, sns.subscription("UnsubscribeConfirmation")).send(client).status_code == 200
    hook.refresh_from_db()
    assert hook.confirmed_at is None
    assert len(amazon.confirmations()) == 1


def test_without_a_certificate_amazon_is_told_to_come_again(
    client: Client, hook: ProviderHook, amazon: PretendAmazon
) -> None:
    amazon.is_down()
    call = ses(hook, sns.notification("{}"))
    assert call.send(client).status_code == 503
    assert bodies() == []
    amazon.is_up()
    assert call.send(client).status_code == 200


def test_nothing_is_fetched_inside_of_a_transaction(
    client: Client, hook: ProviderHook, amazon: PretendAmazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    depths: list[int] = []
    outside = len(connection.savepoint_ids)
    fetch = Amazon._fetch

    def noting(amazon: Amazon, url: str) -> bytes:
        depths.append(len(connection.savepoint_ids))
        return fetch(amazon, url)

    monkeypatch.setattr(Amazon, "_fetch", noting)
    assert ses(hook, sns.subscription()).send(client).status_code == 200
    assert depths == [outside, outside]


# -- The provider's own mistakes


def test_a_body_that_cannot_be_read_is_a_bad_request(client: Client, credential: SmtpCredential) -> None:
    hook = make_hook(credential, "postmark")
    for body in (b" ", b"1", b"a=1", b"{", b'{"a": 1, "a": 2}', b"[" * 100_000, b"\xff", b'{"a": NaN}'):
        answer = posting(hook, "x.json", body).send(client)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request"), body[:20]
    assert bodies() == []


def test_a_wrong_content_type_is_refused(client: Client, credential: SmtpCredential) -> None:
    hook = make_hook(credential, "postmark")
    call = Posting(posting(hook, "hard_bounce.json").path, b"{}", "text/html", basic())
    answer = call.send(client)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert bodies() == []
