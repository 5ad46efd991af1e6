"""From a stored notice to what it says about our messages: read, classify, match. Nothing is changed here."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Q

from ampout.lib.text import storable
from credentials.models import SmtpCredential
from dispatch.gateways.known_dialects import with_known_dialects
from dispatch.gateways.provider_events import read_events
from dispatch.knowledge import load_knowledge
from dispatch.models import Notice
from dispatch.rules.classify.classifier import classify
from dispatch.rules.classify.verdict import Classification, FailedRecipient, MailKind
from dispatch.rules.consequences import KIND_OF_EVENT, Effect, decide_effect
from dispatch.rules.mail.reader import Mail, read_mail
from dispatch.rules.matching import (
    Candidate,
    MatchedBy,
    RecipientMatch,
    match_answer,
    match_recipients,
    senders,
)
from dispatch.rules.provider_event import ProviderEvent, ProviderEventKind
from dispatch.services import matching
from dispatch.services.consequences import LONGEST_EVIDENCE, Finding

IMAP = "imap"
"""The source of notices that are mails."""

NOTHING_OF_OURS = "nothing of ours"
_ABOUT_RECIPIENTS = frozenset({MailKind.BOUNCE, MailKind.DELAY, MailKind.FEEDBACK})


@dataclass(frozen=True, slots=True)
class Judged:
    """The findings of one notice, and the verdict that is kept with it: never an address or words of the mail."""

    findings: list[Finding] = field(default_factory=list)
    verdict: dict[str, Any] = field(default_factory=dict)


def judge(notice: Notice, *, now: datetime) -> Judged:
    """What this notice says. Raises ValueError with a sentence for a provider's call that cannot be read."""
    at = min(notice.received_at, now)
    if notice.source == IMAP:
        raw = bytes(notice.body) or notice.headers.encode()
        return _judge_mail(notice, raw, at)
    return _judge_call(notice, at)


# -- Mails


def _judge_mail(notice: Notice, raw: bytes, at: datetime) -> Judged:
    mail, knowledge = read_mail(raw), load_knowledge()
    own = matching.find_by_ids(notice.account_id, mail.message_ids("Message-ID"))
    if own:
        return _own_copy(next(iter(own.values())), at)
    known = matching.find_known(notice.account_id, matching.clues_of(mail))
    found = classify(
        mail,
        knowledge,
        received_on=at.date(),
        refers_to_us=any(candidate.matched_by is not MatchedBy.TOKEN for candidate in known),
    )
    found = with_known_dialects(found, mail, raw, knowledge)
    if found.original_message_ids:
        known = matching.find_known(notice.account_id, matching.clues_of(mail, found.original_message_ids))
    if found.kind in _ABOUT_RECIPIENTS:
        findings = _about_recipients(notice, mail, found, known, at)
    elif found.kind is MailKind.MACHINE:
        findings = [_finding(mail, found, candidate, Effect.NOTHING, at) for candidate in known[:1]]
    else:
        findings = _answers(notice, mail, found, known, at)
    return Judged(findings, _verdict(found, findings, known))


def _own_copy(candidate: Candidate, at: datetime) -> Judged:
    """A message of ours, as whoever writes to an address of their own receives it: no reply, but it did leave."""
    finding = Finding(candidate.message_id, candidate.matched_by, Effect.NOTHING, None, at)
    return Judged([finding], {"kind": "own_copy", **_effects([finding])})


def _verdict(found: Classification, findings: Sequence[Finding], known: Sequence[Candidate]) -> dict[str, Any]:
    evidence = [storable(one, LONGEST_EVIDENCE) for one in found.evidence[:20]]
    verdict: dict[str, Any] = {"kind": found.kind.value, "evidence": evidence}
    if findings:
        return verdict | _effects(findings)
    return verdict | {"unmatched": "known, but not from or about its recipient" if known else NOTHING_OF_OURS}


def _effects(findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "matched_by": findings[0].matched_by.value,
        "effects": sorted({finding.effect.value for finding in findings}),
        "messages": [str(finding.message_id) for finding in findings][:100],
    }


def _answers(
    notice: Notice, mail: Mail, found: Classification, known: Sequence[Candidate], at: datetime
) -> list[Finding]:
    candidate = match_answer(known, None if known else _latest_to_sender(notice, mail, at))
    if candidate is None or _is_our_own(notice, mail, candidate):
        return []
    effect = decide_effect(found.kind, hard=False, exact=True, matched_by=candidate.matched_by)
    return [_finding(mail, found, candidate, effect, at)]


def _latest_to_sender(notice: Notice, mail: Mail, at: datetime) -> Candidate | None:
    digests = matching.sender_digests(mail)
    latest = matching.find_latest_to(notice.credential_id, notice.account_id, digests, at=at, by=MatchedBy.SENDER)
    return next(iter(latest.values()), None)


def _is_our_own(notice: Notice, mail: Mail, candidate: Candidate) -> bool:
    """Whether a mailbox of the account wrote it: what one writes in the thread, with a copy here, is nobody's reply."""
    if candidate.recipient in matching.sender_digests(mail):
        return False
    wrote = Q()
    for address in senders(mail):
        wrote |= Q(from_email__iexact=address)
    return bool(wrote) and SmtpCredential.objects.of(notice.account_id).filter(wrote).exists()


def _about_recipients(
    notice: Notice, mail: Mail, found: Classification, known: Sequence[Candidate], at: datetime
) -> list[Finding]:
    named = [recipient for recipient in found.recipients if recipient.address]
    spelt = [_digests_of(recipient) for recipient in named]
    mailed = matching.find_latest_to(
        notice.credential_id, notice.account_id, set().union(*spelt), at=at, by=MatchedBy.RECIPIENT
    )
    ours = mailed.keys() | {candidate.recipient for candidate in known}
    digests = [next((digest for digest in each if digest in ours), b"") for each in spelt]
    unnamed = found.recipients[0] if found.recipients and not named else FailedRecipient("")
    findings = []
    for match in match_recipients(digests, known, mailed):
        recipient = unnamed if match.index is None else named[match.index]
        if match.index is not None and match.candidate.recipient not in spelt[match.index][:1]:
            # Ours was only what it was first sent to: somewhere behind it the mail failed.
            match = replace(match, exact=False)  # noqa: PLW2901
        findings.append(_about_one(mail, found, recipient, match, at, names_others=not known))
    return findings


def _digests_of(recipient: FailedRecipient) -> list[bytes]:
    """The keyed hashes of the addresses that a notice gives one recipient, the failed one first."""
    found = (matching.digest_of(address) for address in (recipient.address, *recipient.aliases))
    return [digest for digest in found if digest is not None]


def _about_one(
    mail: Mail,
    found: Classification,
    recipient: FailedRecipient,
    match: RecipientMatch,
    at: datetime,
    *,
    names_others: bool,
) -> Finding:
    effect = decide_effect(
        found.kind,
        hard=recipient.hard,
        exact=match.exact,
        matched_by=match.candidate.matched_by,
        names_others=names_others and bool(found.original_message_ids),
    )
    return Finding(
        message_id=match.candidate.message_id,
        matched_by=match.candidate.matched_by,
        effect=effect,
        kind=found.kind,
        occurred_at=at,
        status=recipient.status,
        hard=effect is Effect.HARD_BOUNCE if found.kind is MailKind.BOUNCE else None,
        text=recipient.diagnostic,
        sender=next(iter(senders(mail)), ""),
        subject=mail.header("Subject"),
        evidence=found.evidence,
    )


def _finding(mail: Mail, found: Classification, candidate: Candidate, effect: Effect, at: datetime) -> Finding:
    return Finding(
        message_id=candidate.message_id,
        matched_by=candidate.matched_by,
        effect=effect,
        kind=found.kind,
        occurred_at=at,
        text=found.reply_text or "",
        sender=next(iter(senders(mail)), ""),
        subject=mail.header("Subject"),
        language=found.language or "",
        return_date=found.return_date,
        evidence=found.evidence,
    )


# -- Providers' calls


def _judge_call(notice: Notice, at: datetime) -> Judged:
    events = read_events(notice.source, bytes(notice.body))
    host = notice.credential.smtp_host
    # Each id in every form that it may have in the ledger, all looked up at once: a call may tell of a thousand.
    forms = [_forms(event, host) for event in events]
    known = matching.find_by_ids(notice.account_id, {form for each in forms for form in each})
    found = [
        finding
        for event, each in zip(events, forms, strict=True)
        if (finding := _of_event(event, [known[form] for form in each if form in known], at)) is not None
    ]
    verdict: dict[str, Any] = {"kinds": sorted({event.kind.value for event in events})}
    return Judged(found, verdict | (_effects(found) if found else {"unmatched": NOTHING_OF_OURS}))


def _forms(event: ProviderEvent, host: str) -> list[str]:
    if event.kind is ProviderEventKind.OTHER:
        return []
    return [form for one in event.message_ids for form in matching.forms_of_provider_id(one, host) if form]


def _of_event(event: ProviderEvent, known: Sequence[Candidate], at: datetime) -> Finding | None:
    """What an event says: its message by an id that the provider names, to the very recipient that it names."""
    digest = matching.digest_of(event.recipient)
    candidate = next((one for one in known if one.recipient == digest), None)
    if candidate is None:
        return None
    kind, hard = KIND_OF_EVENT[event.kind], event.kind is ProviderEventKind.HARD_BOUNCE
    return Finding(
        message_id=candidate.message_id,
        matched_by=candidate.matched_by,
        effect=decide_effect(kind, hard=hard, exact=True, matched_by=candidate.matched_by),
        kind=kind,
        occurred_at=min(event.occurred_at or at, at),
        status=event.status,
        hard=hard if kind is MailKind.BOUNCE else None,
        text=event.text,
    )
