"""The page of the API has every route, every field of a body, and examples that are true."""

import re
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.urls import URLPattern
from pytest_django.fixtures import Settings

from ampout.accounts.models import Account
from ampout.api import (
    account,
    api_keys,
    campaigns,
    contact_imports,
    contacts,
    enrollments,
    messages,
    outreaches,
    provider_hooks,
    sequence_steps,
    signup,
    smtp_credentials,
    suppressions,
    webhooks,
)
from ampout.api.urls import urlpatterns
from ampout.events.models import Event, WebhookDelivery
from ampout.lib import clock
from campaigns.models import Campaign, Contact
from dispatch.models import Attempt, Message
from dispatch.services.unsubscribe import make_token
from tests import factories
from tests.conftest import ApiClient
from tests.docs.examples import Example, differences, read_examples
from tests.docs.pages import bare, read, rows, section

PAGE = read("reference/api.md")
EXAMPLES = read_examples()
HEADINGS = re.findall(r"^### `(?:GET|POST|PATCH|DELETE) .*$", PAGE, re.MULTILINE)
ELSEWHERE = {
    ("GET", "/u/:id"),
    ("POST", "/u/:id"),
    ("GET", "/o/:id"),
    ("GET", "/c/:id"),
    ("POST", "/hooks/in/:id/:id"),
    ("GET", "/healthz"),
}
"""What is no part of the API's own URL configuration."""

SCHEMAS: dict[str, Mapping[str, Any]] = {
    "`POST /signup`": signup.SIGNUP,
    "`GET /account`, `PATCH /account`": account.ACCOUNT,
    "`GET /api_keys`, `POST /api_keys`": api_keys.API_KEY,
    "`GET /contact_imports`, `POST /contact_imports`": contact_imports.CONTACT_IMPORT,
    "`GET /contacts/:id`, `PATCH /contacts/:id`, `DELETE /contacts/:id`": contacts.CONTACT,
    "`GET /suppressions`, `POST /suppressions`": suppressions.SUPPRESSION,
    "`GET /outreaches`, `POST /outreaches`": outreaches.OUTREACH,
    "`GET /campaigns`, `POST /campaigns`": campaigns.NEW_CAMPAIGN,
    "`POST /campaigns/:id/dispatch`": campaigns.DISPATCH,
    "`POST /campaigns/:id/test_send`": campaigns.TEST_SEND,
    "`GET /campaigns/:id/sequence_steps`, `POST /campaigns/:id/sequence_steps`": sequence_steps.STEP,
    "`GET /campaigns/:id/smtp_credentials`, `POST /campaigns/:id/smtp_credentials`": (
        smtp_credentials.ATTACHED_CREDENTIAL
    ),
    (
        "`GET /campaigns/:id/smtp_credentials/:id/provider_hooks`, "
        "`POST /campaigns/:id/smtp_credentials/:id/provider_hooks`"
    ): provider_hooks.PROVIDER_HOOK,
    "`POST /campaigns/:id/enroll`": enrollments.ENROLL,
    "`POST /campaigns/:id/enroll_contact`": enrollments.ENROLL_CONTACT,
    "`POST /messages/:id/resolve`": messages.RESOLVE,
    "`GET /webhooks`, `POST /webhooks`": webhooks.NEW_WEBHOOK,
}


def built() -> Iterator[tuple[str, str]]:
    """Every method and path that the API answers."""
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        view: Any = pattern.callback
        path = "/" + re.sub(r"<str:\w+>", ":id", str(pattern.pattern))
        for method in ("GET", "POST", "PATCH", "DELETE"):
            if hasattr(view.cls, method.lower()):
                yield method, path


def told() -> list[tuple[str, str]]:
    """Every method and path that has a heading."""
    found = re.findall(r"`(GET|POST|PATCH|DELETE) (\S+)`", "\n".join(HEADINGS))
    return [(method, re.sub(r":\w+", ":id", path)) for method, path in found]


# Routes and fields


def test_every_route_has_a_heading() -> None:
    assert set(built()) - set(told()) == set()


def test_every_heading_is_a_route() -> None:
    assert set(told()) - set(built()) == ELSEWHERE


def test_no_route_is_told_twice() -> None:
    assert len(told()) == len(set(told()))


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_heading_has_one_example_of_a_route_in_it(heading: str) -> None:
    shown = re.findall(r"^```\n(\S+ \S+)", section(PAGE, heading), re.MULTILINE)
    assert len(shown) == 1
    path = re.sub(r"\{\w+\}", ":id", shown[0].partition("?")[0])
    assert f"`{path}`" in re.sub(r":\w+", ":id", heading)


@pytest.mark.parametrize("heading", SCHEMAS)
def test_the_table_has_exactly_the_fields_of_the_body(heading: str) -> None:
    fields = [name for row in rows(section(PAGE, f"### {heading}")) for name in bare(row[0]).split(", ")]
    assert sorted(fields) == sorted(SCHEMAS[heading])


# Examples


@pytest.fixture
def campaign(account: Account) -> Campaign:
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    return factories.make_campaign(account, credentials=[factories.make_credential(account, smtp_port=port)])


@pytest.fixture
def contact(account: Account) -> Contact:
    contact_import = factories.make_import(account, name="Fair", record_count=1)
    return factories.make_contact(
        account, "max@example.com", first_name="Max", custom_fields={"city": "Graz"}, contact_import=contact_import
    )


@pytest.fixture
def ids(account: Account, campaign: Campaign, contact: Contact) -> dict[str, str]:
    """What the names in the examples stand for."""
    fresh, active = factories.make_import(account), factories.make_campaign(account, status="active")
    found = {
        "second_key": factories.make_key(account).key.pk,
        "import": contact.contact_import_id,
        "contact": contact.pk,
        "suppression": factories.make_suppression(account, "bob@example.com").pk,
        "outreach": factories.make_outreach(account).pk,
        "campaign": campaign.pk,
        "active_campaign": active.pk,
        "paused_campaign": factories.make_campaign(account, status="paused", pause_reason="manual").pk,
        "step": campaign.steps.get().pk,
        "credential": campaign.credentials.get().pk,
        "hook": factories.make_hook(campaign.credentials.get(), provider="smtp2go").pk,
        "provider": "postmark",
        "fresh_import": fresh.pk,
        "fresh_contact": factories.make_contact(account, contact_import=fresh).pk,
    }
    factories.make_contact(account, "abuse@example.com", contact_import=fresh)
    factories.enroll(campaign, contact, batch_number=1)
    message = make_unknown_message(active, contact)
    delivery = make_failed_delivery(account)
    found |= {"webhook": delivery.endpoint_id, "delivery": delivery.pk}
    return {name: str(value) for name, value in found.items()} | {
        "message": str(message.pk),
        "token": make_token(message.pk),
    }


def make_failed_delivery(account: Account) -> WebhookDelivery:
    """An event whose first call was answered 500."""
    now = clock.utc_now()
    event = Event.everywhere.create(account=account, type="enrollment.replied", fact="replied", data={})
    created: WebhookDelivery = WebhookDelivery.everywhere.create(
        account=account,
        endpoint=factories.make_webhook(account),
        event=event,
        due_at=now,
        attempt=1,
        status_code=500,
        error="The receiver answered 500.",
    )
    return created


def make_unknown_message(campaign: Campaign, contact: Contact) -> Message:
    """A message to the contact whose server fell silent after the final dot."""
    now, enrollment, credential = clock.utc_now(), factories.enroll(campaign, contact), campaign.credentials.get()
    facts = {"credential": credential, "state": "unknown", "reason": "no_final_reply"}
    message = factories.make_message(enrollment, subject="Hello Max", wire_at=now, settled_at=now, **facts)
    Attempt.everywhere.create(
        account=campaign.account, message=message, fence=1, started_at=now, ended_at=now, stage="dot", **facts
    )
    return message


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.method} {example.path}")
def test_the_example_is_true(
    example: Example, api: ApiClient, anonymous: ApiClient, ids: dict[str, str], settings: Settings
) -> None:
    settings.ALLOW_SIGNUP = True
    path, body = example.filled(ids)
    client = anonymous if path.startswith(("/signup", "/u/")) else api
    answer = client.send(example.method, path, body)
    assert answer.status_code == example.status, answer.content
    if example.answer:
        assert differences(example.promise(), answer.json()) == []
