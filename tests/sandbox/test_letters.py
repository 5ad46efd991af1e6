"""Mail written by hand is mail that others read as it was meant."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from random import Random
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampout.sandbox.letters import header_line, mailbox, make_boundary, multipart, text, write_mail

no_surrogates = st.text(st.characters(exclude_categories=["Cs"]))


def read(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=policy.default)


def said(mail: EmailMessage) -> str:
    return str(mail.get_content()).replace("\r\n", "\n")


@pytest.mark.parametrize("encoding", ["quoted-printable", "base64", "8bit"])
@pytest.mark.parametrize(
    "words", ["Grüße\n\naus Kiel\n", "ただいま不在にしております。\n", "=3D . \n.\n", "x" * 300 + "\n"]
)
def test_text_arrives_as_written(words: str, encoding: str) -> None:
    mail = read(write_mail([("Subject", "Hello")], text(words, encoding=encoding)))
    assert said(mail) == words
    assert mail["Subject"] == "Hello"


def test_parts_arrive_in_their_order() -> None:
    boundary = make_boundary(Random(1))
    mail = read(write_mail([], multipart("alternative", [text("plain\n"), text("<p>html\n", "html")], boundary)))
    assert mail.get_content_type() == "multipart/alternative"
    assert [said(cast("EmailMessage", part)) for part in mail.iter_parts()] == ["plain\n", "<p>html\n"]


@given(no_surrogates)
def test_no_value_begins_a_header_of_its_own(value: str) -> None:
    raw = write_mail([("Subject", value), ("From", mailbox(value, "anna@sandbox.test"))], text("x\n"))
    head = raw.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert [name for name in names if name not in {b"Subject", b"From"}] == [
        b"MIME-Version",
        b"Content-Type",
        b"Content-Transfer-Encoding",
    ]
    assert all(len(line) <= 998 for line in head.split(b"\r\n"))
    assert b"\n" not in head.replace(b"\r\n", b"")


@given(no_surrogates.filter(lambda value: value.strip() and value.isprintable() and "=?" not in value))
def test_a_subject_is_read_as_it_was_meant(value: str) -> None:
    mail = read(write_mail([("Subject", value)], text("x\n")))
    assert " ".join(str(mail["Subject"]).split()) == " ".join(value.split())


def test_a_field_without_a_value_is_left_out() -> None:
    assert b"In-Reply-To" not in write_mail([("In-Reply-To", "")], text("x\n"))


def test_many_references_are_folded() -> None:
    line = header_line("References", " ".join(f"<{number:032x}@sandbox.test>" for number in range(20)))
    assert max(map(len, line.split("\r\n"))) < 100
