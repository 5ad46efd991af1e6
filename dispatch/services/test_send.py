"""Test sends: every step of a campaign to a few addresses, through the same ledger and the same delivery."""

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from ampout.accounts.models import Account
from ampout.accounts.rules.keys import ClientKind
from ampout.lib import clock, sql
from ampout.lib.addresses import Address, InvalidAddress, parse_address
from ampout.lib.errors import AmpoutError, NotFound, Unprocessable, ValidationFailed
from campaigns.models import Campaign, Contact, Suppression
from campaigns.rules.suppression import Stream, SuppressionScope, blocks
from campaigns.services.digests import address_digest, domain_digest
from credentials.models import SmtpCredential
from dispatch.models import Message
from dispatch.rules.message_id import make_message_id
from dispatch.services import monthly_limit
from dispatch.services.restored_copy import check_sending

ADDRESSES_PER_CALL = 5
OF_DAY, OF_MONTH = "daily_test_limit_reached", "monthly_limit_reached"
"""Why an address is refused for which a limit has no room."""


class NoEmailsProvided(AmpoutError):
    """A test send needs at least one address."""

    code = "no_emails_provided"


@dataclass(frozen=True, slots=True)
class TestSend:
    """The addresses whose messages are on their way, and those that were refused, with the reason."""

    __test__ = False

    sent: list[str]
    refused: list[dict[str, str]]


class _Draft:
    """What goes to each address: every step of a campaign, through one credential."""

    def __init__(
        self, campaign: Campaign, credential: SmtpCredential, contact: Contact | None, client_kind: ClientKind
    ) -> None:
        self.campaign, self.credential, self.contact, self.client_kind = campaign, credential, contact, client_kind
        self.positions = list(campaign.steps.order_by("position").values_list("position", flat=True))


@transaction.atomic
def send_test(
    account: Account,
    campaign_id: uuid.UUID,
    emails: Sequence[str],
    contact_id: uuid.UUID | None = None,
    *,
    client_kind: ClientKind = ClientKind.DIRECT,
    now: datetime | None = None,
) -> TestSend:
    """Queue every step to each address, filled with the named contact's fields; they go first and at once.

    They are counted under `client_kind`. Raises NotFound, NoEmailsProvided, ValidationFailed (more than 5 addresses),
    Unprocessable (no enabled credential, or a restored copy), PlanLimitReached (no room in this month for a single
    address).
    """
    now = now or clock.utc_now()
    campaign = Campaign.objects.of(account).filter(pk=campaign_id, deleted_at__isnull=True).first()
    if campaign is None:
        raise NotFound("campaign_not_found")
    check_sending()
    contact = _contact(account, contact_id)
    _check_number(emails)
    draft = _Draft(campaign, _credential(campaign), contact, client_kind)
    take_turn(account.pk)
    rooms = _rooms(account, draft, now)
    result = TestSend([], [])
    for email in dict.fromkeys(emails):
        reason = _why_refused(account, email, [name for name, room in rooms.items() if room <= len(result.sent)])
        if reason:
            result.refused.append({"email": email, "reason": reason})
        else:
            _queue(draft, parse_address(email), now)
            result.sent.append(email)
    if OF_MONTH in rooms:
        monthly_limit.reserve({account.pk: len(result.sent) * len(draft.positions)})
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


def take_turn(account_id: uuid.UUID) -> None:
    """Until the transaction ends, nobody else counts or uses the account's test sends."""
    sql.fetch("SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))", {"name": f"test_send:{account_id}"})


def _rooms(account: Account, draft: _Draft, now: datetime) -> dict[str, int]:
    """How many addresses each limit has room for, by the reason that is told to those beyond it."""
    rooms = {OF_DAY: settings.TEST_SEND_PER_DAY - _sent_today(account, now)}
    wanted = len(draft.positions)
    room = monthly_limit.rooms_of([account.pk], wanted=wanted, now=now).get(account.pk)
    if room is None or not wanted:
        return rooms
    if room < wanted:
        raise monthly_limit.reached(account, now=now)
    return rooms | {OF_MONTH: room // wanted}


def _sent_today(account: Account, now: datetime) -> int:
    """How many test addresses were served in the last 24 hours; each gets its step 1 once a call."""
    since = now - timedelta(days=1)
    return Message.objects.of(account).filter(stream="test", step_position=1, created_at__gte=since).count()


def _why_refused(account: Account, email: str, limits_reached: Sequence[str]) -> str:
    try:
        address = parse_address(email)
    except InvalidAddress as error:
        return str(error)
    if _is_suppressed(account, address):
        return "suppressed"
    return next(iter(limits_reached), "")


def _is_suppressed(account: Account, address: Address) -> bool:
    scopes = (
        Suppression.objects.of(account)
        .filter(digest__in=[address_digest(address.identity), domain_digest(address.domain)])
        .exclude(scope="")
        .values_list("scope", flat=True)
    )
    return any(blocks(SuppressionScope(scope), Stream.TEST) for scope in scopes)


def _queue(draft: _Draft, address: Address, now: datetime) -> None:
    campaign = draft.campaign
    digests = {"address": address_digest(address.identity), "domain": domain_digest(address.domain)}
    # The rows that the `wire` of a single message locks; without a scope they suppress nothing.
    Suppression.objects.bulk_create(
        [Suppression(account_id=campaign.account_id, kind=kind, digest=digest) for kind, digest in digests.items()],
        ignore_conflicts=True,
    )
    sender_domain = draft.credential.from_email.rpartition("@")[2]
    Message.everywhere.bulk_create(
        Message(
            account_id=campaign.account_id,
            stream="test",
            campaign=campaign,
            contact=draft.contact,
            credential=draft.credential,
            step_position=position,
            recipient=address.original,
            recipient_digest=digests["address"],
            domain_digest=digests["domain"],
            message_id=make_message_id(sender_domain, os.urandom(16), settings.DIGEST_KEY.encode()),
            due_at=now,
            client_kind=draft.client_kind.value,
            created_at=now,
        )
        for position in draft.positions
    )
