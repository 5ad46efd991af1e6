"""What one mail is: the order of judgement, and what each judgement carries.

1. A report of a complaint (RFC 5965).
2. A notice about a delivery: bounce, delay, or a machine's of no kind that is known.
3. An automatic reply, with the date of return it states.
4. Another machine's mail: receipts, calendars, newsletters.
5. A request not to be written to, in a person's own words.
6. Whatever is left is a reply: nobody who wrote shall be lost.

A machine's notice that speaks like an automatic reply is one: some servers answer for people under their own name.
"""

from datetime import date

from dispatch.rules.classify.auto_reply import Traits, find_auto_reply, find_auto_subject, gather_traits
from dispatch.rules.classify.auto_reply_knowledge import Sign
from dispatch.rules.classify.delivery_status import read_delivery_status
from dispatch.rules.classify.feedback_report import read_feedback
from dispatch.rules.classify.knowledge import Knowledge
from dispatch.rules.classify.language import detect_language
from dispatch.rules.classify.machine_mail import find_machine
from dispatch.rules.classify.reply_text import NewText, trim_quotation
from dispatch.rules.classify.return_date import find_return_date
from dispatch.rules.classify.signs import language_of
from dispatch.rules.classify.subject import Subject, read_subject
from dispatch.rules.classify.unsubscribe_request import find_unsubscribe_request
from dispatch.rules.classify.verdict import Classification, MailKind
from dispatch.rules.mail.reader import Mail

_IDS_AT_MOST = 20
"""Message-IDs that a verdict names."""


def classify(mail: Mail, knowledge: Knowledge, *, received_on: date, refers_to_us: bool) -> Classification:
    """The judgement on one mail that came on `received_on`; `refers_to_us` says that it names a message of ours."""
    report = read_feedback(mail)
    if report is not None:
        return report
    notice = read_delivery_status(mail, knowledge)
    if notice is not None and (notice.kind is not MailKind.MACHINE or notice.recipients):
        return notice
    new = trim_quotation(mail.text)
    subject = read_subject(mail.header("Subject"))
    traits = gather_traits(mail, new, knowledge.auto_replies)
    if notice is not None:
        speaks = find_auto_subject(traits, subject, knowledge.auto_replies) and _speaks_for_somebody(traits)
        return _auto_reply(mail, new, traits, received_on, notice.evidence) if speaks else notice
    evidence = find_auto_reply(traits, subject, new, knowledge.auto_replies, refers_to_us=refers_to_us)
    machine = find_machine(mail, new, answers=refers_to_us or subject.answers)
    if evidence and (not machine or _is_answer(traits, subject, knowledge)):
        return _auto_reply(mail, new, traits, received_on, evidence)
    if machine or traits.nobody:
        return Classification(MailKind.MACHINE, original_message_ids=_ids(mail), evidence=machine or (traits.nobody,))
    return _by_person(mail, new, subject, knowledge)


def _by_person(mail: Mail, new: NewText, subject: Subject, knowledge: Knowledge) -> Classification:
    """A request to be left alone, or a reply."""
    request = find_unsubscribe_request(new, subject, knowledge.auto_replies)
    return Classification(
        MailKind.REPLY if request is None else MailKind.UNSUBSCRIBE,
        original_message_ids=_ids(mail),
        language=detect_language(new.text) or (request.language if request else None),
        reply_text=new.text,
        evidence=("No mark of a machine",) if request is None else (request.evidence,),
    )


def _auto_reply(
    mail: Mail, new: NewText, traits: Traits, received_on: date, evidence: tuple[str, ...]
) -> Classification:
    language = language_of(new.text, {sign: found for sign, found in traits.signs.items() if sign is not Sign.PERSON})
    text = f"{mail.header('Subject')}\n\n{new.text}"
    return Classification(
        MailKind.AUTO_REPLY,
        original_message_ids=_ids(mail),
        return_date=find_return_date(text, language=language, received_on=received_on),
        language=language,
        reply_text=new.text,
        evidence=evidence,
    )


def _is_answer(traits: Traits, subject: Subject, knowledge: Knowledge) -> bool:
    """Whether more than the marks of bulk mail say that it answers one mail."""
    by_subject = find_auto_subject(traits, subject, knowledge.auto_replies)
    return bool(by_subject or subject.answers or _speaks_for_somebody(traits) or Sign.RECEIVED in traits.signs)


def _speaks_for_somebody(traits: Traits) -> bool:
    return not traits.signs.keys().isdisjoint({Sign.DECLARES, Sign.ABSENT, Sign.LEFT, Sign.CHALLENGE})


def _ids(mail: Mail) -> tuple[str, ...]:
    """The messages it refers to, the nearest first."""
    nearest = mail.message_ids("In-Reply-To")
    return tuple(dict.fromkeys((*nearest, *reversed(mail.message_ids("References")))))[:_IDS_AT_MOST]
