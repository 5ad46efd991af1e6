"""Is this mail a notice that a message was not delivered, or not yet? And whose address failed, and for good?

1. A complaint (RFC 5965) is none. A receipt (RFC 8098) is a machine's and judges nobody.
2. A delivery status (RFC 3464) decides by its fields, whoever sent the mail; text that only looks like one needs a
   machine behind it.
3. Notices in plain words come from machines, by their sender or subject, and say that something failed or is late.
4. What a machine sends besides, as its sender shows, is `machine`; all else is left to the rules that come next.

Late is never failed: a notice that promises further attempts, or announces no end of them, judges nobody.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from dispatch.rules.classify.bounce_knowledge import BounceKnowledge, Rule
from dispatch.rules.classify.dialects import Found, failed_among, find_recipients, words_about
from dispatch.rules.classify.knowledge import Knowledge
from dispatch.rules.classify.notice_text import Notice, open_notice
from dispatch.rules.classify.report_fields import (
    RecipientFields,
    find_nested_report,
    find_report,
    has_status_part,
    read_report,
)
from dispatch.rules.classify.status_codes import find_reason, find_reply_code, find_status, judge_failure, plain_words
from dispatch.rules.classify.verdict import Classification, FailedRecipient, MailKind
from dispatch.rules.mail.reader import Mail

UNCLASSIFIED = "machine, unclassified"
"""The evidence that a machine sent it, and that no rule knows more."""
_WORDS_READ = 8 * 1024
"""Characters of a notice in which failure and delay are looked for."""
_DIAGNOSTIC = 1000
_MAX_IDS = 20
_QUOTED_ID = re.compile(r"(?:message|mess)[ -]?id:?\s{1,20}(<[^<>\s]{1,500}@[^<>\s]{1,500}>)", re.IGNORECASE)
_ID_HEADERS = ("X-Original-Message-ID", "Original-Message-ID", "X-Message-ID", "In-Reply-To", "References")
_REFUSING_RECEIPT = re.compile(
    r"^disposition:\s{0,20}automatic-action/.{0,60};\s{0,20}deleted", re.IGNORECASE | re.MULTILINE
)
_ANSWERED = re.compile(
    r"[\s\[(]{0,3}(?:re|fw|fwd|aw|wg|antw|sv|vs|vb|tr|rif|r|i|odp|pd|enc|res|rv|ynt|ilt|ha|отв|回复|回覆|答复|转发|轉寄|転送|返信)"
    r"(?:\[\d{1,3}\])?\s{0,2}[:：]"
)
_FINAL_ACTIONS = ("deliver", "relay", "expand")


def read_delivery_status(mail: Mail, knowledge: Knowledge) -> Classification | None:
    """A bounce, a delay, or a machine's mail; None when nothing of a delivery notice is in it."""
    types = {part.content_type for part in mail.parts}
    if "message/feedback-report" in types or mail.parameters.get("report-type", "").lower() == "feedback-report":
        return None
    sign = _machine_sign(mail, knowledge.bounces)
    hint = sign or _hint(mail, knowledge.bounces)
    # Most mail is a person's, and is let go before its words are looked at.
    if not hint and not has_status_part(mail):
        return None
    notice = open_notice(mail, knowledge.bounces)
    if "message/disposition-notification" in types:
        return _by_receipt(mail, notice, knowledge.bounces)
    report = find_report(mail)
    recipients = read_report(report or (find_nested_report(mail) if hint else ""))
    found = _by_report(mail, recipients, notice, knowledge.bounces) if recipients else None
    found = found or _by_words(mail, notice, sign, hint, knowledge.bounces)
    return replace(found, original_message_ids=_original_ids(mail, notice, report)) if found else None


def is_unclassified(classification: Classification) -> bool:
    """Whether a library that knows other dialects may still help: the judgement left open what happened, or to whom."""
    if classification.kind is MailKind.BOUNCE:
        return not classification.recipients
    return UNCLASSIFIED in classification.evidence


def add_known_dialect(
    classification: Classification, mail: Mail, addresses: Iterable[str], knowledge: Knowledge
) -> Classification:
    """A bounce of those `addresses` that another reader of bounces found, if any can have failed; else unchanged."""
    notice = open_notice(mail, knowledge.bounces)
    failed = failed_among(mail, notice, addresses)
    if not failed:
        return classification
    recipients = tuple(_judged(address, "", "", notice.text, knowledge.bounces) for address in failed)
    evidence = (*classification.evidence, "A dialect known to flufl.bounce")
    return replace(classification, kind=MailKind.BOUNCE, recipients=recipients, evidence=evidence)


# -- Who speaks


def _machine_sign(mail: Mail, knowledge: BounceKnowledge) -> str:
    """What shows that nobody but a machine sends this; empty when nothing does.

    A postmaster may also be a person: one who answers in a thread is taken for one.
    """
    if mail.content_type == "multipart/report":
        return "multipart/report"
    if mail.addresses("X-Failed-Recipients"):
        return "X-Failed-Recipients"
    sender = _sender_sign(mail, knowledge.machines)
    answers = mail.header("In-Reply-To") and not _has_null_sender(mail)
    return "" if answers and "daemon" not in sender.lower() else sender


def _hint(mail: Mail, knowledge: BounceKnowledge) -> str:
    """What notices have in common with other mail: it counts only together with words of failure or delay."""
    return _sender_sign(mail, knowledge.likely_machines) or _subject_sign(mail, knowledge) or _null_sender_sign(mail)


def _sender_sign(mail: Mail, senders: Iterable[Rule]) -> str:
    for name in ("From", "Sender", "Return-Path"):
        value = mail.header(name)
        if value and value != "<>" and _first(senders, value.lower()):
            return f"{name}: {value[:100]}"
    return ""


def _has_null_sender(mail: Mail) -> bool:
    return mail.header("Return-Path").replace(" ", "") == "<>"


def _subject_sign(mail: Mail, knowledge: BounceKnowledge) -> str:
    """A subject such as notices have; one that was answered or passed on is a person's."""
    subject = _one_line(mail.header("Subject"))
    answered = _ANSWERED.match(subject)
    return f"Subject: {subject[:100]}" if not answered and _first(knowledge.subjects, subject) else ""


def _null_sender_sign(mail: Mail) -> str:
    """Without a return path nobody wants an answer: notices are sent so, and automatic replies."""
    if _has_null_sender(mail):
        return "Return-Path: <>"
    automatic = mail.header("Auto-Submitted")
    return f"Auto-Submitted: {automatic[:100]}" if automatic and automatic.lower() != "no" else ""


# -- RFC 3464


def _by_report(
    mail: Mail, recipients: tuple[RecipientFields, ...], notice: Notice, knowledge: BounceKnowledge
) -> Classification | None:
    """The judgement by the fields; None when they name no action, no status and no address."""
    actions = [_action(fields, mail, notice, knowledge) for fields in recipients]
    for kind, wanted in ((MailKind.BOUNCE, "failed"), (MailKind.DELAY, "delayed")):
        chosen = [fields for fields, action in zip(recipients, actions, strict=True) if action == wanted]
        if chosen:
            named = _unique(_reported(chosen, mail, notice, knowledge))
            failed = tuple(one if kind is MailKind.BOUNCE else replace(one, hard=False) for one in named)
            return Classification(kind, recipients=failed, evidence=(f"Action: {chosen[0].action or wanted}",))
    return Classification(MailKind.MACHINE, evidence=(f"Action: {actions[0]}",)) if any(actions) else None


def _action(fields: RecipientFields, mail: Mail, notice: Notice, knowledge: BounceKnowledge) -> str:
    """`failed`, `delayed`, `delivered` or nothing: by the action, else by the class of the status and the words."""
    if fields.action.startswith("fail"):
        return "failed"
    if fields.action.startswith("delay"):
        return "delayed"
    if fields.action.startswith(_FINAL_ACTIONS) or fields.status.startswith("2"):
        return "delivered"
    if fields.status.startswith("5"):
        return "failed"
    if fields.status or fields.diagnostic or fields.action:
        return "delayed" if _is_late(mail, notice, knowledge) else "failed"
    return ""


def _reported(
    chosen: list[RecipientFields], mail: Mail, notice: Notice, knowledge: BounceKnowledge
) -> Iterator[FailedRecipient]:
    """The recipients of the fields. Where those hold no address, the words of the notice name it."""
    for fields in chosen:
        if fields.addresses:
            words = fields.diagnostic or words_about(fields.addresses[0], notice, knowledge)
            judged = _judged(fields.addresses[0], fields.status, words, notice.text, knowledge)
            yield replace(judged, aliases=fields.addresses[1:])
    nameless = next((fields for fields in chosen if not fields.addresses), None)
    if nameless and not any(fields.addresses for fields in chosen):
        for found in find_recipients(mail, notice, knowledge):
            words = nameless.diagnostic or found.diagnostic
            yield _judged(found.address, nameless.status, words, notice.text, knowledge)


def _by_receipt(mail: Mail, notice: Notice, knowledge: BounceKnowledge) -> Classification:
    """A receipt judges nobody, but for one: a filter may refuse a message by a receipt (RFC 5429, section 2.2.1)."""
    text = next(part.text for part in mail.parts if part.content_type == "message/disposition-notification")
    evidence = ("A receipt (RFC 8098)",)
    refused = _REFUSING_RECEIPT.search(text) and _first(knowledge.failures, _one_line(notice.text[:_WORDS_READ]))
    addresses = [fields.addresses[0] for fields in read_report(text) if fields.addresses] if refused else []
    if not addresses:
        return Classification(MailKind.MACHINE, evidence=evidence)
    words = " ".join(notice.text.split())
    failed = tuple(_judged(address, "", words, "", knowledge) for address in addresses)
    recipients = tuple(replace(one, hard=False) for one in failed)
    ids = _original_ids(mail, notice, text)
    return Classification(MailKind.BOUNCE, recipients=recipients, original_message_ids=ids, evidence=evidence)


def _unique(recipients: Iterable[FailedRecipient]) -> Iterator[FailedRecipient]:
    seen: set[str] = set()
    for recipient in recipients:
        if recipient.address not in seen:
            seen.add(recipient.address)
            yield recipient


# -- Plain words


def _by_words(mail: Mail, notice: Notice, sign: str, hint: str, knowledge: BounceKnowledge) -> Classification | None:
    """The judgement by what the notice says; None for mail that no machine sent, or that speaks of no delivery."""
    words = _one_line(notice.text[:_WORDS_READ])
    failure = _first(knowledge.failures, words)
    late = _is_late(mail, notice, knowledge)
    if not sign and not (hint and (failure or late)):
        return None
    found = find_recipients(mail, notice, knowledge)
    evidence = tuple(filter(None, (hint, failure)))
    if late and (sign or found):
        recipients = tuple(_judged(one.address, "", one.diagnostic, "", knowledge) for one in found)
        late_recipients = tuple(replace(recipient, hard=False) for recipient in recipients)
        return Classification(MailKind.DELAY, recipients=late_recipients, evidence=evidence)
    if _went_well(mail, notice, knowledge):
        return Classification(MailKind.MACHINE, evidence=evidence)
    told = failure or _subject_sign(mail, knowledge) or mail.header("X-Failed-Recipients")
    reasoned = any(find_reason(plain_words(one.diagnostic), knowledge) for one in found)
    if (told or reasoned) and (found or (sign and notice.returned)):
        judged = tuple(_judged_by_words(one, mail, notice, knowledge) for one in found)
        return Classification(MailKind.BOUNCE, recipients=judged, evidence=evidence)
    return Classification(MailKind.MACHINE, evidence=(sign, UNCLASSIFIED)) if sign else None


def _went_well(mail: Mail, notice: Notice, knowledge: BounceKnowledge) -> bool:
    """Whether the notice only says that a delivery succeeded."""
    words = f"{_one_line(mail.header('Subject'))}\n{_one_line(notice.text[:_WORDS_READ])}"
    if not _first(knowledge.successes, words) or _first(knowledge.last_words, words):
        return False
    return not (find_status(notice.text) or find_reply_code(notice.text))


def _judged_by_words(found: Found, mail: Mail, notice: Notice, knowledge: BounceKnowledge) -> FailedRecipient:
    """The judgement by what the notice says; where that is nothing, by its subject."""
    judged = _judged(found.address, "", found.diagnostic, notice.text, knowledge)
    if judged.status:
        return judged
    return _judged(found.address, "", found.diagnostic, mail.header("Subject"), knowledge)


def _is_late(mail: Mail, notice: Notice, knowledge: BounceKnowledge) -> bool:
    """Whether the notice promises further attempts, and says nowhere that they have come to an end."""
    words = f"{_one_line(mail.header('Subject'))}\n{_one_line(notice.text[:_WORDS_READ])}"
    return bool(_first(knowledge.delays, words)) and not _first(knowledge.last_words, words)


def _first(rules: Iterable[Rule], words: str) -> str:
    """The words that the first fitting rule matches."""
    for rule in rules:
        if match := rule.pattern.search(words):
            return match[0].strip()[:100] or rule.sample[:100]
    return ""


def _one_line(text: str) -> str:
    return " ".join(text.lower().replace("’", "'").split())


def _judged(address: str, status: str, diagnostic: str, notice: str, knowledge: BounceKnowledge) -> FailedRecipient:
    judgement = judge_failure(status, diagnostic, notice, knowledge)
    return FailedRecipient(address, judgement.status, judgement.hard, diagnostic[:_DIAGNOSTIC])


def _original_ids(mail: Mail, notice: Notice, report: str) -> tuple[str, ...]:
    """The identifiers of the message that the notice is about, the surest first."""
    returned = notice.returned.message_ids("Message-ID") if notice.returned else ()
    quoted = [match[1] for match in _QUOTED_ID.finditer(f"{notice.text[:_WORDS_READ]}\n{report[:_WORDS_READ]}")]
    own = mail.message_ids("Message-ID")
    ids = dict.fromkeys((*returned, *quoted, *mail.message_ids(*_ID_HEADERS)))
    return tuple(one for one in ids if one not in own)[:_MAX_IDS]
