"""Bodies of composed messages: parts, encodings, line ends and boundaries."""

from dataclasses import replace

import pytest

from dispatch.rules.compose import (
    CompositionReason,
)
from tests.rules.composing import FACTS, body_of, built, parsed, parts_of, refusal


def encoding_of(body: str) -> str:
    return str(parsed(built(body_text=body))["Content-Transfer-Encoding"])


@pytest.mark.parametrize("blank", [None, "", " \n"])
def test_without_html_there_is_one_part(blank: str | None) -> None:
    assert parsed(built(body_html=blank)).get_content_type() == "text/plain"


def test_the_richer_part_comes_last() -> None:
    message = parsed(built(body_html="<p>x</p>"))
    types = [part.get_content_type() for part in message.walk()]
    assert types == ["multipart/alternative", "text/plain", "text/html"]


def test_values_are_escaped_in_html_and_nowhere_else() -> None:
    facts = replace(FACTS, values={"company": "<B> & Co"})
    message = built(facts, subject="{{company}}", body_text="{{company}}", body_html="<i>{{company}}</i>")
    assert message.subject == "<B> & Co"
    assert parts_of(message) == ["<B> & Co", "<i>&lt;B&gt; &amp; Co</i>"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
def test_line_ends_of_every_kind_become_one(line_end: str) -> None:
    assert built(body_text=f"a{line_end}b{line_end}").payload.endswith(b"\r\n\r\na\r\nb\r\n")


@pytest.mark.parametrize("character", ["\0", "\x01", "\x1b", "\x7f", "\x80", "\ud800"])
def test_other_control_characters_in_a_body_are_refused(character: str) -> None:
    assert refusal(body_text=f"a{character}") == ("body_text", CompositionReason.CONTROL_CHARACTER)
    assert refusal(body_html=f"a{character}") == ("body_html", CompositionReason.CONTROL_CHARACTER)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        ("", "7bit"),
        ("plain", "7bit"),
        ("x" * 998, "7bit"),
        ("x" * 999, "quoted-printable"),
        ("x" * 1_000_000, "quoted-printable"),
        ("caf\u00e9", "quoted-printable"),
        ("\u041f\u0440\u0438\u0432\u0435\u0442", "base64"),
        ("\u65e5\u672c\u8a9e" * 1_000, "base64"),
        (".\n..\n.", "7bit"),
    ],
)
def test_each_body_gets_the_plainest_encoding_that_is_safe(body: str, encoding: str) -> None:
    assert encoding_of(body[:900_000]) == encoding


def test_a_long_token_stays_whole() -> None:
    token = "QUJD" * 400
    assert body_of(parsed(built(body_text=f"a {token} b"))) == f"a {token} b\r\n"


def test_encoded_bodies_have_short_lines() -> None:
    for body in ("caf\u00e9 " * 500, "\u65e5\u672c\u8a9e" * 500, "x" * 5_000):
        lines = built(body_text=body).payload.partition(b"\r\n\r\n")[2].split(b"\r\n")
        assert max(map(len, lines)) <= 76


@pytest.mark.parametrize("field", ["body_text", "body_html"])
def test_a_body_beyond_the_cap_is_refused(field: str) -> None:
    facts = replace(FACTS, values={"company": "x" * 5_000})
    assert refusal(facts, **{field: "{{company}}" * 201}) == (field, CompositionReason.TOO_LONG)


def test_the_boundary_comes_from_the_message_id() -> None:
    first = parsed(built(body_html="x")).get_boundary()
    second = parsed(built(replace(FACTS, message_id="<2@x>"), body_html="x")).get_boundary()
    assert first != second


def test_a_body_that_holds_the_boundary_gets_another() -> None:
    boundary = str(parsed(built(body_html="x")).get_boundary())
    message = built(body_text=f"--{boundary}--\nrest", body_html="x")
    assert parsed(message).get_boundary() != boundary
    assert parts_of(message) == [f"--{boundary}--\r\nrest", "x"]
