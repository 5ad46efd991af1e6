"""Provider hooks: made for a credential of a campaign, with a secret that is shown once."""

from typing import Any

import pytest
from django.db import connection

from ampout.accounts.models import Account
from campaigns.models import Campaign
from credentials.models import ProviderHook, SmtpCredential
from tests import factories
from tests.api.answers import assert_code
from tests.conftest import ApiClient
from tests.intake.conftest import MAILGUN_KEY, SENDGRID_PUBLIC, basic, captured
from tests.peers.amazon import TOPIC

NEEDS_TOPIC = (
    "Amazon SES reports through an SNS topic: give its ARN, such as arn:aws:sns:eu-west-1:123456789012:bounces."
)
SECRETS = ("secret", "url_with_secret")


@pytest.fixture
def credential(account: Account) -> SmtpCredential:
    return factories.make_credential(account)


@pytest.fixture
def campaign(account: Account, credential: SmtpCredential) -> Campaign:
    return factories.make_campaign(account, credentials=[credential])


@pytest.fixture
def path(campaign: Campaign, credential: SmtpCredential) -> str:
    return f"/campaigns/{campaign.pk}/smtp_credentials/{credential.pk}/provider_hooks"


def make(api: ApiClient, path: str, **body: Any) -> dict[str, Any]:
    answer = api.post(path, body)
    assert answer.status_code == 201, answer.content
    made: dict[str, Any] = answer.json()
    return made


def test_a_hook_is_shown_with_its_secret_once(api: ApiClient, path: str, credential: SmtpCredential) -> None:
    made = make(api, path, provider="postmark")
    hook = ProviderHook.objects.of(api.account).get()
    base = f"localhost:8000/hooks/in/postmark/{credential.pk}"
    assert made == {
        "id": str(hook.pk),
        "provider": "postmark",
        "url": f"http://{base}",
        "topic_arn": None,
        "has_signing_key": False,
        "confirmed_at": None,
        "last_call_at": None,
        "created_at": made["created_at"],
        "secret": hook.secret,
        "url_with_secret": f"http://ampout:{hook.secret}@{base}",
    }
    assert len(hook.secret) >= 43
    (listed,) = api.get(path).json()
    assert listed == {name: value for name, value in made.items() if name not in SECRETS}


def test_a_wrapped_body_is_taken(api: ApiClient, path: str) -> None:
    assert api.post(path, {"provider_hook": {"provider": "brevo"}}).status_code == 201


def test_amazons_secret_stands_in_the_query(api: ApiClient, path: str) -> None:
    made = make(api, path, provider="amazon_ses", topic_arn=TOPIC)
    assert made["url_with_secret"] == f"{made['url']}?secret={made['secret']}"
    assert made["topic_arn"] == TOPIC


@pytest.mark.parametrize(
    "body",
    [{"provider": "mailgun", "signing_key": MAILGUN_KEY}, {"provider": "sendgrid", "signing_key": SENDGRID_PUBLIC}],
)
def test_a_provider_that_signs_needs_no_secret(api: ApiClient, path: str, body: dict[str, str]) -> None:
    made = make(api, path, **body)
    assert (made["secret"], made["url_with_secret"], made["has_signing_key"]) == (None, made["url"], True)
    assert_code(api.post(f"{path}/{made['id']}/rotate_secret"), 422, "unprocessable")


def test_sendgrid_without_a_key_has_a_secret(api: ApiClient, path: str) -> None:
    assert make(api, path, provider="sendgrid")["secret"]


def test_what_the_api_gave_out_is_what_the_intake_takes(api: ApiClient, anonymous: ApiClient, path: str) -> None:
    made = make(api, path, provider="postmark")
    url = made["url"].removeprefix("http://localhost:8000")
    body = captured("postmark", "hard_bounce.json")
    assert anonymous.post(url, body, **basic(made["secret"])).status_code == 200
    rotated = api.post(f"{path}/{made['id']}/rotate_secret").json()
    assert rotated["secret"] not in {made["secret"], None}
    assert anonymous.post(url, body, **basic(made["secret"])).status_code == 403
    assert anonymous.post(url, body, **basic(rotated["secret"])).status_code == 200
    (listed,) = api.get(path).json()
    assert listed["last_call_at"] is not None
    assert api.delete(f"{path}/{made['id']}").status_code == 204
    assert anonymous.post(url, body, **basic(rotated["secret"])).status_code == 403


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, {"provider": ["This field is required."]}),
        (
            {"provider": "mandrill"},
            {"provider": ["Must be one of: amazon_ses, brevo, mailgun, postmark, sendgrid, smtp2go."]},
        ),
        (
            {"provider": "mailgun"},
            {"signing_key": ["Mailgun signs its calls: give its HTTP webhook signing key."]},
        ),
        (
            {"provider": "mailgun", "signing_key": "key with blanks"},
            {"signing_key": ["Must be visible ASCII characters without blanks: copy it as the provider shows it."]},
        ),
        (
            {"provider": "mailgun", "signing_key": MAILGUN_KEY, "topic_arn": TOPIC},
            {"topic_arn": ["Mailgun has no topic. Leave it out."]},
        ),
        (
            {"provider": "postmark", "signing_key": "x"},
            {"signing_key": ["Postmark has no signing key. Leave it out."]},
        ),
        (
            {"provider": "sendgrid", "signing_key": "MFkw"},
            {"signing_key": ["Must be the verification key of SendGrid's signed event webhook, in base64."]},
        ),
        (
            {"provider": "amazon_ses", "signing_key": "x", "topic_arn": TOPIC},
            {"signing_key": ["Amazon SES has no signing key. Leave it out."]},
        ),
        *(
            (
                {"provider": "amazon_ses"} | topic,
                {"topic_arn": [NEEDS_TOPIC]},
            )
            for topic in (
                {},
                {"topic_arn": "bounces"},
                {"topic_arn": TOPIC.replace("sns", "sqs")},
                {"topic_arn": TOPIC.replace("us-east-1", "us-east-1.evil.example/")},
                {"topic_arn": TOPIC + ":subscription"},
            )
        ),
    ],
)
def test_what_a_provider_lacks_or_does_not_need_is_said(
    api: ApiClient, path: str, body: dict[str, str], problems: dict[str, list[str]]
) -> None:
    answer = api.post(path, body)
    assert_code(answer, 422, "validation_failed")
    assert answer.json()["details"] == problems
    assert not ProviderHook.objects.of(api.account).exists()


def test_a_provider_has_one_hook(api: ApiClient, path: str) -> None:
    make(api, path, provider="postmark")
    answer = api.post(path, {"provider": "postmark"})
    assert_code(answer, 422, "validation_failed")
    assert list(answer.json()["details"]) == ["provider"]
    make(api, path, provider="brevo")
    assert len(api.get(path).json()) == 2


def test_the_same_call_makes_one_hook(api: ApiClient, path: str) -> None:
    first, second = (api.post(path, {"provider": "postmark"}, idempotency_key="once") for _ in range(2))
    assert first.json() == second.json()
    assert second["Idempotent-Replayed"] == "true"


def test_secrets_are_encrypted_at_rest(api: ApiClient, path: str) -> None:
    made = make(api, path, provider="postmark")
    make(api, path, provider="mailgun", signing_key=MAILGUN_KEY)
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(hook)::text FROM credentials_providerhook hook")
        stored = " ".join(row[0] for row in cursor.fetchall())
    assert made["secret"] not in stored
    assert MAILGUN_KEY not in stored
    shown = api.get(path).content.decode()
    assert made["secret"] not in shown
    assert MAILGUN_KEY not in shown


# -- Walls


def test_a_credential_of_no_campaign_of_ours_has_no_hooks(api: ApiClient, campaign: Campaign, account: Account) -> None:
    loose = factories.make_credential(account)
    answer = api.post(f"/campaigns/{campaign.pk}/smtp_credentials/{loose.pk}/provider_hooks", {"provider": "brevo"})
    assert_code(answer, 404, "smtp_credential_not_found")
