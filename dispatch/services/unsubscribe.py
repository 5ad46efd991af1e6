"""One-click unsubscribe: opaque tokens that stay valid after every deletion (RFC 8058, promise G10)."""

import base64
import hmac
import uuid
from dataclasses import dataclass
from datetime import datetime

from ampout.accounts.models import Account
from ampout.lib import clock
from ampout.lib.crypto import keyed_digest
from campaigns.rules.suppression import SuppressionReason
from dispatch.models import Message
from dispatch.services.stops import suppress_digest

SIGNATURE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a valid token stands for."""

    account_id: uuid.UUID
    recipient_digest: bytes
    domain_digest: bytes
    sender_name: str


def make_token(message_id: uuid.UUID) -> str:
    """The token of one message: its id and 128 bits of signature, nothing that can be read or guessed."""
    return base64.urlsafe_b64encode(message_id.bytes + _sign(message_id)).decode("ascii").rstrip("=")


def _sign(message_id: uuid.UUID) -> bytes:
    return keyed_digest("unsubscribe", message_id.hex)[:SIGNATURE_BYTES]


def read_token(token: str) -> uuid.UUID | None:
    """The message a token was made for; None unless its signature is ours."""
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except ValueError:
        return None
    if len(raw) != 16 + SIGNATURE_BYTES or base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=") != token:
        return None
    message_id = uuid.UUID(bytes=raw[:16])
    return message_id if hmac.compare_digest(raw[16:], _sign(message_id)) else None


def find_subscription(token: str) -> Subscription | None:
    """Whom a token unsubscribes from whom; None for a token that is not ours."""
    message_id = read_token(token)
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
    suppress_digest(
        subscription.account_id,
        subscription.recipient_digest,
        SuppressionReason.UNSUBSCRIBED,
        now=now or clock.utc_now(),
    )
    return True
