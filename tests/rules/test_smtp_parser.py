"""Replies are cut out of any stream of bytes, in whatever pieces it arrives; everything else is garbage."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.rules.smtp_parser import (
    MAX_LINE_BYTES,
    MAX_REPLY_BYTES,
    MAX_REPLY_LINES,
    Capabilities,
    ReplyParser,
    parse_capabilities,
)
from credentials.rules.smtp_words import Reply

GOOD = [
    (b"250 OK\r\n", Reply(250, None, "OK")),
    (b"250\r\n", Reply(250, None, "")),
    (b"250 \r\n", Reply(250, None, "")),
    (b"250 OK\n", Reply(250, None, "OK")),
    (b"250 2.1.0 Ok\r\n", Reply(250, "2.1.0", "Ok")),
    (b"250 2.1.0\r\n", Reply(250, "2.1.0", "")),
    (b"250 2.1.0.3 is a version\r\n", Reply(250, None, "2.1.0.3 is a version")),
    (b"550-5.1.1 No such\r\n550 5.1.1 user\r\n", Reply(550, "5.1.1", "No such\nuser")),
    (b"550-5.1.1 No such\r\n550 user 5.1.1\r\n", Reply(550, "5.1.1", "No such\nuser 5.1.1")),
    (b"571 refused\r\n", Reply(571, None, "refused")),
    (b"354 go\x00 \x1b[31m on\r\n", Reply(354, None, "go   [31m on")),
    ("550 Gr\u00fc\u00dfe \u202e\r\n".encode(), Reply(550, None, "Gr\u00fc\u00dfe  ")),
    (b"550 \xff\xfe\r\n", Reply(550, None, "\ufffd\ufffd")),
    (b"250 a\rb\r\n", Reply(250, None, "a b")),
]


@pytest.mark.parametrize(("raw", "reply"), GOOD)
def test_a_reply_is_read(raw: bytes, reply: Reply) -> None:
    parser = ReplyParser()
    assert parser.feed(raw) == [reply]
    assert not parser.pending


BAD = [
    b"\r\n",
    b"Hello\r\n",
    b"25 OK\r\n",
    b"2500 OK\r\n",
    b"250OK\r\n",
    b"150 Wait\r\n",
    b"650 What\r\n",
    b"\xb2\xb5\xb0 OK\r\n",
    b"250-one\r\n550 two\r\n",
    b"250-one\r\nHTTP/1.1 400\r\n",
    b"* OK IMAP4rev1 ready\r\n",
    b"a" * (MAX_LINE_BYTES + 1),
    b"250 " + b"a" * MAX_LINE_BYTES + b"\r\n",
    b"250-x\r\n" * (MAX_REPLY_LINES + 1),
    b"250-" + (b"a" * 2000 + b"\r\n250-") * 40,
]


@pytest.mark.parametrize("raw", BAD)
def test_garbage_breaks_the_parser_for_good(raw: bytes) -> None:
    parser = ReplyParser()
    assert parser.feed(raw) == []
    assert parser.broken
    assert parser.feed(b"250 OK\r\n") == []


def test_a_megabyte_of_reply_is_cut_short_and_not_kept() -> None:
    parser = ReplyParser()
    for _ in range(1_000):
        parser.feed(b"250-" + b"x" * 1_000 + b"\r\n")
    assert parser.broken
    assert parser.feed(b"250 done\r\n") == []


def test_a_reply_before_the_garbage_still_counts() -> None:
    parser = ReplyParser()
    assert parser.feed(b"250 2.0.0 queued\r\nrubbish\r\n") == [Reply(250, "2.0.0", "queued")]
    assert parser.broken


def test_bytes_without_a_line_end_are_pending() -> None:
    parser = ReplyParser()
    assert parser.feed(b"250-one\r\n") == []
    assert parser.pending
    assert parser.feed(b"250 two") == []
    assert parser.pending
    assert parser.feed(b"\r\n250 next\r\n") == [Reply(250, None, "one\ntwo"), Reply(250, None, "next")]
    assert not parser.pending


lines = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
replies = st.tuples(st.integers(200, 599), st.lists(lines, min_size=1, max_size=5))


def spoken(code: int, texts: list[str]) -> bytes:
    head = "".join(f"{code}-{text}\r\n" for text in texts[:-1])
    return f"{head}{code} {texts[-1]}\r\n".encode()


@given(st.lists(replies, max_size=5), st.lists(st.integers(0, 200), max_size=10))
def test_it_does_not_matter_how_the_stream_is_cut(spoken_replies: list[tuple[int, list[str]]], cuts: list[int]) -> None:
    stream = b"".join(spoken(code, texts) for code, texts in spoken_replies)
    whole = ReplyParser().feed(stream)
    parser, pieces = ReplyParser(), []
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, end in itertools.pairwise(edges):
        pieces += parser.feed(stream[start:end])
    assert pieces == whole
    assert [reply.code for reply in whole] == [code for code, _ in spoken_replies]


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_any_bytes_are_survived_with_printable_text(chunks: list[bytes]) -> None:
    parser = ReplyParser()
    found = [reply for chunk in chunks for reply in parser.feed(chunk)]
    assert all(line.isprintable() for reply in found for line in reply.text.split("\n"))
    assert all(len(reply.text) <= MAX_REPLY_BYTES for reply in found)


def test_an_ehlo_reply_tells_what_is_offered() -> None:
    offers = [
        "PIPELINING",
        "SIZE 10240000",
        "STARTTLS",
        "AUTH PLAIN LOGIN",
        "auth=login xoauth2",
        "8BITMIME",
        "SMTPUTF8",
    ]
    assert parse_capabilities(Reply(250, None, "\n".join(["mail.example", *offers]))) == Capabilities(
        pipelining=True,
        starttls=True,
        eight_bit=True,
        smtputf8=True,
        size_limit=10_240_000,
        login_methods=frozenset({"PLAIN", "LOGIN", "XOAUTH2"}),
    )


@pytest.mark.parametrize("size", ["SIZE", "SIZE 0", "SIZE many", "SIZE -1", "SIZE \u0665", "SIZE " + "9" * 5000])
def test_a_size_that_says_nothing_is_no_limit(size: str) -> None:
    assert parse_capabilities(Reply(250, None, f"mail.example\n{size}")).size_limit is None


def test_the_greeting_line_offers_nothing() -> None:
    assert parse_capabilities(Reply(250, None, "STARTTLS")) == Capabilities()
    assert parse_capabilities(Reply(250, None, "host\n\n \nSTARTTLSX")) == Capabilities()
