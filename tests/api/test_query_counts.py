"""Lists and shows run a fixed number of queries, however much there is."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern

from ampout.accounts.models import Account, ApiKey
from ampout.api.urls import urlpatterns
from ampout.events.models import Event, WebhookDelivery, WebhookEndpoint
from campaigns.models import CampaignCredential, ContactImport, Outreach
from campaigns.models.campaign import Campaign
from credentials.models import SmtpCredential
from credentials.rules.hook_provider import HookProvider
from dispatch.models import Attempt, DailyUsage, Feedback, Hit, Mailbox, Notice
from tests import factories
from tests.conftest import ApiClient

MANY = 30
NOW = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
IMAP = {"imap_host": "127.0.0.1", "imap_port": 993, "imap_username": "u", "imap_password": factories.IMAP_PASSWORD}

KEY = 1
"""Every call looks up its key, with the account."""

QUERIES: dict[str, int] = {
    "account": 0,
    "usage": 2,
    "api_keys": 1,
    "contact_imports": 1,
    "contact_imports/<str:contact_import_id>": 1,
    "contact_imports/<str:contact_import_id>/contacts": 2,
    "contacts": 1,
    "contacts/<str:contact_id>": 1,
    "contacts/<str:contact_id>/export": 13,
    "suppressions": 1,
    "outreaches": 1,
    "outreaches/<str:outreach_id>": 3,
    "campaigns": 1,
    "campaigns/<str:campaign_id>": 12,
    "campaigns/<str:campaign_id>/preview": 4,
    "campaigns/<str:campaign_id>/sequence_steps": 2,
    "campaigns/<str:campaign_id>/sequence_steps/<str:sequence_step_id>": 2,
    "campaigns/<str:campaign_id>/smtp_credentials": 2,
    "campaigns/<str:campaign_id>/smtp_credentials/<str:smtp_credential_id>": 2,
    "campaigns/<str:campaign_id>/smtp_credentials/<str:smtp_credential_id>/provider_hooks": 3,
    "campaigns/<str:campaign_id>/enrollments": 2,
    "campaigns/<str:campaign_id>/explain": 10,
    "campaigns/<str:campaign_id>/forecast": 8,
    "enrollments/<str:enrollment_id>/explain": 10,
    "messages": 2,
    "messages/<str:message_id>": 4,
    "events": 3,
    "webhooks": 1,
    "webhooks/<str:webhook_id>": 1,
    "webhooks/<str:webhook_id>/deliveries": 2,
}
"""How many queries each GET runs once its key is known."""
FILTERED: dict[str, list[str]] = {
    "contacts": ["email=nobody@x.example"],
    "suppressions": ["email=nobody@x.example", "domain=x.example"],
    "messages": ["state=accepted", "campaign_id={campaign_id}"],
    "events": ["types=enrollment.sent"],
    "campaigns/<str:campaign_id>/enrollments": ["status=sent", "batch_number=0", "limit=2"],
}
"""Query strings that are tried as well; one that names an id looks it up."""


def view_of(pattern: URLPattern) -> Any:
    callback: Any = pattern.callback
    return callback.cls


READ = [str(pattern.pattern) for pattern in urlpatterns if hasattr(view_of(pattern), "get")]


@dataclass
class World:
    """One account with some of everything, all of it in the same campaign, import, webhook and so on."""

    account: Account
    outreach: Outreach
    campaign: Campaign
    credential: SmtpCredential
    contact_import: ContactImport
    webhook: WebhookEndpoint
    ids: dict[str, Any]

    @classmethod
    def of(cls, account: Account) -> "World":
        """With nothing in it but what other things are in."""
        outreach = factories.make_outreach(account)
        credential = factories.make_credential(account, **IMAP)
        campaign = factories.make_campaign(account, outreach=outreach, steps=0, credentials=[credential])
        world = cls(
            account, outreach, campaign, credential, factories.make_import(account), factories.make_webhook(account), {}
        )
        world.ids |= {"outreach_id": outreach.pk, "campaign_id": campaign.pk, "smtp_credential_id": credential.pk}
        world.ids |= {"contact_import_id": world.contact_import.pk, "webhook_id": world.webhook.pk}
        return world

    def add_one(self, number: int) -> None:
        """One more of each kind."""
        factories.make_key(self.account)
        factories.make_webhook(self.account)
        factories.make_import(self.account)
        factories.make_suppression(self.account, f"x{number}@suppressed.example")
        factories.make_campaign(self.account, outreach=factories.make_outreach(self.account))
        factories.make_campaign(self.account, outreach=self.outreach)
        if number <= len(HookProvider):
            factories.make_hook(self.credential, provider=list(HookProvider)[number - 1].value)
        step = factories.make_step(self.campaign, number)
        self.ids |= {"sequence_step_id": step.pk}
        self._add_credential()
        self._add_enrollment(number)

    def _add_credential(self) -> None:
        credential = factories.make_credential(self.account, **IMAP)
        CampaignCredential.objects.create(campaign=self.campaign, credential=credential)
        Mailbox.objects.create(credential=credential, polled_at=NOW)
        DailyUsage.objects.create(credential=credential, day=NOW.date(), used=1, highest_limit=50)

    def _add_enrollment(self, number: int) -> None:
        contact = factories.make_contact(self.account, contact_import=self.contact_import)
        fields = {"status": "bounced", "sent_at": NOW, "bounced_at": NOW, "stopped_at": NOW, "stop_reason": "bounced"}
        enrollment = factories.enroll(self.campaign, contact, batch_number=number, **fields)
        sent = {"credential": self.credential, "state": "accepted", "wire_at": NOW, "settled_at": NOW}
        message = factories.make_message(enrollment, **sent)
        waiting = factories.enroll(self.campaign, batch_number=number)
        self.ids |= {"contact_id": contact.pk, "message_id": message.pk, "enrollment_id": waiting.pk}
        about = {"account": self.account, "message": message}
        for fence in range(number):
            Attempt.everywhere.create(**about, fence=fence, ended_at=NOW, state="deferred", credential=self.credential)
            Hit.everywhere.create(**about, kind="open", label="human", evidence="pixel")
        notice = Notice.everywhere.create(
            account=self.account, credential=self.credential, source="imap", dedupe=bytes([number] * 32)
        )
        Feedback.everywhere.create(
            **about, notice=notice, credential=self.credential, enrollment=enrollment, kind="bounce"
        )
        event = Event.everywhere.create(
            account=self.account, type="enrollment.sent", fact=f"fact {number}", data={"contact_id": str(contact.pk)}
        )
        WebhookDelivery.everywhere.create(account=self.account, endpoint=self.webhook, event=event, due_at=NOW)


@pytest.fixture
def world(api: ApiClient) -> World:
    ApiKey.objects.of(api.account).update(is_rate_limited=False)
    made = World.of(api.account)
    made.add_one(1)
    return made


def path_of(route: str, world: World) -> str:
    for name, value in world.ids.items():
        route = route.replace(f"<str:{name}>", str(value))
    assert "<" not in route, f"give World an id for {route}"
    return "/" + route + (f"?contact_id={world.ids['contact_id']}" if route.endswith("/preview") else "")


def queries_of(api: ApiClient, path: str) -> list[str]:
    """The queries of this call once it has been made before: what is noted once a minute was noted then."""
    for _ in range(2):
        with CaptureQueriesContext(connection) as captured:
            response = api.get(path)
        assert response.status_code == 200, response.content
    return [query["sql"] for query in captured.captured_queries]


def counts(api: ApiClient, world: World) -> dict[str, int]:
    return {route: len(queries_of(api, path_of(route, world))) - KEY for route in READ}


def test_every_call_runs_the_same_queries_however_much_there_is(api: ApiClient, world: World) -> None:
    assert counts(api, world) == QUERIES
    for number in range(2, MANY + 1):
        world.add_one(number)
    assert counts(api, world) == QUERIES


@pytest.mark.parametrize(
    ("route", "query"), [(route, query) for route, queries in FILTERED.items() for query in queries]
)
def test_a_filtered_list_runs_as_many(api: ApiClient, world: World, route: str, query: str) -> None:
    for number in range(2, 4):
        world.add_one(number)
    found = queries_of(api, f"{path_of(route, world)}?{query.format(**world.ids)}")
    assert len(found) <= KEY + QUERIES[route] + ("_id=" in query), found
