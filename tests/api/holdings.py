"""All that an account can hold, one of every kind that has an id, and the bodies of calls that use it."""

from collections.abc import Callable, Mapping
from typing import Any

from ampout.accounts.models import Account
from ampout.events.models import Event, WebhookDelivery
from ampout.lib import clock
from dispatch.models import Attempt, Feedback, Hit, Message, Notice
from tests import factories
from tests.api.campaign_bodies import campaign_body, credential_body, step_body

Holdings = Mapping[str, str]
"""Ids by the name that paths and bodies call them by, and a few texts by the name that queries do."""

HOOK_URL = "https://1.1.1.1/hooks"


def make_holdings(account: Account, name: str) -> Holdings:
    """One of everything, all of it connected; `name` is part of every text, so that a leak of one would show."""
    contact_import = factories.make_import(account, name=f"{name}'s list")
    outreach = factories.make_outreach(account, name=f"{name}'s outreach")
    campaign = factories.make_campaign(account, steps=3, outreach=outreach, name=f"{name}'s campaign")
    credential = campaign.credentials.get()
    enrolled = factories.enroll(campaign, factories.make_contact(account, f"enrolled@{name}.example"))
    webhook = factories.make_webhook(account, f"https://{name}.example/hooks")
    ids = {
        "api_key_id": factories.make_key(account, label=f"{name}'s key").key.pk,
        "contact_import_id": contact_import.pk,
        "contact_id": factories.make_contact(account, f"free@{name}.example", contact_import=contact_import).pk,
        "suppression_id": factories.make_suppression(account, f"gone@{name}.example", suppressed_at=clock.utc_now()).pk,
        "outreach_id": outreach.pk,
        "campaign_id": campaign.pk,
        "sequence_step_id": campaign.steps.get(position=3).pk,
        "enrollment_id": enrolled.pk,
        "smtp_credential_id": credential.pk,
        "provider_hook_id": factories.make_hook(credential, secret=f"{name}-hook-secret").pk,
        "message_id": make_unknown_message(enrolled, credential).pk,
        "webhook_id": webhook.pk,
        "delivery_id": make_delivery(webhook, {"contact_email": f"enrolled@{name}.example"}).pk,
    }
    factories.make_suppression(account, f"{name}.example", suppressed_at=clock.utc_now())
    factories.make_contact(account, f"gone@{name}.example")
    texts = {"email": f"gone@{name}.example", "domain": f"{name}.example"}
    return texts | {key: str(value) for key, value in ids.items()}


def make_unknown_message(enrollment: Any, credential: Any) -> Message:
    """The message of a first step whose server fell silent, with all that can hang on a message."""
    now = clock.utc_now()
    enrollment.next_position, enrollment.status = 2, "sent"
    enrollment.save()
    message = factories.make_message(
        enrollment, credential=credential, step_position=1, state="unknown", wire_at=now, settled_at=now
    )
    ours = {"account": enrollment.account}
    Attempt.everywhere.create(
        message=message, credential=credential, fence=1, started_at=now, ended_at=now, state="unknown", **ours
    )
    Hit.everywhere.create(message=message, kind="open", label="human", evidence="a browser", occurred_at=now, **ours)
    notice = Notice.everywhere.create(source="imap", dedupe=message.pk.bytes, credential=credential, **ours)
    Feedback.everywhere.create(
        message=message,
        notice=notice,
        credential=credential,
        kind="reply",
        matched_by="sender",
        sender=message.recipient,
        occurred_at=now,
        **ours,
    )
    return message


def make_delivery(webhook: Any, data: dict[str, str]) -> WebhookDelivery:
    """An event and its delivery to this endpoint."""
    ours = {"account": webhook.account}
    event = Event.everywhere.create(type="enrollment.sent", fact=str(webhook.pk), data=data, **ours)
    made: WebhookDelivery = WebhookDelivery.everywhere.create(
        endpoint=webhook, event=event, due_at=clock.utc_now(), **ours
    )
    return made


Body = Callable[[Holdings], dict[str, Any]]

_CAMPAIGN = "/campaigns/<str:campaign_id>"
_STEP = f"{_CAMPAIGN}/sequence_steps/<str:sequence_step_id>"
_CREDENTIAL = f"{_CAMPAIGN}/smtp_credentials/<str:smtp_credential_id>"

BODIES: Mapping[tuple[str, str], Body] = {
    ("POST", "/signup"): lambda _own: {"email": "new@tenant.example", "name": "New"},
    ("PATCH", "/account"): lambda _own: {"sender_name": "Changed"},
    ("POST", "/api_keys"): lambda _own: {"label": "robot"},
    ("POST", "/contact_imports"): lambda _own: {"name": "list", "contacts": [{"email": "new@recipient.example"}]},
    ("POST", "/contacts/unsubscribe"): lambda own: {"contact_ids": [own["contact_id"]]},
    ("POST", "/contacts/delete"): lambda own: {"contact_ids": [own["contact_id"]]},
    ("PATCH", "/contacts/<str:contact_id>"): lambda _own: {"first_name": "Changed"},
    ("POST", "/suppressions"): lambda _own: {"email": "stop@recipient.example"},
    ("POST", "/outreaches"): lambda _own: {"name": "summer"},
    ("PATCH", "/outreaches/<str:outreach_id>"): lambda _own: {"name": "changed"},
    ("POST", "/campaigns"): lambda own: campaign_body(
        outreach_id=own["outreach_id"],
        smtp_credentials=[credential_body(), {"id": own["smtp_credential_id"], "daily_limit": 7}],
    ),
    ("PATCH", _CAMPAIGN): lambda own: {"name": "changed", "outreach_id": own["outreach_id"]},
    ("POST", f"{_CAMPAIGN}/dispatch"): lambda _own: {"batch_number": 0},
    ("POST", f"{_CAMPAIGN}/test_send"): lambda own: {
        "emails": ["me@tenant.example"],
        "contact_id": own["contact_id"],
    },
    ("POST", f"{_CAMPAIGN}/sequence_steps"): lambda _own: step_body(),
    ("PATCH", _STEP): lambda _own: {"subject": "Changed"},
    ("POST", f"{_CAMPAIGN}/smtp_credentials"): lambda own: {"id": own["smtp_credential_id"], "label": "changed"},
    ("PATCH", _CREDENTIAL): lambda _own: {"label": "changed", "daily_limit": 7},
    ("POST", f"{_CREDENTIAL}/provider_hooks"): lambda _own: {"provider": "brevo"},
    ("POST", f"{_CAMPAIGN}/enroll"): lambda own: {"contact_import_id": own["contact_import_id"]},
    ("POST", f"{_CAMPAIGN}/enroll_contact"): lambda own: {"contact_id": own["contact_id"]},
    ("POST", f"{_CAMPAIGN}/enroll_contacts"): lambda own: {"contact_ids": [own["contact_id"]]},
    ("POST", "/messages/<str:message_id>/resolve"): lambda _own: {"as": "sent"},
    ("POST", "/webhooks"): lambda _own: {"url": HOOK_URL},
    ("PATCH", "/webhooks/<str:webhook_id>"): lambda _own: {"event_filters": ["enrollment.sent"]},
}
"""A body for each call that reads fields: one that the call takes, with an id wherever there may be one."""


def body_of(method: str, route: str, own: Holdings) -> dict[str, Any] | None:
    """The body of this call; none for those that need none."""
    maker = BODIES.get((method, route))
    return maker(own) if maker else None
