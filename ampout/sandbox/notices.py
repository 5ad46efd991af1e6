"""Delivery status notices, as Postfix, Exchange, qmail and others write them, and a provider's feedback report.

Each goes to the address in MAIL FROM and comes from the null address, so that none is ever answered (RFC 5321, 4.5.5).
"""

from datetime import timedelta
from email.utils import format_datetime
from random import Random

from ampout.sandbox.delivered import Delivered
from ampout.sandbox.letters import (
    Field,
    Part,
    header_line,
    mailbox,
    make_boundary,
    multipart,
    new_message_id,
    text,
    write_mail,
)

RELAY = "mx.sandbox.test"
"""The server that took the message and writes the notice."""


def write_postfix(mail: Delivered, dice: Random) -> bytes:
    """The address does not exist: RFC 3464, by Postfix."""
    diagnostic = f"550 5.1.1 <{mail.recipient}>: Recipient address rejected: User unknown in virtual mailbox table"
    return _postfix(mail, dice, "failed", "5.1.1", diagnostic, "Undelivered Mail Returned to Sender")


def write_full(mail: Delivered, dice: Random) -> bytes:
    """The mailbox is full (RFC 3463: 5.2.2): for good for this message, not for the address."""
    diagnostic = f"552 5.2.2 <{mail.recipient}>: Mailbox is full, quota exceeded"
    return _postfix(mail, dice, "failed", "5.2.2", diagnostic, "Undelivered Mail Returned to Sender")


def write_delay(mail: Delivered, dice: Random) -> bytes:
    """The message is late and still tried."""
    diagnostic = f"connect to mailstore.{mail.domain}[192.0.2.25]:25: Connection timed out"
    return _postfix(mail, dice, "delayed", "4.4.1", diagnostic, "Delayed Mail (still being retried)")


def write_policy(mail: Delivered, dice: Random) -> bytes:
    """The server's rules refuse the message (RFC 3463: 5.7.1): RFC 3464, by Sendmail."""
    diagnostic = "550 5.7.1 Message rejected due to content restrictions"
    words = (
        f"The original message was received at {format_datetime(mail.received_at)}\nfrom localhost [127.0.0.1]\n\n"
        f"   ----- The following addresses had permanent fatal errors -----\n<{mail.recipient}>\n"
        f"    (reason: {diagnostic})\n\n   ----- Transcript of session follows -----\n"
        f"... while talking to mailstore.{mail.domain}.:\n>>> DATA\n<<< {diagnostic}\n554 5.0.0 Service unavailable\n"
    )
    status = _status(mail, "failed", "5.7.1", diagnostic, f"mailstore.{mail.domain}")
    parts = [text(words, encoding="8bit"), status, _original(mail)]
    part = multipart("report", parts, make_boundary(dice, "{}/" + RELAY), "; report-type=delivery-status")
    marks = [("Auto-Submitted", "auto-generated (failure)")]
    return write_mail([*_fields(mail, dice, "Returned mail: see transcript for details"), *marks], part)


def write_exchange(mail: Delivered, dice: Random) -> bytes:
    """The address does not exist: a text by Exchange, with the codes and headers inside of it."""
    words = (
        f"Delivery has failed to these recipients or groups:\n\n{mail.recipient}\n"
        f"The email address you entered couldn't be found. Please check the recipient's email address and try to "
        f"resend the message.\n\n\nDiagnostic information for administrators:\n\nGenerating server: {RELAY}\n\n"
        f"{mail.recipient}\nRemote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient "
        f"{mail.recipient} not found by SMTP address lookup'\n\nOriginal message headers:\n\n"
        f"{_header_text(mail)}"
    )
    fields = _fields(mail, dice, f"Undeliverable: {mail.subject}", f"postmaster@{RELAY}", "Microsoft Outlook")
    marks = [("Auto-Submitted", "auto-replied"), ("In-Reply-To", mail.message_id), ("References", mail.message_id)]
    return write_mail([*fields, *marks, ("X-MS-Exchange-Message-Is-Ndr", "1")], text(words))


def write_qmail(mail: Delivered, dice: Random) -> bytes:
    """The address does not exist: a text by qmail, the message below it; there is no part to read a status from."""
    words = (
        f"Hi. This is the qmail-send program at {RELAY}.\nI'm afraid I wasn't able to deliver your message to the "
        f"following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        f"<{mail.recipient}>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
        f"--- Below this line is a copy of the message.\n\nReturn-Path: <{mail.sender}>\n{_header_text(mail)}\n"
    )
    copy = mail.body.decode("utf-8", "replace").replace("\r\n", "\n")
    return write_mail(_fields(mail, dice, "failure notice"), text(words + copy, encoding="8bit"))


def write_complaint(mail: Delivered, dice: Random) -> bytes:
    """A recipient pressed the spam button, and the provider tells (RFC 5965)."""
    words = (
        f"This is an email abuse report for an email message received from IP 127.0.0.1 on "
        f"{format_datetime(mail.received_at)}.\nFor more information about this format please see RFC 5965.\n"
    )
    report = [
        ("Feedback-Type", "abuse"),
        ("User-Agent", "SandboxFBL/1.0"),
        ("Version", "1"),
        ("Original-Mail-From", f"<{mail.sender}>"),
        ("Original-Rcpt-To", f"<{mail.recipient}>"),
        ("Arrival-Date", format_datetime(mail.received_at)),
        ("Source-IP", "127.0.0.1"),
        ("Reported-Domain", mail.from_address.rpartition("@")[2]),
    ]
    parts = [text(words, encoding="8bit"), Part("message/feedback-report", _block(report)), _original(mail)]
    part = multipart("report", parts, make_boundary(dice), "; report-type=feedback-report")
    # To the address that the loop is registered for, not to that in MAIL FROM.
    fields = [
        ("Date", format_datetime(mail.received_at)),
        ("From", mailbox("Feedback Loop", f"feedbackloop@fbl.{mail.domain}")),
        ("To", mail.login),
        ("Subject", f"FW: {mail.subject}"),
        ("Message-ID", new_message_id(dice, f"fbl.{mail.domain}")),
    ]
    return write_mail(fields, part)


def _postfix(mail: Delivered, dice: Random, action: str, status: str, diagnostic: str, subject: str) -> bytes:
    """A notice in three parts: words, status, the message (or its headers, where it is still under way)."""
    is_late = action == "delayed"
    lead = (
        "####################################################################\n"
        "# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #\n"
        "####################################################################\n\n"
        "Your message could not be delivered for more than 4 hour(s).\nIt will be retried until it is 5 day(s) old.\n"
        if is_late
        else "I'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients. "
        "It's attached below.\n"
    )
    words = (
        f"This is the mail system at host {RELAY}.\n\n{lead}\nFor further assistance, please send mail to "
        f"postmaster.\n\n                   The mail system\n\n<{mail.recipient}>: {diagnostic}\n"
    )
    report = _status(mail, action, status, diagnostic, "" if is_late else f"mailstore.{mail.domain}")
    original = Part("text/rfc822-headers", mail.header, "8bit") if is_late else _original(mail)
    boundary = make_boundary(dice, "{}/" + RELAY)
    part = multipart(
        "report", [text(words, encoding="8bit"), report, original], boundary, "; report-type=delivery-status"
    )
    return write_mail([*_fields(mail, dice, subject), ("Auto-Submitted", "auto-replied")], part)


def _status(mail: Delivered, action: str, status: str, diagnostic: str, remote: str) -> Part:
    """message/delivery-status (RFC 3464, section 2)."""
    whole = [("Reporting-MTA", f"dns; {RELAY}"), ("Arrival-Date", format_datetime(mail.received_at))]
    until = format_datetime(mail.received_at + timedelta(days=5)) if action == "delayed" else ""
    one = [
        ("Final-Recipient", f"rfc822; {mail.recipient}"),
        ("Original-Recipient", f"rfc822;{mail.recipient}"),
        ("Action", action),
        ("Status", status),
        ("Remote-MTA", f"dns; {remote}" if remote else ""),
        ("Diagnostic-Code", f"{'smtp' if remote else 'X-Postfix'}; {diagnostic}"),
        ("Will-Retry-Until", until),
    ]
    return Part("message/delivery-status", _block(whole) + b"\r\n" + _block(one))


def _block(fields: list[Field]) -> bytes:
    return "".join(header_line(name, value) for name, value in fields if value).encode()


def _original(mail: Delivered) -> Part:
    return Part("message/rfc822", mail.header + b"\r\n" + mail.body, "8bit")


def _header_text(mail: Delivered) -> str:
    return mail.header.decode("utf-8", "replace").replace("\r\n", "\n")


def _fields(
    mail: Delivered,
    dice: Random,
    subject: str,
    address: str = f"MAILER-DAEMON@{RELAY}",
    name: str = "Mail Delivery System",
) -> list[Field]:
    return [
        ("Return-Path", "<>"),
        ("Date", format_datetime(mail.received_at)),
        ("From", mailbox(name, address)),
        ("To", mail.sender),
        ("Subject", subject),
        ("Message-ID", new_message_id(dice, RELAY)),
    ]
