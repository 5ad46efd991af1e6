"""Test sends: every step of a campaign to a few addresses, through the same ledger and the same delivery."""

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from ampout.accounts.models import Account
from ampout.lib import clock, sql
from ampout.lib.addresses import Address, InvalidAddress, parse_address
from ampout.lib.errors import AmpoutError, NotFound, Unprocessable, ValidationFailed
from campaigns.models import Campaign, Contact, Suppression
from campaigns.rules.suppression import Stream, SuppressionScope, blocks
from campaigns.services.digests import address_digest, domain_digest
from credentials.models import SmtpCredential
from dispatch.models import Message
from dispatch.rules.message_id import make_message_id

ADDRESSES_PER_CALL = 5


class NoEmailsProvided(AmpoutError):
    """A test send needs at least one address."""

    code = "no_emails_provided"


@dataclass(frozen=True, slots=True)
class TestSend:
    """The addresses whose messages are on their way, and those that were refused, with the reason."""

    __test__ = False

    sent: list[str]
    refused: list[dict[str, str]]


@transaction.atomic
def send_test(
    account: Account,
    campaign_id: uuid.UUID,
    emails: Sequence[str],
    contact_id: uuid.UUID | None = None,
    *,
    now: datetime | None = None,
) -> TestSend:
    """Queue every step to each address, filled with the named contact's fields; they go first and at once.

    Raises NotFound, NoEmailsProvided, ValidationFailed (more than 5 addresses), Unprocessable (no enabled credential).
    """
    now = now or clock.utc_now()
    campaign = Campaign.objects.of(account).filter(pk=campaign_id, deleted_at__isnull=True).first()
    if campaign is None:
        raise NotFound("campaign_not_found")
    contact = _contact(account, contact_id)
    _check_number(emails)
    credential = _credential(campaign)
    _one_at_a_time(account)
    room = settings.TEST_SEND_PER_DAY - _sent_today(account, now)
    result = TestSend([], [])
    for email in dict.fromkeys(emails):
        reason = _why_refused(account, email, room - len(result.sent))
        if reason:
            result.refused.append({"email": email, "reason": reason})
        else:
            _queue(campaign, credential, contact, parse_address(email), now)
            result.sent.append(email)
    return result


def _contact(account: Account, contact_id: uuid.UUID | None) -> Contact | None:
    if contact_id is None:
        return None
    contact: Contact | None = Contact.objects.of(account).filter(pk=contact_id, deleted_at__isnull=True).first()
    if contact is None:
        raise NotFound("contact_not_found")
    return contact


def _check_number(emails: Sequence[str]) -> None:
    if not emails:
        raise NoEmailsProvided("Name at least one address in `emails`.")
    if len(emails) > ADDRESSES_PER_CALL:
        raise ValidationFailed({"emails": [f"At most {ADDRESSES_PER_CALL} addresses a call; these are {len(emails)}."]})


def _credential(campaign: Campaign) -> SmtpCredential:
    enabled: SmtpCredential | None = (
        campaign.credentials.filter(disabled_at__isnull=True, retired_at__isnull=True).order_by("created_at").first()
    )
    if enabled is None:
        raise Unprocessable("The campaign has no enabled credential to send a test through.")
    return enabled


def _one_at_a_time(account: Account) -> None:
    """Until the transaction ends, nobody else counts or uses the account's test sends."""
    sql.fetch("SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))", {"name": f"test_send:{account.pk}"})


def _sent_today(account: Account, now: datetime) -> int:
    """How many test addresses were served in the last 24 hours; each gets its step 1 once a call."""
    since = now - timedelta(days=1)
    return Message.objects.of(account).filter(stream="test", step_position=1, created_at__gte=since).count()


def _why_refused(account: Account, email: str, room: int) -> str:
    try:
        address = parse_address(email)
    except InvalidAddress as error:
        return str(error)
    if _is_suppressed(account, address):
        return "suppressed"
    return "" if room > 0 else "daily_test_limit_reached"


def _is_suppressed(account: Account, address: Address) -> bool:
    scopes = (
        Suppression.objects.of(account)
        .filter(digest__in=[address_digest(address.identity), domain_digest(address.domain)])
        .exclude(scope="")
        .values_list("scope", flat=True)
    )
    return any(blocks(SuppressionScope(scope), Stream.TEST) for scope in scopes)


def _queue(
    campaign: Campaign, credential: SmtpCredential, contact: Contact | None, address: Address, now: datetime
) -> None:
    digests = {"address": address_digest(address.identity), "domain": domain_digest(address.domain)}
    # The rows that the `wire` of a single message locks; without a scope they suppress nothing.
    Suppression.objects.bulk_create(
        [Suppression(account_id=campaign.account_id, kind=kind, digest=digest) for kind, digest in digests.items()],
        ignore_conflicts=True,
    )
    sender_domain = credential.from_email.rpartition("@")[2]
    Message.everywhere.bulk_create(
        Message(
            account_id=campaign.account_id,
            stream="test",
            campaign=campaign,
            contact=contact,
            credential=credential,
            step_position=position,
            recipient=address.original,
            recipient_digest=digests["address"],
            domain_digest=digests["domain"],
            message_id=make_message_id(sender_domain, os.urandom(16), settings.DIGEST_KEY.encode()),
            due_at=now,
            created_at=now,
        )
        for position in campaign.steps.order_by("position").values_list("position", flat=True)
    )
