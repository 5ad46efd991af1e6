"""What a sample of a notice is, and what most of them are built of.

Each has a name, whom it must find with which status and whether for good, and the identifier of the message it is
about. Ann writes from ann@sender.example; Bob and Carol are those who cannot be reached.
"""

from dataclasses import dataclass

ORIGINAL_ID = "<step1.42@sender.example>"
ORIGINAL = f"""\
Return-Path: <ann@sender.example>
Received: from desk.sender.example by out.sender.example with ESMTP id 7F; Tue, 3 Mar 2026 10:00:00 +0000
Message-ID: {ORIGINAL_ID}
Date: Tue, 3 Mar 2026 10:00:00 +0000
From: Ann Example <ann@sender.example>
To: Bob <bob@dest.example>
Subject: A question
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

Hello Bob, write to help@sender.example if in doubt.
"""


@dataclass(frozen=True)
class Sample:
    """A notice and what is to be read from it: (address, status, hard) of each recipient."""

    name: str
    text: str
    failed: tuple[tuple[str, str, bool], ...]
    kind: str = "bounce"
    ids: tuple[str, ...] = (ORIGINAL_ID,)

    @property
    def raw(self) -> bytes:
        """The mail as it came."""
        return self.text.replace("{original}", ORIGINAL).encode()


BOB_UNKNOWN = (("bob@dest.example", "5.1.1", True),)


def notice(sender: str, subject: str, body: str, *headers: str) -> str:
    """A plain text notice to Ann."""
    lines = [f"From: {sender}", "To: ann@sender.example", f"Subject: {subject}", *headers]
    return "\n".join([*lines, "Date: Tue, 3 Mar 2026 10:00:05 +0000", "Message-ID: <notice.1@mx.example>", "", body])


def report(words: str, fields: str, *, returned: str = "{original}", kind: str = "message/rfc822") -> str:
    """An RFC 3464 notice."""
    return (
        "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example\nTo: ann@sender.example\nSubject: Undelivered Mail\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="=_r"\nMIME-Version: 1.0\n\n'
        f"--=_r\nContent-Type: text/plain\n\n{words}\n--=_r\nContent-Type: message/delivery-status\n\n{fields}\n"
        f"--=_r\nContent-Type: {kind}\n\n{returned}\n--=_r--\n"
    )


PER_MESSAGE = "Reporting-MTA: dns; mx.example\nArrival-Date: Tue, 3 Mar 2026 10:00:01 +0000\n"
