"""Mail of machines that is no answer of any kind: receipts, replies of calendars, newsletters, notifications.

Where it answers another mail it is never bulk: lists and companies put the same headers on what people write.
"""

import re

from dispatch.rules.classify.reply_text import NewText
from dispatch.rules.mail.reader import Mail

_CALENDAR_METHOD = re.compile(r"^METHOD:\s{0,3}([A-Z]{3,20})", re.MULTILINE)
_CALENDAR_READ = 20_000
_BULK_HEADERS = (
    *(
        "List-Unsubscribe-Post",
        "Feedback-ID",
        "X-Campaign",
        "X-CampaignID",
        "X-Campaign-ID",
        "X-Mailchimp-ID",
        "X-CSA-Complaints",
    ),
    *(
        "X-Mailgun-Sid",
        "X-SG-EID",
        "X-MC-User",
        "X-Report-Abuse-To",
        "X-Mailer-RecptId",
        "X-EmailType-Id",
        "X-Roving-ID",
    ),
)
"""Headers by which bulk senders tell their mails apart."""


def find_machine(mail: Mail, new: NewText, *, answers: bool) -> tuple[str, ...]:
    """What shows that nobody wrote this, as sentences; empty when nothing does. It `answers` another mail, or not."""
    if mail.parameters.get("report-type", "").lower() == "disposition-notification":
        return ("A receipt (RFC 8098)",)
    method = _calendar_method(mail)
    if method in {"REPLY", "COUNTER", "CANCEL", "REFRESH"} and (not new.text or _by_calendar(mail)):
        return (f"A calendar's answer: METHOD:{method}",)
    return () if answers else _bulk(mail)


def _calendar_method(mail: Mail) -> str:
    """What a calendar wants with its part (RFC 5546); empty when there is no such part."""
    for part in mail.parts:
        if part.content_type in {"text/calendar", "application/ics"}:
            found = _CALENDAR_METHOD.search(part.text[:_CALENDAR_READ])
            return part.parameters.get("method", "").upper() or (found[1] if found else "")
    return ""


def _by_calendar(mail: Mail) -> bool:
    """Whether the calendar wrote the text too, as Google's does."""
    return any(address.startswith("calendar-") for address in mail.addresses("Sender") + mail.addresses("From"))


def _bulk(mail: Mail) -> tuple[str, ...]:
    """Newsletters and notifications: one can unsubscribe, nobody discusses, and they say that they are many."""
    if not mail.header("List-Unsubscribe") or mail.header("List-Post"):
        return ()
    marks = [name for name in _BULK_HEADERS if mail.header(name)]
    if mail.header("Precedence").strip().lower() in {"bulk", "list", "junk"}:
        marks.append("Precedence")
    return (f"Bulk mail: List-Unsubscribe, {', '.join(marks[:3])}",) if marks or mail.header("List-Id") else ()
