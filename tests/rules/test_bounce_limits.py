"""Hostile notices cost little, whatever is repeated in them."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatch.knowledge import load_knowledge
from dispatch.rules.classify.delivery_status import read_delivery_status
from dispatch.rules.mail.reader import read_mail
from tests.rules.bounces import SAMPLES
from tests.rules.bounces.samples import ORIGINAL

HEAD = b"From: MAILER-DAEMON@mx.example\nTo: ann@sender.example\nSubject: Undeliverable\n"
REPORT = b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n"
REPEATED = {
    "addresses": HEAD + b"\n" + b"".join(b"<u%d@x.example> failed\n" % index for index in range(40_000)),
    "addresses on a line": HEAD + b"\n" + b" ".join(b"u%d@x.example" % index for index in range(60_000)),
    "words": HEAD + b"\n" + b"user mailbox recipient message " * 30_000,
    "signs": HEAD + b"\n" + b"@" * 1_000_000,
    "letters": HEAD + b"\n" + b"a" * 1_000_000,
    "codes": HEAD + b"\n" + b"550 5.1.1 " * 100_000,
    "header lines": HEAD + b"\n" + b"x\nReceived: z\nFrom: y\n" * 40_000,
    "rulers": HEAD + b"\n" + b"-----\n" * 150_000,
    "recipients": HEAD + REPORT + b"Final-Recipient: rfc822; a@b.example\nAction: failed\n\n" * 17_000,
    "recipients without address": HEAD + REPORT + b"Final-Recipient: rfc822; a\n" * 36_000,
    "diagnostics": HEAD + REPORT + b"Final-Recipient: rfc822; a@b.example\n" + b"Diagnostic-Code: x\n" * 50_000,
    "attached notices": HEAD + b"Content-Type: message/rfc822\n\n" * 5_000,
    "a long subject": HEAD + b"Subject: " + b"returned mail " * 50_000 + b"\n\nx",
}


@pytest.mark.parametrize("raw", REPEATED.values(), ids=REPEATED)
def test_a_megabyte_of_anything_is_judged_within_a_second(raw: bytes) -> None:
    before = time.process_time()
    read_delivery_status(read_mail(raw), load_knowledge())
    assert time.process_time() - before < 1


def test_at_most_a_hundred_recipients_are_named() -> None:
    fields = b"".join(b"Final-Recipient: rfc822; u%d@b.example\nAction: failed\n\n" % index for index in range(500))
    found = read_delivery_status(read_mail(HEAD + REPORT + fields), load_knowledge())
    assert found is not None
    assert len(found.recipients) == 100


PIECES = st.sampled_from(
    [
        *(line + "\n" for sample in SAMPLES for line in sample.text.split("\n")[:25]),
        ORIGINAL,
        "\n",
        "--=_r\n",
        "Final-Recipient: rfc822; \n",
    ],
)


@given(st.lists(PIECES, max_size=40).map("".join))
@settings(max_examples=200, deadline=None)
def test_anything_made_of_pieces_of_notices_is_judged(text: str) -> None:
    found = read_delivery_status(read_mail(text.encode()), load_knowledge())
    for recipient in found.recipients if found else ():
        assert "@" in recipient.address
        assert recipient.address == recipient.address.lower()
