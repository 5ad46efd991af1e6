"""The examples of the description are true: each is called, and answered as it says."""

import json
import socket
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from ampout.accounts.models import Account
from ampout.api.openapi import chapters
from ampout.api.openapi.document import description
from ampout.api.openapi.operations import Operation, sample_id
from ampout.events.models import Event, WebhookDelivery
from ampout.lib import clock
from campaigns.models import Campaign, Contact
from campaigns.services.steps import StepValues
from dispatch.models import Attempt, Message
from dispatch.rules.hits import HitKind
from dispatch.services import tokens, unsubscribe
from dispatch.services.steps import add_step
from tests import factories
from tests.conftest import ApiClient

OPERATIONS = [operation for chapter in chapters.ALL for operation in chapter.operations]


@pytest.fixture
def campaign(account: Account) -> Campaign:
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    campaign = factories.make_campaign(account, credentials=[factories.make_credential(account, smtp_port=port)])
    add_step(account, campaign.pk, StepValues(body_text="Again"))
    return campaign


@pytest.fixture
def contact(account: Account) -> Contact:
    contact_import = factories.make_import(account, name="Fair", record_count=1)
    return factories.make_contact(
        account, "max@example.com", first_name="Max", custom_fields={"city": "Graz"}, contact_import=contact_import
    )


@pytest.fixture
def ids(account: Account, campaign: Campaign, contact: Contact) -> dict[str, str]:
    """What the sample ids of the examples stand for."""
    fresh, active = factories.make_import(account), factories.make_campaign(account, status="active")
    outreach = factories.make_outreach(account)
    paused = factories.make_campaign(account, status="paused", pause_reason="manual", outreach=outreach)
    first, second = campaign.steps.order_by("position")
    found: dict[str, Any] = {
        "second_key": factories.make_key(account).key.pk,
        "import": contact.contact_import_id,
        "contact": contact.pk,
        "suppression": factories.make_suppression(account, "bob@example.com").pk,
        "outreach": paused.outreach_id,
        "campaign": campaign.pk,
        "active_campaign": active.pk,
        "paused_campaign": paused.pk,
        "step": first.pk,
        "second_step": second.pk,
        "credential": campaign.credentials.get().pk,
        "hook": factories.make_hook(campaign.credentials.get(), provider="smtp2go").pk,
        "fresh_import": fresh.pk,
        "fresh_contact": factories.make_contact(account, contact_import=fresh).pk,
        "enrollment": factories.enroll(campaign, contact, batch_number=1).pk,
    }
    factories.make_contact(account, "abuse@example.com", contact_import=fresh)
    message = make_unknown_message(active, contact)
    delivery = make_failed_delivery(account)
    found |= {"webhook": delivery.endpoint_id, "delivery": delivery.pk, "message": message.pk}
    found["token"] = unsubscribe.make_token(message.pk)
    found["link"] = tokens.make_token(HitKind.CLICK, message.pk, "https://example.com/offer")
    return {sample_id(name): str(value) for name, value in found.items()}


def make_failed_delivery(account: Account) -> WebhookDelivery:
    """An event whose first call was answered 500."""
    event = Event.everywhere.create(account=account, type="enrollment.replied", fact="replied", data={})
    created: WebhookDelivery = WebhookDelivery.everywhere.create(
        account=account,
        endpoint=factories.make_webhook(account),
        event=event,
        due_at=clock.utc_now(),
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


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.method} {operation.path}")
def test_the_example_is_true(
    operation: Operation, api: ApiClient, anonymous: ApiClient, ids: dict[str, str], settings: Settings
) -> None:
    settings.ALLOW_SIGNUP = True
    shown = description()["paths"][operation.path][operation.method.lower()]["x-example"]
    text = json.dumps([shown["path"], shown.get("body")])
    for sample, real in ids.items():
        text = text.replace(sample, real)
    path, body = json.loads(text)
    client = anonymous if operation.public else api
    answer = client.send(operation.method, path, body)
    assert answer.status_code == shown["status"], answer.content
    if "answer" in shown:
        assert same_lists(shown["answer"], answer.json())
    if operation.example.refused:
        assert answer.json()["code"] == operation.example.refused[1]


def same_lists(shown: Any, real: Any) -> bool:
    """Whether what is shown as a list with something in it is one; the rest is held against the schema."""
    if isinstance(shown, list):
        return not shown or bool(real)
    names = shown.keys() & real.keys() if isinstance(shown, dict) and isinstance(real, dict) else ()
    return all(same_lists(shown[name], real[name]) for name in names)
