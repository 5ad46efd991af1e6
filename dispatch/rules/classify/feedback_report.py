"""Complaints that mailbox providers pass on: the Abuse Reporting Format (RFC 5965), and those that know it not.

The recipient who complained is named by the report (`Original-Rcpt-To`, or `Removal-Recipient` of older ones), else by
the message that is attached. Who is blotted out (`redacted@…`) is left out.
"""

import re
from collections.abc import Iterator

from dispatch.rules.classify.signs import shorten
from dispatch.rules.classify.verdict import Classification, FailedRecipient, MailKind
from dispatch.rules.mail.reader import Mail, Part

_AT_MOST = 20
"""Recipients of one report."""
_REPORT_READ = 16_000

_FIELD = re.compile(r"^([A-Za-z][A-Za-z0-9-]{1,60}):[ \t]*([^\n]{0,1000})", re.MULTILINE)
_ADDRESS = re.compile(r"[^\s<>@,;:\"()\[\]]{1,64}@[^\s<>@,;:\"()]{1,255}")
_NO_COMPLAINTS = frozenset({"not-spam", "auth-failure", "dmarc", "dkim", "virus-report"})
"""Types of reports that blame no message: RFC 6430, RFC 6591."""
_BLOTTED = ("redacted", "removed", "undisclosed", "hidden", "anonymous", "xxxx")

_REPORTED_RECIPIENT = ("original-rcpt-to", "removal-recipient", "original-recipient", "redacted-address")
_ATTACHED_RECIPIENT = ("X-HmXmrOriginalRecipient", "X-Original-To", "Delivered-To", "X-Apparently-To", "To")

# Providers' own forms: the sender, and what the subject begins with.
_OWN_FORMS = (
    (
        re.compile(r"staff@hotmail\.com|@(?:.*\.)?(?:hotmail|outlook|microsoft)\.com"),
        re.compile(r"complaint about message from"),
    ),
    (
        re.compile(r"scomp@(?:.*\.)?aol\.(?:net|com)"),
        re.compile(r"(?:e-?mail feedback report for|client tos notification)"),
    ),
    (re.compile(r"feedback@(?:.*\.)?(?:yahoo|yahoo-inc)\.com"), re.compile(r".*")),
    (
        re.compile(r"^(?:abuse|fbl|feedback|complaints?|arf|spam)[^@]*@"),
        re.compile(r"(?:\[?(?:fbl|feedback|abuse|spam|complaint))[^a-z]*.*(?:report|complaint|feedback)"),
    ),
)


def read_feedback(mail: Mail) -> Classification | None:
    """A complaint, or another report of a machine in its form; None when it is none."""
    report = _find_report(mail)
    if report is not None:
        return _by_fields(mail, report.text[:_REPORT_READ] or report.data[:_REPORT_READ].decode("utf-8", "replace"))
    originals = list(_originals(mail))
    if mail.parameters.get("report-type", "").lower() == "feedback-report":
        return _complaint(originals, [], "A feedback report without fields")
    sender, subject = ",".join(mail.addresses("From")), mail.header("Subject").lower().strip()
    if originals and any(form.search(sender) and words.match(subject) for form, words in _OWN_FORMS):
        return _complaint(originals, [], f"Subject: {shorten(mail.header('Subject'))}")
    return None


def _find_report(mail: Mail) -> Part | None:
    return next((part for part in mail.parts if part.content_type == "message/feedback-report"), None)


def _by_fields(mail: Mail, text: str) -> Classification:
    fields = [(found[1].lower(), found[2].strip()) for found in _FIELD.finditer(text.replace("\r\n", "\n"))]
    kind = next((value.lower() for name, value in fields if name == "feedback-type"), "abuse")
    originals = list(_originals(mail))
    evidence = f"Feedback-Type: {shorten(kind)}"
    if kind.split(";")[0].strip() in _NO_COMPLAINTS:
        return Classification(MailKind.MACHINE, original_message_ids=_message_ids(originals), evidence=(evidence,))
    named = [value for name, value in fields if name in _REPORTED_RECIPIENT]
    return _complaint(originals, named, evidence)


def _complaint(originals: list[Mail], named: list[str], evidence: str) -> Classification:
    """The complaint of those whom the report names, else of whom the original was for."""
    addresses = _addresses(",".join(named)) or next(
        (
            found
            for original in originals
            for name in _ATTACHED_RECIPIENT
            if (found := _usable(original.addresses(name)))
        ),
        (),
    )
    return Classification(
        MailKind.FEEDBACK,
        recipients=tuple(FailedRecipient(address) for address in addresses[:_AT_MOST]),
        original_message_ids=_message_ids(originals),
        evidence=(evidence,),
    )


def _addresses(text: str) -> tuple[str, ...]:
    return _usable(tuple(dict.fromkeys(found.lower() for found in _ADDRESS.findall(text[:_REPORT_READ]))))


def _usable(addresses: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(address for address in addresses if not address.startswith(_BLOTTED))


def _originals(mail: Mail) -> Iterator[Mail]:
    """The messages that are complained about, or their headers."""
    return (part.mail for part in mail.parts if part.mail is not None)


def _message_ids(originals: list[Mail]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for original in originals for one in original.message_ids("Message-ID")))[:_AT_MOST]
