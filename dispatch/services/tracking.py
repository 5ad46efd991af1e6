"""Opens and clicks: signed addresses, and what a request for one of them means.

An address names its message and carries a signature; a link's carries its target too, under the same signature, so that
nobody can make this server lead to a place of their choice. Every request is written down with its label; those of
persons move the enrollment; any request at all proves that an `unknown` message has left.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from django.conf import settings
from django.db import transaction

from ampout.events.kinds import EventKind
from ampout.events.services import Fact, record_events
from ampout.lib import clock
from campaigns.models import Enrollment
from campaigns.rules.enrollment_state import EnrollmentStatus, risen
from dispatch.models import Hit, Message
from dispatch.rules.hits import LONGEST_AGENT, MACHINE_SECONDS, HitFacts, HitKind, HitLabel, judge_hit
from dispatch.services import stops
from dispatch.services.enrollment_events import enrollment_data
from dispatch.services.evidence import resolve_by_evidence
from dispatch.services.tokens import make_token

MOST_HITS = 100
"""Of one kind for one message. What comes beyond is answered and not written down: nothing is learned from it."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asked, as the request shows; `network` is what is kept of its address."""

    method: str
    user_agent: str = ""
    network: str = ""
    is_prefetch: bool = False
    is_operator: bool = False
    from_apple: bool = False


def open_url(message_id: uuid.UUID) -> str:
    """The address of a message's pixel."""
    return f"{settings.PUBLIC_URL}/o/{make_token(HitKind.OPEN, message_id)}"


def click_url(message_id: uuid.UUID, target: str) -> str:
    """The address that leads from a message to `target`, and nowhere else."""
    return f"{settings.PUBLIC_URL}/c/{make_token(HitKind.CLICK, message_id, target)}?u={quote(target, safe='')}"


@transaction.atomic
def record_hit(
    kind: HitKind, message_id: uuid.UUID, visitor: Visitor, *, target: str = "", now: datetime | None = None
) -> HitLabel | None:
    """Write a request down and draw its consequences; None where its message is gone or has enough of them."""
    now = now or clock.utc_now()
    message: Message | None = Message.everywhere.filter(pk=message_id).first()
    if message is None or Hit.everywhere.filter(message=message, kind=kind.value)[MOST_HITS - 1 : MOST_HITS].exists():
        return None
    resolve_by_evidence([message.pk], kind.value, now=now)
    verdict = judge_hit(_facts(kind, message, visitor, now))
    if verdict.label is HitLabel.HUMAN and message.enrollment_id is not None:
        _note_open(message.enrollment_id, now)
    # The address is emptied at erasure: from then on nothing about whoever reads the message is kept. It is looked at
    # anew and locked, after the enrollment as ever: an erasure under way is waited for, a later one clears this hit.
    erased = not Message.everywhere.select_for_update(no_key=True, of=("self",)).get(pk=message_id).recipient
    Hit.everywhere.create(
        account_id=message.account_id,
        message=message,
        kind=kind.value,
        label=verdict.label.value,
        evidence=verdict.evidence[:200],
        url="" if erased else target[:2_000],
        user_agent="" if erased else _printable(visitor.user_agent),
        network="" if erased else visitor.network[:64],
        occurred_at=now,
    )
    return verdict.label


def _facts(kind: HitKind, message: Message, visitor: Visitor, now: datetime) -> HitFacts:
    just_now = now - timedelta(seconds=MACHINE_SECONDS)
    recent = Hit.everywhere.filter(message=message, kind=HitKind.CLICK.value, occurred_at__gt=just_now)
    return HitFacts(
        kind=kind,
        method=visitor.method,
        user_agent=visitor.user_agent,
        seconds_since_wire=(now - message.wire_at).total_seconds() if message.wire_at else None,
        recent_clicks=recent.count() if kind is HitKind.CLICK else 0,
        is_prefetch=visitor.is_prefetch,
        is_own=visitor.is_operator or message.stream == "test",
        from_apple=visitor.from_apple,
    )


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text[:LONGEST_AGENT])


def _note_open(enrollment_id: uuid.UUID, now: datetime) -> None:
    """The first open of a person; a click is one as well, as nobody clicks on what they do not see."""
    [enrollment] = stops.lock_enrollments([enrollment_id])
    if enrollment.opened_at is not None:
        return
    before = EnrollmentStatus(enrollment.status)
    enrollment.opened_at, enrollment.status = now, risen(before, EnrollmentStatus.OPENED).value
    Enrollment.everywhere.filter(pk=enrollment.pk).update(opened_at=now, status=enrollment.status)
    if enrollment.status != before:
        name = f"{EventKind.ENROLLMENT_OPENED}:{enrollment.pk}"
        fact = Fact(enrollment.account_id, EventKind.ENROLLMENT_OPENED, name, enrollment_data(enrollment))
        record_events([fact], now=now)
