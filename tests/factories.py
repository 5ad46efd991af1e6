"""Small hand-written factories: what a test does not care about is filled in, what it names is taken."""

import itertools
import uuid
from collections.abc import Iterable
from typing import Any

from ampout.accounts import services as accounts
from ampout.accounts.models import Account
from ampout.accounts.services import IssuedKey
from ampout.events.models import WebhookEndpoint
from ampout.lib import clock
from ampout.lib.addresses import parse_address
from campaigns.models import (
    Batch,
    Campaign,
    CampaignCredential,
    Contact,
    ContactImport,
    Enrollment,
    Outreach,
    SequenceStep,
    Suppression,
)
from campaigns.rules.suppression import SCOPE_OF, SuppressionReason
from campaigns.services.digests import address_digest, domain_digest
from credentials.models import ProviderHook, SmtpCredential
from dispatch.models import Message

_numbers = itertools.count(1)

SMTP_PASSWORD = "smtp-canary-8d1f"
IMAP_PASSWORD = "imap-canary-53ab"
WEBHOOK_SECRET = "whsec_d2ViaG9vay1jYW5hcnktOTFiMy1hbmQtbW9yZQ=="
WEBHOOK_URL = "https://hooks.receiver.example/url-canary-4e6d?key=url-canary-4e6d"
HOOK_SECRET = "hook-canary-9e04"
SIGNING_KEY = "signing-canary-c1d7"


def make_account(name: str = "Alice", **fields: Any) -> Account:
    """A tenant with a footer that satisfies the law."""
    fields = {"sender_name": name, "postal_address": "1 Loopback Lane, Nowhere"} | fields
    email = fields.pop("email", f"owner{next(_numbers)}@tenant.example")
    return Account.objects.create(name=name, email=email, **fields)


def make_key(account: Account, **fields: Any) -> IssuedKey:
    """A bearer key; `.plaintext` goes into the header."""
    return accounts.issue_key(account, **fields)


def make_webhook(account: Account, url: str = WEBHOOK_URL, **fields: Any) -> WebhookEndpoint:
    """An endpoint for all events."""
    host = url.partition("://")[2].partition("/")[0]
    fields = {"event_filters": ["*"], "secret": WEBHOOK_SECRET, "host": host} | fields
    created: WebhookEndpoint = WebhookEndpoint.objects.create(account=account, url=url, **fields)
    return created


def make_import(account: Account, **fields: Any) -> ContactImport:
    """An import without contacts."""
    return ContactImport.objects.create(account=account, **({"name": f"list {next(_numbers)}"} | fields))


def make_contact(account: Account, email: str | None = None, **fields: Any) -> Contact:
    """A contact with a fresh address."""
    address = parse_address(email or f"person{next(_numbers)}@recipient.example")
    return Contact.objects.create(
        account=account,
        email=address.original,
        identity=address.identity,
        domain=address.domain,
        address_digest=address_digest(address.identity),
        domain_digest=domain_digest(address.domain),
        **fields,
    )


def make_suppression(
    account: Account, value: str, reason: SuppressionReason = SuppressionReason.MANUAL, **fields: Any
) -> Suppression:
    """A suppressed address identity, or a suppressed domain when there is no @ in `value`."""
    kind, digest = ("address", address_digest(value)) if "@" in value else ("domain", domain_digest(value))
    return Suppression.objects.create(
        account=account,
        kind=kind,
        digest=digest,
        scope=SCOPE_OF[reason].value,
        reason=reason.value,
        **{"suppressed_at": clock.utc_now()} | fields,
    )


def make_hook(credential: SmtpCredential, **fields: Any) -> ProviderHook:
    """A provider's hook on this credential, with a secret that a leak would show."""
    fields = {"provider": "postmark", "secret": HOOK_SECRET} | fields
    return ProviderHook.objects.create(account_id=credential.account_id, credential=credential, **fields)


def make_credential(account: Account, **fields: Any) -> SmtpCredential:
    """A mailbox of its own, on loopback, with a password that a leak would show."""
    number = next(_numbers)
    defaults = {
        "label": f"mailbox {number}",
        "smtp_host": "127.0.0.1",
        "smtp_port": 2525,
        "smtp_username": f"user{number}",
        "smtp_password": SMTP_PASSWORD,
        "from_name": "Alice Sender",
        "from_email": f"sender{number}@sender.example",
        "daily_limit": 50,
    }
    return SmtpCredential.objects.create(account=account, **(defaults | fields))


def make_outreach(account: Account, **fields: Any) -> Outreach:
    """A container of campaigns."""
    return Outreach.objects.create(account=account, **({"name": f"outreach {next(_numbers)}"} | fields))


def make_step(campaign: Campaign, position: int, **fields: Any) -> SequenceStep:
    """One step; only the first has a subject, the others continue its thread."""
    defaults = {
        "subject": "Hello {{first_name}}" if position == 1 else "",
        "body_html": f"<p>Step {position} for {{{{first_name}}}}</p>",
        "body_text": f"Step {position} for {{{{first_name}}}}",
    }
    return SequenceStep.objects.create(campaign=campaign, position=position, **(defaults | fields))


def make_campaign(
    account: Account,
    *,
    steps: int = 1,
    credentials: int | Iterable[SmtpCredential] = 1,
    **fields: Any,
) -> Campaign:
    """A pending campaign with its steps, and so many fresh credentials, or those given."""
    campaign = Campaign.objects.create(account=account, **({"name": f"campaign {next(_numbers)}"} | fields))
    for position in range(1, steps + 1):
        make_step(campaign, position)
    attached = [make_credential(account) for _ in range(credentials)] if isinstance(credentials, int) else credentials
    for credential in attached:
        CampaignCredential.objects.create(campaign=campaign, credential=credential)
    return campaign


def make_batch(campaign: Campaign, number: int = 0, **fields: Any) -> Batch:
    """A batch that is not released, unless `released_at` is given."""
    return Batch.objects.create(campaign=campaign, number=number, **fields)


def enroll(campaign: Campaign, contact: Contact | None = None, **fields: Any) -> Enrollment:
    """A pending enrollment, of a fresh contact unless one is given; its batch is made when it is missing."""
    contact = contact or make_contact(campaign.account)
    Batch.objects.get_or_create(campaign=campaign, number=fields.get("batch_number", 0))
    return Enrollment.objects.create(account=campaign.account, campaign=campaign, contact=contact, **fields)


def make_message(enrollment: Enrollment, **fields: Any) -> Message:
    """The planned message of the enrollment's next step, without a credential unless one is given."""
    contact = enrollment.contact
    defaults = {
        "campaign": enrollment.campaign,
        "contact": contact,
        "step_position": enrollment.next_position,
        "recipient": contact.email,
        "recipient_digest": contact.address_digest,
        "domain_digest": contact.domain_digest,
        "message_id": f"<{uuid.uuid4().hex}@sender.example>",
    }
    return Message.objects.create(account=enrollment.account, enrollment=enrollment, **(defaults | fields))
