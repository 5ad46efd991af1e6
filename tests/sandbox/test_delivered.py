"""What a recipient reads in a mail, whatever the mail is."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampout.sandbox.delivered import MOST_LINKS, Delivered
from ampout.sandbox.mailboxes import LARGEST_MAIL
from ampout.sandbox.recipients import Behaviour
from tests.sandbox.deliveries import MESSAGE_ID, WEB, make_delivered, make_mail, read_mail


def read(raw: bytes) -> Delivered:
    mail = read_mail(raw)
    assert mail is not None
    return mail


def test_a_campaigns_mail_is_read_whole() -> None:
    mail = make_delivered(Behaviour.REPLY)
    assert (mail.subject, mail.from_name) == ("Änne, a quieter office for 龙腾科技?", "Jana Pokorná")
    assert (mail.answer_to, mail.message_id, mail.references) == ("sender3@sandbox.test", MESSAGE_ID, ())
    assert mail.text.startswith("Hello Änne,\n\nwe have a guide.")
    assert mail.images == (f"{WEB}/o/pixel",)
    assert mail.links == (f"{WEB}/c/guide", f"{WEB}/u/token")
    assert mail.one_click == f"{WEB}/u/token"
    assert not mail.is_automatic
    assert (mail.recipient_name, mail.domain) == ("Anna Berg", "sandbox-b.test")


def test_header_and_body_are_kept_for_those_who_return_them() -> None:
    raw = make_mail("anna@sandbox.test")
    mail = read(raw)
    assert mail.header + b"\r\n" + mail.body == raw


def test_a_later_mail_names_those_before_it() -> None:
    assert make_delivered(Behaviour.REPLY, ("<one@x>", "<two@x>")).references == ("<one@x>", "<two@x>")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"Reply-To: Desk <desk@sandbox.test>", "desk@sandbox.test"),
        (b"X-Other: y", "a@sandbox.test"),
    ],
)
def test_an_answer_goes_to_reply_to_before_from(header: bytes, expected: str) -> None:
    assert read(b"From: a@sandbox.test\r\n" + header + b"\r\n\r\nhello\r\n").answer_to == expected


@pytest.mark.parametrize(
    ("field", "expected"),
    [(b"auto-replied", True), (b"auto-generated", True), (b"no", False), (b"No", False)],
)
def test_programs_are_told_by_what_they_say_of_themselves(field: bytes, expected: bool) -> None:
    assert read(b"Auto-Submitted: " + field + b"\r\n\r\nhello\r\n").is_automatic is expected


def test_a_notice_is_a_programs() -> None:
    mail = read_mail(b"Subject: failure notice\r\n\r\n", sender="")
    assert mail is not None
    assert mail.is_automatic


@pytest.mark.parametrize(
    ("post", "expected"),
    [
        (b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", "http://127.0.0.1:8000/u/x"),
        (b"", ""),
    ],
)
def test_one_click_is_offered_by_two_headers(post: bytes, expected: str) -> None:
    offer = b"List-Unsubscribe: <mailto:a@b.test>, <http://127.0.0.1:8000/u/x>\r\n"
    assert read(offer + post + b"\r\nhello\r\n").one_click == expected


@given(st.binary(max_size=2_000))
def test_no_bytes_are_too_much(raw: bytes) -> None:
    read_mail(raw)


@given(
    st.binary(max_size=500), st.sampled_from([b"From", b"Subject", b"Content-Type", b"References", b"Auto-Submitted"])
)
def test_no_header_is_too_much(value: bytes, name: bytes) -> None:
    read_mail(name + b": " + value.replace(b"\r", b"").replace(b"\n", b"") + b"\r\n\r\nhello\r\n")


@pytest.mark.parametrize(
    "raw",
    [
        b"x" * (LARGEST_MAIL + 1),
        b"Content-Type: message/rfc822\r\n\r\n" * 10,
        b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(300)),
    ],
    ids=["large", "nested", "many parts"],
)
def test_nobody_looks_at_a_monster(raw: bytes) -> None:
    assert read_mail(raw) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"From: " + b"(" * 20_000 + b"\r\n\r\nx",
        b"Subject: " + b"=?utf-8?q?a?= " * 9_000 + b"\r\n\r\nx",
        b"To: " + b"a@b.test, " * 20_000 + b"\r\n\r\nx",
        b"Content-Type: text/html\r\n\r\n" + b"<a href=x>" * 20_000,
        b"Content-Type: text/html\r\n\r\n" + b"<!" * 100_000,
        b"Content-Type: text/html\r\n\r\n" + b"<a " + b"b=" * 100_000,
        b"Content-Type: text/html\r\n\r\n" + b"<!--" * 50_000,
        b"References: " + b"<" * 200_000 + b"\r\n\r\nx",
    ],
    ids=["comments", "encoded words", "addresses", "links", "declarations", "attributes", "unclosed", "ids"],
)
def test_hostile_mail_costs_little(raw: bytes) -> None:
    began = time.process_time()
    mail = read_mail(raw)
    assert time.process_time() - began < 2
    assert mail is None or len(mail.links) <= MOST_LINKS
