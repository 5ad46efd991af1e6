"""Complaints passed on by mailbox providers: the Abuse Reporting Format and what came before it."""

import pytest

from dispatch.rules.classify.verdict import MailKind
from tests.rules.mails import judged

ORIGINAL = """\
From: Me <me@ours.example>
To: Ann Berg <ann@example.org>
Subject: An offer
Message-ID: <one@ours.example>

Hello
"""


def arf(fields: str, original: str = ORIGINAL, attached: str = "message/rfc822") -> bytes:
    """A report as RFC 5965 wants it."""
    return f"""\
From: <fbl@example.net>
To: <complaints@ours.example>
Subject: FW: An offer
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="part"

--part
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report.

--part
Content-Type: message/feedback-report

{fields}
--part
Content-Type: {attached}

{original}
--part--
""".encode()


@pytest.mark.parametrize("kind", ["abuse", "fraud", "other", "opt-out", "miscategorized", "ABUSE"])
def test_a_complaint_names_recipient_and_message(kind: str) -> None:
    found = judged(
        arf(f"Feedback-Type: {kind}\nUser-Agent: Example/1.0\nVersion: 1\nOriginal-Rcpt-To: <Ann@example.org>\n")
    )
    assert found.kind is MailKind.FEEDBACK
    assert [recipient.address for recipient in found.recipients] == ["ann@example.org"]
    assert found.original_message_ids == ("<one@ours.example>",)
    assert found.evidence == (f"Feedback-Type: {kind.lower()}",)


def test_an_older_report_names_the_one_to_be_removed() -> None:
    found = judged(arf("Feedback-Type: abuse\nRemoval-Recipient: ann@example.org\n"))
    assert [recipient.address for recipient in found.recipients] == ["ann@example.org"]


@pytest.mark.parametrize(
    "fields", ["Feedback-Type: abuse\n", "Feedback-Type: abuse\nOriginal-Rcpt-To: redacted@example.net\n", ""]
)
def test_the_original_names_who_the_report_does_not(fields: str) -> None:
    found = judged(arf(fields))
    assert (found.kind, [one.address for one in found.recipients]) == (MailKind.FEEDBACK, ["ann@example.org"])


def test_headers_alone_are_an_original_too() -> None:
    found = judged(arf("Feedback-Type: abuse\n", attached="text/rfc822-headers"))
    assert found.original_message_ids == ("<one@ours.example>",)


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure"])
def test_a_report_that_blames_nobody_is_a_machines(kind: str) -> None:
    found = judged(arf(f"Feedback-Type: {kind}\nOriginal-Rcpt-To: ann@example.org\n"))
    assert (found.kind, found.recipients) == (MailKind.MACHINE, ())


@pytest.mark.parametrize(
    ("sender", "subject", "header"),
    [
        ("staff@hotmail.com", "complaint about message from 192.0.2.1", "X-HmXmrOriginalRecipient: ann@example.org\n"),
        ("scomp@aol.net", "Email Feedback Report for IP 192.0.2.1", ""),
        ("feedback@arf.mail.yahoo.com", "Re: An offer", ""),
        ("abuse@example.net", "[abuse] Spam report", ""),
    ],
)
def test_the_forms_of_providers_are_known(sender: str, subject: str, header: str) -> None:
    raw = f"""\
From: {sender}
Subject: {subject}
Content-Type: multipart/mixed; boundary=part

--part
Content-Type: message/rfc822

{header}{ORIGINAL}
--part--
""".encode()
    found = judged(raw)
    assert (found.kind, [one.address for one in found.recipients]) == (MailKind.FEEDBACK, ["ann@example.org"])


def test_a_person_who_forwards_a_mail_complains_by_no_form() -> None:
    raw = f"""\
From: Ann <ann@hotmail.com>
Subject: What is this?
Content-Type: multipart/mixed; boundary=part

--part
Content-Type: text/plain

Did you send that?
--part
Content-Type: message/rfc822

{ORIGINAL}
--part--
""".encode()
    assert judged(raw).kind is MailKind.REPLY
