"""The order of judgement, what a verdict carries, and that no mail whatever breaks it."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.knowledge import load_knowledge
from dispatch.rules.classify.classifier import classify
from dispatch.rules.classify.verdict import MailKind
from dispatch.rules.mail.reader import read_mail
from tests.rules.mails import ANSWERS_US, JULY, QUOTED, judged, mail
from tests.rules.reply_samples import AWAY

BOUNCE = b"""\
From: MAILER-DAEMON@example.net (Mail Delivery System)
To: me@ours.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Content-Type: multipart/report; report-type=delivery-status; boundary=part

--part
Content-Type: text/plain

I am sorry: I am out of the office until Monday.
--part
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.net

Final-Recipient: rfc822; ann@example.org
Action: failed
Status: 5.1.1

--part--
"""
RECEIPT = b"""\
From: Ann <ann@example.org>
Subject: Read: An offer
In-Reply-To: <one@ours.example>
Content-Type: multipart/report; report-type=disposition-notification; boundary=part

--part
Content-Type: text/plain

Your message was read.
--part
Content-Type: message/disposition-notification

Disposition: manual-action/MDN-sent-manually; displayed

--part--
"""
CALENDAR = b"""\
From: Ann <ann@example.org>
Subject: Accepted: Demo
In-Reply-To: <one@ours.example>
Content-Type: text/calendar; method=REPLY; charset=utf-8

BEGIN:VCALENDAR
METHOD:REPLY
END:VCALENDAR
"""


def test_a_reply_carries_its_new_text_and_what_it_answers() -> None:
    raw = mail(
        "Re: Your offer",
        f"Yes, please call me on Monday.{QUOTED}",
        ANSWERS_US,
        "References: <a@b.example> <c@d.example>",
    )
    found = judged(raw)
    assert found.kind is MailKind.REPLY
    assert found.reply_text == "Yes, please call me on Monday."
    assert found.original_message_ids == ("<one@ours.example>", "<c@d.example>", "<a@b.example>")
    assert (found.language, found.return_date, found.recipients) == ("en", None, ())


def test_a_bounce_is_never_an_automatic_reply() -> None:
    assert judged(BOUNCE).kind is MailKind.BOUNCE


@pytest.mark.parametrize("raw", [RECEIPT, CALENDAR])
def test_receipts_and_calendars_are_machines(raw: bytes) -> None:
    found = judged(raw)
    assert (found.kind, found.reply_text) == (MailKind.MACHINE, None)


def test_a_calendar_with_words_of_a_person_is_a_reply() -> None:
    raw = mail("Accepted: Demo", "", ANSWERS_US, "MIME-Version: 1.0").replace(
        b"Content-Type: text/plain; charset=utf-8", b"Content-Type: multipart/mixed; boundary=part"
    )
    words = b"--part\n\nI can come, but 30 minutes later.\n"
    body = words + b"--part\nContent-Type: text/calendar; method=REPLY\n\nMETHOD:REPLY\n--part--\n"
    assert judged(raw + body).kind is MailKind.REPLY


NEWSLETTER = ("List-Unsubscribe: <https://example.org/u>", "List-Id: News <news.example.org>", "Precedence: bulk")


def test_a_newsletter_is_a_machines() -> None:
    assert judged(mail("Our news", "Buy now.", *NEWSLETTER)).kind is MailKind.MACHINE


def test_a_reply_that_a_list_delivered_is_a_reply() -> None:
    assert judged(mail("Re: Your offer", "Fine with me.", *NEWSLETTER, ANSWERS_US)).kind is MailKind.REPLY
    discussion = (
        "List-Post: <mailto:talk@example.org>",
        "List-Unsubscribe: <https://example.org/u>",
        "Precedence: list",
    )
    assert judged(mail("[Talk] A question", "Does anybody know?", *discussion)).kind is MailKind.REPLY


def test_a_reply_through_a_list_needs_no_reference_to_be_one() -> None:
    assert judged(mail("Re: [News] Your offer", f"Fine with me.{QUOTED}", *NEWSLETTER)).kind is MailKind.REPLY


def test_an_automatic_reply_is_one_under_the_name_of_a_server_too() -> None:
    raw = mail("Automatic reply: Your offer", AWAY["en"], ANSWERS_US, sender="MAILER-DAEMON@example.org")
    assert judged(raw).kind is MailKind.AUTO_REPLY


def test_html_is_read_where_there_is_no_plain_text() -> None:
    raw = mail("Re: Your offer", "<p>Yes, please.</p><blockquote>I am out of the office</blockquote>", ANSWERS_US)
    found = judged(raw.replace(b"text/plain", b"text/html"))
    assert (found.kind, found.reply_text) == (MailKind.REPLY, "Yes, please.")


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"no mail at all", b"\xff\xfe\x00", b"Subject\n", b":\n\n:"])
def test_what_is_hardly_a_mail_is_a_reply_or_a_machines(raw: bytes) -> None:
    assert judged(raw).kind in {MailKind.REPLY, MailKind.MACHINE}


HEADERS = st.sampled_from(
    [
        *(b"Subject: ", b"From: ", b"Auto-Submitted: ", b"Precedence: ", b"In-Reply-To: <", b"List-Unsubscribe: <"),
        *(b"Content-Type: multipart/report; report-type=feedback-report; boundary=x\n\n--x\n", b"Return-Path: <>\n"),
        *(b"Content-Type: message/feedback-report\n", b"Feedback-Type: abuse\n", b"Content-Type: text/html\n\n<p>"),
    ],
)


@given(
    st.lists(
        st.one_of(HEADERS, st.binary(max_size=60), st.sampled_from([b"\n", b"\n\n", b"> ", b"--x\n"])), max_size=30
    )
)
def test_no_mail_whatever_raises(pieces: list[bytes]) -> None:
    found = classify(
        read_mail(b"".join(pieces)), load_knowledge(), received_on=JULY, refers_to_us=bool(len(pieces) % 2)
    )
    assert found.evidence


@given(st.text(max_size=400))
def test_no_text_whatever_raises(text: str) -> None:
    assert judged(mail(text.replace("\n", " ").replace("\r", " "), text, ANSWERS_US)).kind in set(MailKind)


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "I am out of the office until ",
            "please remove me ",
            "mail will not be ",
            "will the team ",
            "back on 1 january ",
        ),
        *(
            "a:\n",
            "From: x\n",
            "On 5 x wrote:\n",
            "1/1 ",
            "?",
            "@",
            "x",
            "a\u0301\u0323\u0300",
            "不在にしております緊急",
        ),
        *("<blockquote>", "\n", " ", "*", "the "),
    ],
)
@pytest.mark.parametrize("kind", ["plain", "html"])
def test_hostile_mail_costs_little(piece: str, kind: str) -> None:
    raw = mail("Re: Your offer", piece * (1_000_000 // len(piece.encode())), ANSWERS_US)
    started = time.process_time()
    judged(raw.replace(b"text/plain", f"text/{kind}".encode()))
    assert time.process_time() - started < 2
