"""Status codes and the words of servers become one judgement: which status, and is the address no good?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.knowledge import load_knowledge
from dispatch.rules.classify.status_codes import find_reply_code, find_status, judge_failure

BOUNCES = load_knowledge().bounces

HARD = {
    ("5.1.1", "550 5.1.1 <bob@dest.example>: Recipient address rejected: User unknown"): "5.1.1",
    ("5.0.0", "550 No such user here"): "5.1.1",
    ("5.0.0", "550 Unknown user bob@dest.example"): "5.1.1",
    ("5.7.1", "550 5.7.1 <bob@dest.example>: Recipient address rejected: User unknown in relay table"): "5.1.1",
    ("5.5.0", "550 Requested action not taken: mailbox unavailable"): "5.1.1",
    ("5.2.1", "550 5.2.1 The email account that you tried to reach is disabled"): "5.2.1",
    ("5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"): "5.1.10",
    ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)"): "5.1.1",
    ("5.4.4", "Unable to look up dest.example: host not found"): "5.4.4",
    ("5.1.2", ""): "5.1.2",
    ("", "554 delivery error: dd This user doesn't have a yahoo.com account (bob@dest.example) [0]"): "5.1.1",
    ("", "550-5.1.1 The email account that you tried to reach does not exist."): "5.1.1",
    (
        "5.4.4",
        "Host or domain name not found. Name service error for name=dest.example type=A: Host not found",
    ): "5.4.4",
    ("", "551 5.1.6 The person has moved"): "5.1.6",
    ("5.1.0", "550 #5.1.0 Address rejected."): "5.1.0",
    ("4.0.0", "556 5.1.10 Domain does not accept mail (nullMX)"): "5.1.10",
}
SOFT = {
    ("5.2.2", "552 5.2.2 Mailbox full"): "5.2.2",
    ("5.1.1", "550 5.1.1 Mailbox of the user is over quota"): "5.2.2",
    ("5.0.0", "552 Requested mail action aborted: exceeded storage allocation"): "5.2.2",
    ("5.7.1", "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"): "5.7.1",
    ("5.7.26", "550-5.7.26 Unauthenticated email from sender.example is not accepted"): "5.7.26",
    ("5.7.1", "550 5.7.1 Relaying denied"): "5.7.1",
    ("5.3.4", "552 5.3.4 Message size exceeds fixed limit"): "5.3.4",
    ("4.4.7", "delivery time expired"): "4.4.7",
    ("4.4.1", "connect to mx.dest.example[192.0.2.1]:25: Connection timed out"): "4.4.1",
    ("5.4.6", "554 5.4.6 Too many hops"): "5.4.6",
    ("5.1.8", "553 5.1.8 <ann@sender.example>... Domain of sender address does not exist"): "5.1.8",
    ("5.1.1", "550 5.1.1 Message rejected as spam"): "5.7.1",
    ("4.2.2", ""): "4.2.2",
    ("4.1.1", ""): "4.1.1",
    ("5.0.0", ""): "5.0.0",
    ("", ""): "",
    ("", "451 try again later"): "4.3.0",
    ("4.7.28", "421-4.7.28 Our system has detected an unusual rate of mail"): "4.7.28",
    ("5.7.1", "550 5.7.1 SPF check failed"): "5.7.26",
    ("5.6.0", "550 5.6.0 malformed header"): "5.6.0",
    ("5.2.1", "450 4.2.1 This account has been temporarily suspended"): "5.2.1",
}


@pytest.mark.parametrize(("given", "status"), HARD.items())
def test_an_address_that_is_no_good_is_hard(given: tuple[str, str], status: str) -> None:
    found = judge_failure(*given, "", BOUNCES)
    assert (found.status, found.hard) == (status, True)


@pytest.mark.parametrize(("given", "status"), SOFT.items())
def test_anything_else_is_not(given: tuple[str, str], status: str) -> None:
    found = judge_failure(*given, "", BOUNCES)
    assert (found.status, found.hard) == (status, False)


def test_the_words_of_the_notice_tell_where_the_diagnostic_does_not() -> None:
    found = judge_failure("5.0.0", "554 5.0.0 Service unavailable", "... the user is unknown to us", BOUNCES)
    assert (found.status, found.hard) == ("5.1.1", True)


CODES = {
    "550 5.1.1 no": ("550", "5.1.1"),
    "smtp;550-5.7.1 no": ("550", "5.7.1"),
    "host 10.5.1.1 said no": ("", ""),
    "192.0.2.1 port 5501": ("", ""),
    "5.0.0 then 5.1.1": ("", "5.1.1"),
    "2.0.0 fine": ("", ""),
    "(#5.1.1)": ("", "5.1.1"),
    "version 4.92.3.1": ("", ""),
}


@pytest.mark.parametrize(("text", "codes"), CODES.items())
def test_codes_are_found_among_other_numbers(text: str, codes: tuple[str, str]) -> None:
    assert (find_reply_code(text), find_status(text)) == codes


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_words_are_judged(diagnostic: str, notice: str) -> None:
    found = judge_failure("", diagnostic, notice, BOUNCES)
    assert found.status == "" or found.status[0] in "45"
    assert not (found.hard and not found.status.startswith("5"))
