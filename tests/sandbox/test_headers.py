"""Header fields read from what others wrote."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampout.sandbox.headers import Headers, read_headers


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (b"", Headers("", "", "")),
        (b"Subject: a\r\nMessage-ID: <1@x>\r\nIn-Reply-To: <0@x>\r\n\r\nbody", Headers("<1@x>", "<0@x>", "a")),
        (b"MESSAGE-ID:<1@x>\r\nsubject:a\r\n\r\n", Headers("<1@x>", "", "a")),
        (b"Subject: first\r\nSubject: second\r\n\r\n", Headers("", "", "first")),
        (b"To: x\r\n\r\nSubject: in the body\r\n", Headers("", "", "")),
        (b"Subject: folded\r\n over\r\n\tlines\r\n\r\n", Headers("", "", "folded over lines")),
        (b"Message-ID:\r\n <1@x>\r\n\r\n", Headers("<1@x>", "", "")),
        (b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n\r\n", Headers("", "", "Grüße")),
        (b"Subject: =?utf-8?q?a?= =?utf-8?q?b?=\r\n\r\n", Headers("", "", "ab")),
        ("Subject: Grüße\r\n\r\n".encode(), Headers("", "", "Grüße")),
        (b"Subject: =?nope?q?a?=\r\n\r\n", Headers("", "", "=?nope?q?a?=")),
        (b"Subject: =?utf-8?b?abcde?=\r\n\r\n", Headers("", "", "=?utf-8?b?abcde?=")),
        (b"Subject: \xff\r\n\r\n", Headers("", "", "\ufffd")),
        (b"no colon\r\nSubject: a", Headers("", "", "a")),
    ],
)
def test_the_fields_are_found_and_the_subject_decoded(content: bytes, headers: Headers) -> None:
    assert read_headers(content) == headers


@given(st.binary(max_size=300) | st.text(alphabet="Subject:=?utf8bq \r\nMID<>-").map(str.encode))
def test_any_bytes_can_be_read(content: bytes) -> None:
    assert isinstance(read_headers(content), Headers)


@pytest.mark.parametrize("piece", [b"=?utf-8?q?a?= ", b"=?", b"a:\r\n", b" \r\n", b"=?utf-8?b?"])
def test_poison_costs_little(piece: bytes) -> None:
    content = b"Subject: " + piece * (1_000_000 // len(piece))
    began = time.perf_counter()
    read_headers(content)
    assert time.perf_counter() - began < 2
