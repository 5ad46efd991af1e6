"""What a notice brings about, in one transaction (design: States; law 5).

1. Suppression rows of the addresses that are stopped for good, by digest; their contacts are marked.
2. Every enrollment that may change, ids in order: those of the messages, and those at the same addresses.
3. The messages, ids in order. What is unknown and proved to have left counts as accepted.
4. The effects. Each is safe to repeat: a status only rises, a time is set once, an event is told once.
5. The record: one Feedback a message and kind. Where the person was erased meanwhile it keeps no words.
6. Health hears of a bounce or complaint that is new; last, so that nobody waits behind it.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings
from django.db.models import QuerySet

from ampout.lib.text import storable
from campaigns.models import Enrollment, SequenceStep
from campaigns.rules.enrollment_state import StopReason, WaitReason
from campaigns.rules.suppression import SuppressionReason
from dispatch.models import Feedback, Message, Notice
from dispatch.rules.classify.verdict import MailKind
from dispatch.rules.consequences import Effect, wait_until
from dispatch.rules.matching import PROVES_SENDING, MatchedBy
from dispatch.rules.message_state import MessageState
from dispatch.services import evidence, health, stops

LONGEST_TEXT = 20_000
"""Characters that are kept of a reply."""

LONGEST_EVIDENCE = 300

HARD, SOFT = "hard", "soft"

_SUPPRESSES: dict[Effect, SuppressionReason] = {
    Effect.HARD_BOUNCE: SuppressionReason.HARD_BOUNCE,
    Effect.COMPLAINT: SuppressionReason.COMPLAINT,
    Effect.UNSUBSCRIBE: SuppressionReason.UNSUBSCRIBED,
}
_UNDER_WAY = frozenset({MessageState.CLAIMED, MessageState.WIRE})


@dataclass(frozen=True, slots=True)
class Finding:
    """What a notice says about one message. `kind` is None for a provider's good news, which leaves no record."""

    message_id: uuid.UUID
    matched_by: MatchedBy
    effect: Effect
    kind: MailKind | None
    occurred_at: datetime
    status: str = ""
    hard: bool | None = None
    text: str = ""
    sender: str = ""
    subject: str = ""
    language: str = ""
    return_date: date | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is left to do.

    `to_judge` are credentials whose health is to be judged; `erased` says that a person of these was erased, and
    `early` that a message was not settled yet: what was drawn holds, and is to be drawn again once it is, as its
    proof or its wait had nothing to move.
    """

    to_judge: frozenset[uuid.UUID] = frozenset()
    erased: bool = False
    early: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """What is locked: the messages, and of each the enrollments that may change by what is said about it.

    Whoever is enrolled from now on is not among them: no enrollment is locked after a message.
    """

    messages: dict[uuid.UUID, Message]
    concerned: dict[uuid.UUID, set[uuid.UUID]]


def draw(notice: Notice, findings: Sequence[Finding], *, now: datetime) -> Drawn:
    """Carry out what these findings bring about, inside the notice's transaction."""
    findings = _with_news(findings)
    if not findings:
        return Drawn()
    held = _lock(findings, now)
    messages = held.messages
    _resolve_unknown(findings, now)
    to_judge: set[uuid.UUID] = set()
    for finding in findings:
        message = messages[finding.message_id]
        if _APPLY[finding.effect](message, finding, held, now) and message.credential_id is not None:
            to_judge.add(message.credential_id)
    _record(notice, findings, messages)
    health.note_due(to_judge, now=now)
    return Drawn(
        to_judge=frozenset(to_judge),
        erased=any(_is_erased(message) for message in messages.values()),
        early=any(MessageState(message.state) in _UNDER_WAY for message in messages.values()),
    )


def _with_news(findings: Sequence[Finding]) -> list[Finding]:
    """Without good news about messages whose fate is known, which is what providers report most of all."""
    good = {finding.message_id for finding in findings if finding.kind is None}
    states = [state.value for state in (*_UNDER_WAY, MessageState.UNKNOWN)]
    open_ones = set(Message.everywhere.filter(pk__in=good, state__in=states).values_list("pk", flat=True))
    return [finding for finding in findings if finding.kind is not None or finding.message_id in open_ones]


def _lock(findings: Sequence[Finding], now: datetime) -> Held:
    wanted = Message.everywhere.filter(pk__in={finding.message_id for finding in findings})
    found = {message.pk: message for message in wanted}
    suppressed = {
        (message.account_id, bytes(message.recipient_digest), _SUPPRESSES[finding.effect])
        for finding in findings
        if finding.effect in _SUPPRESSES and (message := found[finding.message_id])
    }
    for account_id, digest, reason in sorted(suppressed):
        stops.mark_address(account_id, digest, reason, now=now)
    concerned = {message.pk: _concerned(message) for message in found.values()}
    stops.lock_enrollments(set().union(*concerned.values()))
    locked = Message.everywhere.select_for_update(of=("self",)).filter(pk__in=found).order_by("pk")
    return Held({message.pk: message for message in locked}, concerned)


def _concerned(message: Message) -> set[uuid.UUID]:
    """The enrollments that may change by what is said about a message: its own, and all at its address."""
    own = {message.enrollment_id} if message.enrollment_id is not None else set()
    return own | set(_at_address(message).values_list("pk", flat=True))


def _at_address(message: Message) -> "QuerySet[Enrollment]":
    enrollments: QuerySet[Enrollment] = Enrollment.objects.of(message.account_id)
    # The contact's account is named too: their index begins with it.
    return enrollments.filter(
        contact__account=message.account_id, contact__address_digest=bytes(message.recipient_digest)
    )


def _resolve_unknown(findings: Sequence[Finding], now: datetime) -> None:
    for finding in findings:
        if finding.matched_by in PROVES_SENDING:
            source = finding.kind.value if finding.kind is not None else "delivery"
            evidence.resolve_by_evidence([finding.message_id], source, now=now)


def _nothing(_message: Message, _finding: Finding, _held: Held, _now: datetime) -> bool:
    return False


def _bounce_hard(message: Message, finding: Finding, held: Held, now: datetime) -> bool:
    """True when it is news to health."""
    words = _words(message, finding)
    stops.stop_enrollments(held.concerned[message.pk], StopReason.BOUNCED, now=now, bounce_reason=words)
    return _mark_bounced(message, HARD, finding.occurred_at)


def _bounce_soft(message: Message, finding: Finding, _held: Held, now: datetime) -> bool:
    if message.enrollment_id is not None:
        own, words = [message.enrollment_id], _words(message, finding)
        stops.stop_enrollments(own, StopReason.REFUSED, now=now, bounce_reason=words)
    if not message.bounce_kind:
        _mark_bounced(message, SOFT, finding.occurred_at)
    return False


def _words(message: Message, finding: Finding) -> str:
    """Why it came back; servers like to repeat the address, so their own words are not for whoever was erased."""
    said = "" if _is_erased(message) else finding.text
    return storable(said or finding.status or "returned", LONGEST_TEXT)


def _mark_bounced(message: Message, kind: str, at: datetime) -> bool:
    """Whether this is new."""
    if message.bounce_kind == kind:
        return False
    message.bounced_at, message.bounce_kind = message.bounced_at or at, kind
    message.save(update_fields=["bounced_at", "bounce_kind"])
    return True


def _complain(message: Message, finding: Finding, held: Held, now: datetime) -> bool:
    """True when it is news to health."""
    stops.stop_enrollments(held.concerned[message.pk], StopReason.COMPLAINED, now=now)
    if message.complained_at is not None:
        return False
    message.complained_at = finding.occurred_at
    message.save(update_fields=["complained_at"])
    return True


def _unsubscribe(message: Message, _finding: Finding, held: Held, now: datetime) -> bool:
    stops.stop_enrollments(held.concerned[message.pk], StopReason.UNSUBSCRIBED, now=now)
    return False


def _reply(message: Message, finding: Finding, held: Held, now: datetime) -> bool:
    """The contact's own sequence is replied; its other open ones in the account stop with it."""
    own = message.enrollment_id
    if own is None:
        return False
    stops.stop_enrollments([own], StopReason.REPLIED, now=now, replied_at=finding.occurred_at)
    if settings.REPLY_STOPS_OTHER_CAMPAIGNS:
        others = Enrollment.everywhere.filter(pk__in=held.concerned[message.pk] - {own})
        others = others.filter(stopped_at__isnull=True, finished_at__isnull=True)
        stops.stop_enrollments(set(others.values_list("pk", flat=True)), StopReason.REPLIED_ELSEWHERE, now=now)
    return False


def _wait(message: Message, finding: Finding, _held: Held, now: datetime) -> bool:
    """The next step goes on the day after the return; one that is only planned is taken back for it."""
    if finding.return_date is None or not settings.WAIT_FOR_RETURN or message.enrollment_id is None:
        return False
    enrollment: Enrollment = Enrollment.everywhere.get(pk=message.enrollment_id)
    under_way = MessageState(message.state) in _UNDER_WAY
    if enrollment.stopped_at is None and enrollment.finished_at is None and not under_way:
        _postpone(enrollment, finding.return_date, finding.occurred_at.date(), now)
    return False


def _postpone(enrollment: Enrollment, return_date: date, heard_on: date, now: datetime) -> None:
    position = {"enrollment": enrollment, "step_position": enrollment.next_position}
    planned = Message.everywhere.filter(**position).first()
    due_at = enrollment.next_due_at if planned is None else planned.due_at or now
    step = SequenceStep.objects.filter(campaign=enrollment.campaign_id, position=enrollment.next_position)
    until = wait_until(due_at, return_date, heard_on) if due_at is not None and step.exists() else None
    if until is None or (planned is not None and not _take_back(planned)):
        return
    Enrollment.everywhere.filter(pk=enrollment.pk).update(next_due_at=until, wait_reason=WaitReason.OUT_OF_OFFICE.value)


def _take_back(planned: Message) -> bool:
    """A plan is no proof of anything yet, so it leaves no trace; what was tried or is in a loop's hands stays."""
    unstarted = Message.everywhere.filter(
        pk=planned.pk, state=MessageState.PLANNED.value, first_attempt_at__isnull=True, usage_day__isnull=True
    )
    return bool(unstarted._raw_delete(unstarted.db))  # noqa: SLF001  # conditional on its state, in one statement


_APPLY: dict[Effect, Callable[[Message, Finding, Held, datetime], bool]] = {
    Effect.NOTHING: _nothing,
    Effect.HARD_BOUNCE: _bounce_hard,
    Effect.SOFT_BOUNCE: _bounce_soft,
    Effect.COMPLAINT: _complain,
    Effect.UNSUBSCRIBE: _unsubscribe,
    Effect.REPLY: _reply,
    Effect.WAIT: _wait,
}


def _record(notice: Notice, findings: Sequence[Finding], messages: dict[uuid.UUID, Message]) -> None:
    rows = [
        _feedback(notice, finding, messages[finding.message_id]) for finding in findings if finding.kind is not None
    ]
    Feedback.everywhere.bulk_create(rows, ignore_conflicts=True)


def _is_erased(message: Message) -> bool:
    """The address is emptied at erasure, under the lock that is held here."""
    return not message.recipient


def _feedback(notice: Notice, finding: Finding, message: Message) -> Feedback:
    erased = _is_erased(message)
    return Feedback(
        account_id=notice.account_id,
        notice=notice,
        message=message,
        credential_id=message.credential_id or notice.credential_id,
        enrollment_id=message.enrollment_id,
        kind=finding.kind or "",
        matched_by=finding.matched_by.value,
        status=storable(finding.status, 16),
        hard=finding.hard,
        sender="" if erased else storable(finding.sender, 320),
        subject="" if erased else storable(finding.subject, 998),
        text="" if erased else storable(finding.text, LONGEST_TEXT),
        language=storable(finding.language, 8),
        return_date=finding.return_date,
        evidence=[] if erased else [storable(one, LONGEST_EVIDENCE) for one in finding.evidence],
        occurred_at=finding.occurred_at,
    )
