"""One record of each model that the admin shows, each with parents of its own, hostile names and canary secrets."""

import itertools
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db.models import Model

from ampout.accounts.models import Account, ApiKey, IdempotencyRecord, Installation, MonthlyUsage
from ampout.events.models import Event, EventLog, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookLoop
from campaigns.models import (
    Batch,
    Campaign,
    CampaignCredential,
    Contact,
    ContactImport,
    DueTally,
    Enrollment,
    EnrollmentTally,
    Outreach,
    SequenceStep,
    SkipCount,
    Suppression,
)
from credentials.models import ProviderHook, SmtpCredential
from dispatch.models import (
    Attempt,
    CapWarning,
    CountMark,
    DailyUsage,
    DeliveryWorker,
    FactCount,
    Feedback,
    HealthDue,
    Hit,
    Lane,
    Mailbox,
    MailboxFolder,
    Message,
    MessageTally,
    MonthlyReservation,
    MxVerdict,
    Notice,
    Tick,
    UsageTally,
)
from tests import factories

HOSTILE = "<script>alert(1)</script>{{7*7}}\"'"
"""What a tenant may call anything."""
ANSWER = "answer-canary-77c2"
"""A kept answer to a call, which may hold a new key's plaintext."""
BODY = "body-canary-19ac"
"""What somebody wrote to a mailbox: no operator's business."""
PASSWORD_HASH = "pbkdf2_sha256$1000000$saltcanary$hashcanaryhashcanaryhashcanary00="
"""What stands in for an operator's password."""
NOW = datetime(2026, 11, 22, 6, 30, 15, tzinfo=UTC)

_numbers = itertools.count(1)


def account() -> Account:
    """A tenant with a hostile name."""
    return factories.make_account(HOSTILE)


def credential() -> SmtpCredential:
    """A disabled credential with both passwords."""
    number = next(_numbers)
    return factories.make_credential(
        account(),
        label=HOSTILE,
        imap_host="imap.sender.example",
        imap_port=993,
        imap_username=f"user{number}",
        imap_password=factories.IMAP_PASSWORD,
        last_problem=HOSTILE,
        disabled_at=NOW,
    )


def campaign() -> Campaign:
    """An active campaign in an outreach, with two steps and a credential."""
    owner = account()
    outreach = factories.make_outreach(owner, name=HOSTILE)
    return factories.make_campaign(owner, name=HOSTILE, outreach=outreach, steps=2, credentials=[credential()])


def attachment() -> CampaignCredential:
    """A campaign's credential."""
    return campaign().attachments.get()


def contact() -> Contact:
    """A person with a hostile name."""
    owner = account()
    upload = factories.make_import(owner, name=HOSTILE, errors=[{"line": 3, "field": "email", "message": HOSTILE}])
    return factories.make_contact(
        owner, first_name=HOSTILE, company=HOSTILE, custom_fields={"note": HOSTILE}, contact_import=upload
    )


def enrollment() -> Enrollment:
    """A contact in a campaign."""
    return factories.enroll(campaign(), contact(), smtp_credential=credential(), bounce_reason=HOSTILE)


def due_later() -> Enrollment:
    """A contact whose next step has a time."""
    return factories.enroll(campaign(), contact(), next_due_at=NOW, wait_reason="delay")


def message() -> Message:
    """A message with a reply of the server in hostile words."""
    return factories.make_message(
        enrollment(), credential=credential(), subject=HOSTILE, state="unknown", reply_text=HOSTILE, due_at=NOW
    )


def usage_tally() -> UsageTally:
    """What the trigger counted of a message that left."""
    left = factories.make_message(enrollment(), credential=credential(), state="accepted", wire_at=NOW)
    found: UsageTally = UsageTally.objects.of(left.account).get()
    return found


def attempt() -> Attempt:
    """A transaction of a message."""
    of = message()
    found: Attempt = Attempt.everywhere.create(
        account=of.account,
        message=of,
        credential=of.credential,
        fence=1,
        ended_at=NOW,
        state="unknown",
        reply_text=HOSTILE,
    )
    return found


def notice() -> Notice:
    """A mail with hostile headers and a private body."""
    of = credential()
    found: Notice = Notice.everywhere.create(
        account=of.account,
        credential=of,
        source="imap",
        dedupe=uuid.uuid4().bytes,
        headers=HOSTILE,
        body=BODY.encode(),
        error=HOSTILE,
        verdict={"kind": "reply", "evidence": [HOSTILE]},
    )
    return found


def hit() -> Hit:
    found: Hit = Hit.everywhere.create(
        account=account(),
        message=message(),
        kind="click",
        label="human",
        evidence="a mail program or browser, at a person's pace",
        url="https://x.example/" + HOSTILE,
        user_agent=HOSTILE,
        network="203.0.113.0/24",
        occurred_at=NOW,
    )
    return found


def feedback() -> Feedback:
    """A reply in hostile words."""
    of, about = notice(), message()
    found: Feedback = Feedback.everywhere.create(
        account=of.account,
        notice=of,
        message=about,
        credential=of.credential,
        enrollment=about.enrollment,
        kind="reply",
        matched_by="message_id",
        sender=HOSTILE,
        subject=HOSTILE,
        text=HOSTILE,
    )
    return found


def mailbox() -> Mailbox:
    """A mailbox whose server said something hostile."""
    return Mailbox.objects.create(credential=credential(), login=HOSTILE, problem=HOSTILE, problem_at=NOW)


def idempotency_record() -> IdempotencyRecord:
    """A kept answer with a secret in it."""
    return IdempotencyRecord.objects.create(
        scope=HOSTILE,
        method="POST",
        path="/api_keys",
        key=f"{HOSTILE}{next(_numbers)}",
        body_digest="0" * 64,
        token=uuid.uuid4(),
        started_at=NOW,
        answered_at=NOW,
        status=201,
        answer=ANSWER,
    )


def log_entry() -> LogEntry:
    """What an operator did to an account."""
    user = User.objects.create(username=f"operator{next(_numbers)}")
    of = account()
    entries = LogEntry.objects.log_actions(user.pk, [of], 2, HOSTILE, single_object=True)
    entry: LogEntry = entries if isinstance(entries, LogEntry) else LogEntry.objects.latest("pk")
    return entry


def event() -> Event:
    """A fact with hostile data."""
    found: Event = Event.everywhere.create(
        account=account(), type="campaign.paused", fact=f"fact{next(_numbers)}", data={"name": HOSTILE}, created_at=NOW
    )
    return found


def webhook() -> WebhookEndpoint:
    """A disabled endpoint with secrets in its path and beside it."""
    return factories.make_webhook(
        account(), previous_secret=factories.WEBHOOK_SECRET, disabled_at=NOW, disabled_reason="gone"
    )


def webhook_delivery() -> WebhookDelivery:
    """A delivery that its receiver refused in hostile words."""
    of, to = event(), webhook()
    found: WebhookDelivery = WebhookDelivery.everywhere.create(
        account=to.account, endpoint=to, event=of, due_at=NOW, attempt=1, tries=1, status_code=500, error=HOSTILE
    )
    return found


def webhook_attempt() -> WebhookAttempt:
    """A call that was answered in hostile words."""
    of = webhook_delivery()
    found: WebhookAttempt = WebhookAttempt.everywhere.create(
        account=of.account,
        delivery=of,
        number=1,
        started_at=NOW,
        ended_at=NOW,
        status_code=500,
        error=HOSTILE,
        response_excerpt=HOSTILE,
    )
    return found


def domain() -> str:
    """A fresh domain."""
    return f"domain{next(_numbers)}.example"


MAKERS: dict[type[Model], Callable[[], Any]] = {
    Account: account,
    ApiKey: lambda: factories.make_key(account(), label=HOSTILE).key,
    IdempotencyRecord: idempotency_record,
    Installation: lambda: Installation.objects.update_or_create(
        pk=1, defaults={"name": HOSTILE, "database": "7/7", "adopted_at": NOW}
    )[0],
    MonthlyUsage: lambda: MonthlyUsage.objects.create(account=account(), month=date(2026, 10, 1), sends=7),
    MonthlyReservation: lambda: MonthlyReservation.objects.create(
        account=account(), month=date(2026, 11, 1), reserved=7, counted_at=NOW
    ),
    Event: event,
    EventLog: lambda: EventLog.objects.create(account=account(), last_position=7),
    WebhookEndpoint: webhook,
    WebhookDelivery: webhook_delivery,
    WebhookAttempt: webhook_attempt,
    WebhookLoop: lambda: WebhookLoop.objects.create(
        name=f"host{next(_numbers)}", id=uuid.uuid4(), started_at=NOW, lease_until=NOW
    ),
    Outreach: lambda: factories.make_outreach(account(), name=HOSTILE),
    Campaign: campaign,
    CampaignCredential: attachment,
    SequenceStep: lambda: factories.make_step(campaign(), 3, subject=HOSTILE, body_html=HOSTILE),
    Batch: lambda: factories.make_batch(campaign(), 1),
    SkipCount: lambda: SkipCount.objects.create(campaign=campaign(), reason="suppressed", count=3),
    EnrollmentTally: lambda: EnrollmentTally.objects.filter(campaign=enrollment().campaign).get(),
    DueTally: lambda: DueTally.objects.filter(campaign=due_later().campaign).get(),
    Contact: contact,
    ContactImport: lambda: contact().contact_import,
    Enrollment: enrollment,
    Suppression: lambda: factories.make_suppression(account(), domain()),
    SmtpCredential: credential,
    ProviderHook: lambda: factories.make_hook(credential(), provider="sendgrid", signing_key=factories.SIGNING_KEY),
    Message: message,
    MessageTally: lambda: MessageTally.objects.filter(campaign=message().campaign).get(),
    UsageTally: usage_tally,
    Attempt: attempt,
    Notice: notice,
    Feedback: feedback,
    Hit: hit,
    Lane: lambda: Lane.objects.create(credential=credential(), back_off_until=NOW),
    HealthDue: lambda: HealthDue.objects.create(credential=credential(), since=NOW),
    DailyUsage: lambda: DailyUsage.objects.create(
        credential=credential(), day=date(2026, 11, 22), used=1, highest_limit=50
    ),
    CapWarning: lambda: CapWarning.objects.create(campaign=campaign(), day=date(2026, 11, 22), created_at=NOW),
    DeliveryWorker: lambda: DeliveryWorker.objects.create(name=f"host{next(_numbers)}", lease_until=NOW),
    Mailbox: mailbox,
    MailboxFolder: lambda: MailboxFolder.objects.create(mailbox=mailbox(), name=HOSTILE, role="junk"),
    Tick: lambda: Tick.objects.create(name=f"part{next(_numbers)}", ticked_at=NOW),
    FactCount: lambda: FactCount.objects.create(source="events", label=f"kind{next(_numbers)}", count=7),
    CountMark: lambda: CountMark.objects.create(source=f"table{next(_numbers)}", seen_at=NOW),
    MxVerdict: lambda: MxVerdict.objects.create(domain=domain(), status="present", checked_at=NOW),
    User: lambda: User.objects.create(username=f"user{next(_numbers)}", password=PASSWORD_HASH),
    Group: lambda: Group.objects.create(name=f"{HOSTILE}{next(_numbers)}"),
    LogEntry: log_entry,
}
"""How to make one record of each model."""
