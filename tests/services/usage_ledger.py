"""A ledger for tests that count it: messages that left at a given time, without the way there."""

import uuid
from datetime import datetime
from itertools import count
from typing import Any

from django.db import connection

from ampout.accounts.models import Account
from campaigns.models import Campaign
from dispatch.models import Message

_MANY = """
INSERT INTO dispatch_message (
    id, account_id, campaign_id, stream, recipient, recipient_digest, domain_digest, message_id, delivered_message_id,
    subject, state, reason, gap_seed, gap_seconds, fence, attempts, wire_at, reply_text, created_at
)
SELECT gen_random_uuid(), %(account)s, %(campaign)s, 'test', '', '\\x00', '\\x00', '<' || gen_random_uuid() || '@a>',
    '', '', 'accepted', '', 0, 0, 1, 1, %(first)s + number * %(apart)s::interval, '', %(first)s
FROM generate_series(1, %(count)s) number
"""
_numbers = count(1)


def left(account: Account, at: datetime, *, state: str = "accepted", kind: str = "direct", times: int = 1) -> None:
    """So many messages whose body left at this time."""
    Message.objects.bulk_create(
        Message(
            account=account,
            stream="test",
            recipient_digest=b"",
            domain_digest=b"",
            message_id=f"<{next(_numbers)}-{uuid.uuid4().hex}@sender.example>",
            state=state,
            client_kind=kind,
            wire_at=at,
        )
        for _ in range(times)
    )


def many_left(campaign: Campaign, first: datetime, *, count: int, apart: str) -> None:
    """So many accepted messages, one after the other, made by one statement."""
    facts: dict[str, Any] = {
        "account": campaign.account_id,
        "campaign": campaign.pk,
        "first": first,
        "apart": apart,
        "count": count,
    }
    with connection.cursor() as cursor:
        cursor.execute(_MANY, facts)
        cursor.execute("ANALYZE dispatch_message")
