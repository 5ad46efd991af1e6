"""Forgeries: each is refused by the same 403, stores nothing, and makes us ask nobody (promises D4, 3.4, 3.9)."""

import base64
import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client
from gunicorn.config import AccessLog  # type: ignore[import-untyped]  # it has no types

from ampout.accounts.models import Account
from ampout.lib import clock
from credentials.models import SmtpCredential
from dispatch.intake.calls import LARGEST_BODY
from dispatch.models import Notice
from tests import factories
from tests.docs.pages import PROJECT
from tests.intake.conftest import (
    MAILGUN_KEY,
    SECRET,
    SENDGRID_PUBLIC,
    TOKEN,
    Posting,
    Sinkhole,
    basic,
    captured,
    mailgun_signature,
    make_hook,
    posting,
    sendgrid_signature,
)
from tests.peers import amazon as sns
from tests.peers.amazon import PretendAmazon

Forge = Callable[[SmtpCredential], Posting]

STRANGER = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
"""Somebody who is not Amazon."""
GOOD_URL = f"https://{sns.HOST}{sns.CERTIFICATE_PATH}"


# -- Amazon's


def to_amazon(credential: SmtpCredential, envelope: sns.Envelope, query: str = f"?secret={SECRET}") -> Posting:
    make_hook(credential, "amazon_ses")
    return Posting(f"/hooks/in/amazon_ses/{credential.pk}{query}", sns.as_body(envelope), "text/plain")


def signed_by_stranger(**changes: Any) -> sns.Envelope:
    return sns.signed(sns.notification("{}", **changes), key=STRANGER)


def without(name: str) -> sns.Envelope:
    envelope = sns.notification("{}")
    del envelope[name]
    return envelope


def ago(**time: float) -> str:
    return (clock.utc_now() - timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def certificate_at(url: str) -> Forge:
    return lambda credential: to_amazon(credential, signed_by_stranger(SigningCertURL=url))


def subscribing_at(url: str) -> Forge:
    return lambda credential: to_amazon(
        credential, sns.signed(sns.subscription(SubscribeURL=url), key=STRANGER) | {"SigningCertURL": url}
    )


FORGED_URLS = {
    "a host that begins like Amazon's": f"https://{sns.HOST}.evil.example{sns.CERTIFICATE_PATH}",
    "a user name that looks like Amazon": f"https://{sns.HOST}@evil.example{sns.CERTIFICATE_PATH}",
    "a password too": f"https://{sns.HOST}:443@evil.example{sns.CERTIFICATE_PATH}",
    "a user name before Amazon": f"https://me@{sns.HOST}{sns.CERTIFICATE_PATH}",
    "plain HTTP": f"http://{sns.HOST}{sns.CERTIFICATE_PATH}",
    "another scheme": f"file://{sns.HOST}{sns.CERTIFICATE_PATH}",
    "a bucket of somebody": f"https://s3.amazonaws.com/evil{sns.CERTIFICATE_PATH}",
    "a bucket by its host": f"https://sns.s3.amazonaws.com{sns.CERTIFICATE_PATH}",
    "another port": f"https://{sns.HOST}:8443{sns.CERTIFICATE_PATH}",
    "the usual port, spelled out": f"https://{sns.HOST}:443{sns.CERTIFICATE_PATH}",
    "a query": f"{GOOD_URL}?x=y",
    "a fragment": f"{GOOD_URL}#x",
    "another file": f"https://{sns.HOST}/evil.pem",
    "a path that climbs": f"https://{sns.HOST}/SimpleNotificationService-../evil.pem",
    "a backslash": f"https://evil.example\\@{sns.HOST}{sns.CERTIFICATE_PATH}",
    "a line end": f"{GOOD_URL}\n",
    "upper case": GOOD_URL.replace("amazonaws", "AMAZONAWS"),
    "full-width dots": GOOD_URL.replace(".amazonaws", "\uff0eamazonaws"),
    "a final dot": f"https://{sns.HOST}.{sns.CERTIFICATE_PATH}",
    "another region's host": GOOD_URL.replace("us-east-1", "eu-west-1"),
    "an address": f"https://127.0.0.1{sns.CERTIFICATE_PATH}",
    "no host": f"https://{sns.CERTIFICATE_PATH}",
}


def to_path(provider: str, credential: SmtpCredential) -> str:
    return f"/hooks/in/{provider}/{credential.pk}"


def to_mailgun(credential: SmtpCredential, signature: object) -> Posting:
    make_hook(credential, "mailgun")
    event = json.loads(captured("mailgun", "permanent_failure.json")) | {"signature": signature}
    return Posting(to_path("mailgun", credential), json.dumps(event).encode())


def moved_digit() -> dict[str, str]:
    """Signed for a token that begins with a digit; read as a time ten times later."""
    given = mailgun_signature("5" + TOKEN)
    return given | {"timestamp": given["timestamp"] + "5", "token": TOKEN}


def twice_named(call: Posting) -> Posting:
    return replace(call, body=call.body[:-1] + b', "event-data": {}}')


def to_postmark(credential: SmtpCredential) -> Posting:
    hook = credential.provider_hooks.filter(provider="postmark").first() or make_hook(credential, "postmark")
    return posting(hook, "hard_bounce.json")


def with_anothers_secret(credential: SmtpCredential) -> Posting:
    other = factories.make_credential(credential.account)
    make_hook(other, "postmark", secret="of-the-other")
    return replace(to_postmark(credential), headers=basic("of-the-other"))


def with_secret_of_other_provider(credential: SmtpCredential) -> Posting:
    make_hook(credential, "brevo", secret="of-brevo")
    return replace(to_postmark(credential), headers=basic("of-brevo"))


def after_deletion(credential: SmtpCredential) -> Posting:
    call = to_postmark(credential)
    credential.provider_hooks.all().delete()
    return call


def to_sendgrid(credential: SmtpCredential, body: bytes, headers: dict[str, str]) -> Posting:
    make_hook(credential, "sendgrid", signing_key=SENDGRID_PUBLIC)
    return Posting(to_path("sendgrid", credential), body, headers=headers)


FORGERIES: dict[str, Forge] = {
    **{f"certificate: {name}": certificate_at(url) for name, url in FORGED_URLS.items()},
    **{f"subscription: {name}": subscribing_at(url) for name, url in FORGED_URLS.items()},
    "amazon without secret": lambda one: to_amazon(one, sns.notification("{}"), ""),
    "amazon with another secret": lambda one: to_amazon(one, sns.notification("{}"), "?secret=wrong"),
    "amazon with two secrets": lambda one: to_amazon(one, sns.notification("{}"), f"?secret={SECRET}&secret={SECRET}"),
    "amazon with the secret as a password": lambda one: replace(
        to_amazon(one, sns.notification("{}"), ""), headers=basic()
    ),
    "another topic": lambda one: to_amazon(one, sns.notification("{}", TopicArn=f"{sns.TOPIC}2")),
    "another account's topic": lambda one: to_amazon(
        one, sns.notification("{}", TopicArn=sns.TOPIC.replace("123456789012", "210987654321"))
    ),
    "another topic's subscription": lambda one: to_amazon(one, sns.subscription(TopicArn=f"{sns.TOPIC}2")),
    "an old notification": lambda one: to_amazon(one, sns.notification("{}", Timestamp=ago(hours=3))),
    "a notification of tomorrow": lambda one: to_amazon(one, sns.notification("{}", Timestamp=ago(days=-1))),
    "a time that is none": lambda one: to_amazon(one, sns.notification("{}", Timestamp="2026-13-41T00:00:00.000Z")),
    "an unknown version of signatures": lambda one: to_amazon(one, sns.notification("{}") | {"SignatureVersion": "3"}),
    "a short signature": lambda one: to_amazon(one, sns.notification("{}") | {"Signature": "AAAA"}),
    "an unknown type": lambda one: to_amazon(one, sns.notification("{}") | {"Type": "Invitation"}),
    "a subject that is no text": lambda one: to_amazon(one, sns.notification("{}") | {"Subject": ["x"]}),
    "an id with a line end": lambda one: to_amazon(one, sns.notification("{}", MessageId="12345678\nSubject\nx")),
    "a token with a line end": lambda one: to_amazon(one, sns.subscription(Token=f"{sns.TOKEN}\nTopicArn\nx")),
    **{
        f"amazon without {name}": lambda one, name=name: to_amazon(one, without(name))  # type: ignore[misc]
        for name in ("Type", "MessageId", "TopicArn", "Message", "Timestamp", "Signature", "SigningCertURL")
    },
    "raw delivery": lambda one: to_amazon(one, json.loads(captured("amazon_ses", "bounce.json"))),
    # -- Mailgun's
    "mailgun signed with another key": lambda one: to_mailgun(one, mailgun_signature(key="key-of-somebody")),
    "mailgun signed with no key": lambda one: to_mailgun(one, mailgun_signature(key="")),
    "mailgun, sixteen minutes old": lambda one: to_mailgun(one, mailgun_signature(age_seconds=16 * 60)),
    "mailgun, sixteen minutes ahead": lambda one: to_mailgun(one, mailgun_signature(age_seconds=-16 * 60)),
    "mailgun with a newer time": lambda one: to_mailgun(
        one, mailgun_signature(age_seconds=3_600) | {"timestamp": str(int(clock.utc_now().timestamp()))}
    ),
    "mailgun with another token": lambda one: to_mailgun(one, mailgun_signature() | {"token": TOKEN[::-1]}),
    "mailgun, a digit moved from token to time": lambda one: to_mailgun(one, moved_digit()),
    "mailgun without signature": lambda one: to_mailgun(one, None),
    "mailgun with a signature that is no text": lambda one: to_mailgun(
        one, {"timestamp": [], "token": {}, "signature": 1}
    ),
    "mailgun with letters beyond ASCII": lambda one: to_mailgun(one, mailgun_signature() | {"token": "ü" * 50}),
    "mailgun with a list": lambda one: replace(to_mailgun(one, None), body=b"[]"),
    "mailgun with our secret instead": lambda one: replace(to_mailgun(one, None), headers=basic()),
    "mailgun as a form of another kind": lambda one: replace(
        to_mailgun(one, mailgun_signature()), content_type="application/x-www-form-urlencoded"
    ),
    "mailgun, a field named twice": lambda one: twice_named(to_mailgun(one, mailgun_signature())),
    "mailgun, too deep": lambda one: replace(to_mailgun(one, None), body=b'{"signature":' * 50_000),
    # -- Those known by a secret
    "a wrong secret": lambda one: replace(to_postmark(one), headers=basic("wrong")),
    "no secret": lambda one: replace(to_postmark(one), headers={}),
    "an empty secret": lambda one: replace(to_postmark(one), headers=basic("")),
    "another user name": lambda one: replace(to_postmark(one), headers=basic(user="admin")),
    "the secret in the query": lambda one: replace(
        to_postmark(one), path=f"{to_path('postmark', one)}?secret={SECRET}", headers={}
    ),
    "the secret as a bearer": lambda one: replace(to_postmark(one), headers={"Authorization": f"Bearer {SECRET}"}),
    "basic authentication that is none": lambda one: replace(to_postmark(one), headers={"Authorization": "Basic ?"}),
    "basic authentication beyond UTF-8": lambda one: replace(
        to_postmark(one), headers={"Authorization": "Basic " + base64.b64encode(b"ampout:\xff").decode()}
    ),
    "the secret of another credential": with_anothers_secret,
    "the secret of another provider's hook": with_secret_of_other_provider,
    "a provider without a hook": lambda one: replace(to_postmark(one), path=to_path("brevo", one)),
    "an unknown provider": lambda one: replace(to_postmark(one), path=to_path("mandrill", one)),
    "an unknown credential": lambda one: replace(to_postmark(one), path=f"/hooks/in/postmark/{uuid.uuid4()}"),
    "no credential's id": lambda one: replace(to_postmark(one), path="/hooks/in/postmark/none"),
    "a NUL for an id": lambda one: replace(to_postmark(one), path="/hooks/in/postmark/%00"),
    "a hook that was deleted": after_deletion,
    # -- SendGrid's
    "sendgrid, swapped events": lambda one: to_sendgrid(one, b"[]", sendgrid_signature(b"[{}]")),
    "sendgrid, a day and a half old": lambda one: to_sendgrid(
        one, b"[]", sendgrid_signature(b"[]", age_seconds=36 * 3_600)
    ),
    "sendgrid, an hour ahead": lambda one: to_sendgrid(one, b"[]", sendgrid_signature(b"[]", age_seconds=-3_600)),
    "sendgrid without signature": lambda one: to_sendgrid(one, b"[]", {}),
    "sendgrid with our secret instead": lambda one: to_sendgrid(one, b"[]", basic()),
    "sendgrid, a signature that is none": lambda one: to_sendgrid(
        one, b"[]", sendgrid_signature(b"[]") | {"X-Twilio-Email-Event-Webhook-Signature": "ü"}
    ),
    "sendgrid, no time": lambda one: to_sendgrid(
        one, b"[]", sendgrid_signature(b"[]") | {"X-Twilio-Email-Event-Webhook-Timestamp": "now"}
    ),
}


def assert_refused(answer: Any) -> None:
    assert answer.status_code == 403, answer.content
    assert answer.json() == {
        "code": "insufficient_scope",
        "type": "https://ampout.dev/errors/insufficient_scope",
        "message": "This call is not known to be the provider's.",
        "details": {},
    }


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused_and_nobody_is_asked(
    client: Client, credential: SmtpCredential, sinkhole: Sinkhole, name: str
) -> None:
    assert_refused(FORGERIES[name](credential).send(client))
    assert Notice.everywhere.count() == 0
    assert (sinkhole.connections(), sinkhole.names_asked()) == (0, 0)
    assert set(credential.provider_hooks.values_list("last_call_at", "confirmed_at")) <= {(None, None)}


def test_there_are_more_than_enough_of_them() -> None:
    assert len(FORGERIES) >= 25


def test_refusals_are_the_same_to_the_byte(client: Client, credential: SmtpCredential) -> None:
    call = to_postmark(credential)
    answers = [
        replace(call, headers=basic("wrong")).send(client),
        replace(call, path=to_path("brevo", credential)).send(client),
        replace(call, path=f"/hooks/in/postmark/{uuid.uuid4()}").send(client),
        replace(call, path="/hooks/in/nobody/none").send(client),
    ]
    assert len({answer.content for answer in answers}) == 1
    assert len({str(sorted(answer.headers.items())) for answer in answers}) == 1


def test_unknown_and_known_cost_the_same_queries(
    client: Client, credential: SmtpCredential, django_assert_num_queries: Any
) -> None:
    call = to_postmark(credential)
    for path in (call.path, to_path("brevo", credential), f"/hooks/in/postmark/{uuid.uuid4()}", "/hooks/in/x/none"):
        with django_assert_num_queries(1):
            replace(call, path=path, headers=basic("wrong")).send(client)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_post_is_taken(client: Client, credential: SmtpCredential, method: str) -> None:
    answer = to_postmark(credential).send(client, method)
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert Notice.everywhere.count() == 0


def test_a_body_that_is_too_large_is_not_read(client: Client, credential: SmtpCredential) -> None:
    call = replace(to_postmark(credential), body=b" " * (LARGEST_BODY + 1))
    for path in (call.path, "/hooks/in/postmark/none"):
        answer = replace(call, path=path).send(client)
        assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")


def test_a_chunked_body_is_not_read(client: Client, credential: SmtpCredential) -> None:
    call = to_postmark(credential)
    assert replace(call, headers=basic() | {"Transfer-Encoding": "chunked"}).send(client).status_code == 400


# -- Replays


def test_mailguns_token_is_good_for_one_body(client: Client, credential: SmtpCredential) -> None:
    signature = mailgun_signature()
    good = to_mailgun(credential, signature)
    assert good.send(client).status_code == 200
    event = json.loads(captured("mailgun", "complained.json")) | {"signature": signature}
    assert_refused(replace(good, body=json.dumps(event).encode()).send(client))
    assert good.send(client).status_code == 200
    assert [bytes(one.body) for one in Notice.everywhere.all()] == [good.body]


def test_a_call_replayed_to_another_credential_is_refused(
    client: Client, credential: SmtpCredential, other_account: Account
) -> None:
    """Mailgun's signature names no recipient: the same key at two credentials is the users' choice, another is not."""
    good = to_mailgun(credential, mailgun_signature())
    other = factories.make_credential(other_account)
    make_hook(other, "mailgun", signing_key=MAILGUN_KEY[::-1])
    assert_refused(replace(good, path=to_path("mailgun", other)).send(client))


def test_a_sendgrid_call_replayed_later_has_no_effect(client: Client, credential: SmtpCredential) -> None:
    call = to_sendgrid(
        credential, b'[{"event": "bounce"}]', sendgrid_signature(b'[{"event": "bounce"}]', age_seconds=80_000)
    )
    assert [call.send(client).status_code for _ in range(2)] == [200, 200]
    assert Notice.everywhere.count() == 1


# -- Amazon's signature


def test_a_stranger_with_the_secret_is_refused_by_the_signature(
    client: Client, credential: SmtpCredential, amazon: PretendAmazon
) -> None:
    assert_refused(to_amazon(credential, signed_by_stranger()).send(client))
    assert Notice.everywhere.count() == 0


@pytest.mark.parametrize("field", ["Message", "MessageId", "Subject", "Timestamp"])
def test_a_changed_field_breaks_the_signature(
    client: Client, credential: SmtpCredential, amazon: PretendAmazon, field: str
) -> None:
    envelope = sns.notification("{}")
    changed = {"Message": "{ }", "MessageId": str(uuid.uuid4()), "Subject": "x", "Timestamp": ago(minutes=1)}[field]
    assert_refused(to_amazon(credential, envelope | {field: changed}).send(client))


def test_a_removed_subject_breaks_the_signature(
    client: Client, credential: SmtpCredential, amazon: PretendAmazon
) -> None:
    assert_refused(to_amazon(credential, without("Subject")).send(client))


def test_another_version_breaks_the_signature(
    client: Client, credential: SmtpCredential, amazon: PretendAmazon
) -> None:
    assert_refused(to_amazon(credential, sns.notification("{}", version="1") | {"SignatureVersion": "2"}).send(client))


def test_a_notification_does_not_become_a_subscription(
    client: Client, credential: SmtpCredential, amazon: PretendAmazon
) -> None:
    changed = sns.subscription() | {"Signature": sns.notification("{}")["Signature"]}
    assert_refused(to_amazon(credential, changed).send(client))
    assert amazon.confirmations() == []


@pytest.mark.parametrize(("begins", "ends"), [(-20, -10), (10, 20)])
def test_a_certificate_out_of_its_time_is_not_believed(
    client: Client, credential: SmtpCredential, amazon: PretendAmazon, begins: int, ends: int
) -> None:
    now = clock.utc_now()
    amazon.shows(
        sns.make_certificate(sns.signing_key(), begins=now + timedelta(days=begins), ends=now + timedelta(days=ends))
    )
    assert_refused(to_amazon(credential, sns.notification("{}")).send(client))


def test_a_weak_key_is_not_believed(client: Client, credential: SmtpCredential, amazon: PretendAmazon) -> None:
    weak = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)
    now = clock.utc_now()
    amazon.shows(sns.make_certificate(weak, begins=now - timedelta(days=1), ends=now + timedelta(days=1)))
    assert_refused(to_amazon(credential, sns.signed(sns.notification("{}"), key=weak)).send(client))


def test_the_address_in_a_confirmation_is_never_fetched_itself(
    client: Client, credential: SmtpCredential, amazon: PretendAmazon
) -> None:
    call = to_amazon(credential, sns.subscription(SubscribeURL=f"https://{sns.HOST}/?Action=DeleteTopic"))
    assert call.send(client).status_code == 200
    assert [path.partition("&")[0] for path in amazon.confirmations()] == ["/?Action=ConfirmSubscription"]


# -- Leaks


def test_no_secret_is_logged(
    client: Client, credential: SmtpCredential, amazon: PretendAmazon, caplog: pytest.LogCaptureFixture
) -> None:
    to_amazon(credential, sns.notification("{}") | {"Type": "x"}).send(client)
    replace(to_postmark(credential), headers=basic(f"{SECRET}x")).send(client)
    amazon.is_down()
    Posting(to_path("amazon_ses", credential) + f"?secret={SECRET}", sns.as_body(sns.subscription())).send(client)
    shown = caplog.text + repr(credential.provider_hooks.all())
    assert SECRET not in shown
    assert base64.b64encode(f"ampout:{SECRET}".encode()).decode() not in shown


def test_the_web_server_writes_no_access_log() -> None:
    """Amazon's secret stands in the query."""
    assert AccessLog.default is None
    for text in (PROJECT / "Dockerfile", PROJECT / "fly.toml", PROJECT / "ampout" / "supervisor" / "services.py"):
        assert "access-log" not in text.read_text()
