"""What comes back, as bytes: each function writes one mail about a message that was sent."""

import uuid
from datetime import datetime

from dispatch.models import Message
from dispatch.rules.return_path import make_return_path

DATE = "Tue, 10 Mar 2026 12:00:00 +0000"


def mail(*headers: str, body: str = "") -> bytes:
    """A mail of these header lines, with a Message-ID and a date of its own unless they are given."""
    given = {line.partition(":")[0].lower() for line in headers}
    more = [] if "message-id" in given else [f"Message-ID: <{uuid.uuid4()}@remote.example>"]
    more += [] if "date" in given else [f"Date: {DATE}"]
    return "\r\n".join([*headers, *more, "", *body.splitlines(), ""]).encode()


def sender_of(message: Message) -> str:
    """The address of the mailbox that a message left through."""
    assert message.credential is not None
    return message.credential.from_email


def return_path_of(message: Message, key: str) -> str:
    """The address that a bounce goes to where the mailbox takes tags."""
    path = make_return_path(sender_of(message), message.pk, key.encode())
    assert path is not None
    return path


def reply(
    message: Message,
    *,
    from_email: str = "",
    refers: bool = True,
    body: str = "Yes, call me on Monday.\n",
    to: str = "",
) -> bytes:
    """A person's answer in the thread; without `refers` only its sender tells what it is about."""
    thread = [f"In-Reply-To: {message.message_id}", f"References: {message.message_id}"] if refers else []
    return mail(
        f"From: Max <{from_email or message.recipient}>",
        f"To: {to or sender_of(message)}",
        "Subject: Re: Hello",
        *thread,
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        body=body,
    )


def unsubscribe(message: Message) -> bytes:
    """A person's answer that asks to be left alone."""
    return reply(message, body="Please remove me from your list.\n")


def auto_reply(message: Message, *, back_on: str = "", refers: bool = True) -> bytes:
    """A note of absence, with the day of return in words where `back_on` gives one."""
    thread = [f"In-Reply-To: {message.message_id}"] if refers else []
    text = f"I am out of the office until {back_on}." if back_on else "I am out of the office."
    return mail(
        f"From: Max <{message.recipient}>",
        f"To: {sender_of(message)}",
        "Subject: Out of office: Hello",
        *thread,
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        body=f"{text}\n",
    )


def bounce(
    message: Message,
    *,
    recipient: str = "",
    status: str = "5.1.1",
    action: str = "failed",
    diagnostic: str = "550 5.1.1 No such user here",
    original: str | None = None,
    to: str = "",
) -> bytes:
    """A delivery status notification (RFC 3464). `original` is the Message-ID of the returned headers; empty: none."""
    named = message.message_id if original is None else original
    returned = ["--b", "Content-Type: text/rfc822-headers", "", f"Message-ID: {named}", "Subject: Hello", ""]
    body = [
        *("--b", "Content-Type: text/plain", "", "Your message could not be delivered.", ""),
        *("--b", "Content-Type: message/delivery-status", "", "Reporting-MTA: dns; mx.remote.example", ""),
        f"Final-Recipient: rfc822; {recipient or message.recipient}",
        f"Action: {action}",
        f"Status: {status}",
        f"Diagnostic-Code: smtp; {diagnostic}",
        "",
        *(returned if named else []),
        "--b--",
    ]
    return mail(
        "Return-Path: <>",
        "From: Mail Delivery System <MAILER-DAEMON@mx.remote.example>",
        f"To: {to or sender_of(message)}",
        "Subject: Undelivered Mail Returned to Sender",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
        body="\n".join(body),
    )


def delay(message: Message) -> bytes:
    """A notice that a message is late and still tried."""
    return bounce(message, status="4.4.1", action="delayed", diagnostic="connection timed out")


def complaint(message: Message, *, recipient: str = "") -> bytes:
    """A mailbox provider's abuse report (RFC 5965)."""
    named = [f"Original-Rcpt-To: {recipient or message.recipient}"]
    body = [
        *("--b", "Content-Type: text/plain", "", "This is an email abuse report.", ""),
        *("--b", "Content-Type: message/feedback-report", "", "Feedback-Type: abuse", "User-Agent: Loop/1.0"),
        *("Version: 1", *named, ""),
        *(
            "--b",
            "Content-Type: message/rfc822",
            "",
            f"From: {sender_of(message)}",
            f"Message-ID: {message.message_id}",
        ),
        *("Subject: Hello", "", "Hello Max", "--b--"),
    ]
    return mail(
        "From: Feedback Loop <fbl@provider.example>",
        f"To: {sender_of(message)}",
        "Subject: FW: Hello",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"',
        body="\n".join(body),
    )


def in_words(moment: datetime) -> str:
    """A day as people write it."""
    return f"{moment.day} {moment:%B %Y}"
