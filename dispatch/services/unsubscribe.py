"""One-click unsubscribe: opaque tokens that stay valid after every deletion (RFC 8058, promise G10)."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from ampout.accounts.models import Account
from ampout.lib import clock
from campaigns.rules.suppression import SuppressionReason
from dispatch.models import Message
from dispatch.services import tokens
from dispatch.services.stops import Target, suppress_all

PURPOSE = "unsubscribe"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a valid token stands for."""

    account_id: uuid.UUID
    recipient_digest: bytes
    domain_digest: bytes
    sender_name: str


def make_token(message_id: uuid.UUID) -> str:
    """The token of one message."""
    return tokens.make_token(PURPOSE, message_id)


def find_subscription(token: str) -> Subscription | None:
    """Whom a token unsubscribes from whom; None for a token that is not ours."""
    message_id = tokens.read_token(PURPOSE, token)
    if message_id is None:
        return None
    message: Message | None = Message.everywhere.filter(pk=message_id).select_related("account").first()
    if message is None:
        return None
    account: Account = message.account
    return Subscription(
        account.pk,
        bytes(message.recipient_digest),
        bytes(message.domain_digest),
        account.sender_name or account.name,
    )


def unsubscribe_by_token(token: str, *, now: datetime | None = None) -> bool:
    """Unsubscribe the recipient, account-wide; doing it twice changes nothing. False for a token that is not ours."""
    subscription = find_subscription(token)
    if subscription is None:
        return False
    target = Target(subscription.recipient_digest)
    suppress_all(subscription.account_id, [target], SuppressionReason.UNSUBSCRIBED, now=now or clock.utc_now())
    return True
