"""Findings about messages, drawn by hand: what a judged notice brings about, without a mail around it."""

import uuid
from typing import Any

from django.db import transaction

from dispatch.models import Message, Notice
from dispatch.rules.classify.verdict import MailKind
from dispatch.rules.consequences import Effect
from dispatch.rules.matching import MatchedBy
from dispatch.services import consequences
from dispatch.services.consequences import Drawn, Finding
from tests.services.desk import Desk

KIND_OF_EFFECT = {
    Effect.NOTHING: MailKind.DELAY,
    Effect.HARD_BOUNCE: MailKind.BOUNCE,
    Effect.SOFT_BOUNCE: MailKind.BOUNCE,
    Effect.COMPLAINT: MailKind.FEEDBACK,
    Effect.UNSUBSCRIBE: MailKind.UNSUBSCRIBE,
    Effect.REPLY: MailKind.REPLY,
    Effect.WAIT: MailKind.AUTO_REPLY,
}
WORDS = "550 5.1.1 No such user"


def make_notice(message: Message, desk: Desk, **fields: Any) -> Notice:
    """A notice in the mailbox that a message left through."""
    facts = {"source": "imap", "dedupe": uuid.uuid4().bytes, "received_at": desk.now, "body": b"x", "headers": "x"}
    made: Notice = Notice.everywhere.create(
        account_id=message.account_id, credential_id=message.credential_id, **(facts | fields)
    )
    return made


def finding(message: Message, effect: Effect, desk: Desk, **fields: Any) -> Finding:
    """What a notice of this moment says about a message."""
    facts: dict[str, Any] = {
        "matched_by": MatchedBy.MESSAGE_ID,
        "kind": KIND_OF_EFFECT[effect],
        "occurred_at": desk.now,
        "text": WORDS if effect in {Effect.HARD_BOUNCE, Effect.SOFT_BOUNCE} else "words",
    }
    return Finding(message_id=message.pk, effect=effect, **(facts | fields))


def drawn(desk: Desk, message: Message, *effects: Effect, **fields: Any) -> Drawn:
    """One notice of this moment that says all of this about a message."""
    with transaction.atomic():
        findings = [finding(message, effect, desk, **fields) for effect in effects]
        return consequences.draw(make_notice(message, desk), findings, now=desk.now)


def draw(desk: Desk, message: Message, *effects: Effect, **fields: Any) -> frozenset[uuid.UUID]:
    """The same; the credentials to be judged."""
    return drawn(desk, message, *effects, **fields).to_judge
