"""Text that others wrote: what must not reach a header or a body, and what a typing error meant (promises 3.1)."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampout.lib.text import find_control_character, looks_like_encoded_word, nearest_name

EVERYWHERE = [
    "\x00",
    "\x01",
    "\x0b",
    "\x0c",
    "\x1b",
    "\x7f",
    "\x80",
    "\x85",
    "\x9f",
    "\u2028",
    "\u2029",
    "\ud800",
    "\udfff",
]


@pytest.mark.parametrize("character", [*EVERYWHERE, "\t", "\n", "\r"])
def test_a_line_holds_no_control_character(character: str) -> None:
    found = find_control_character(f"Hello{character}Bcc: x@y.test")
    assert found is not None
    assert found.startswith(f"U+{ord(character):04X} (")


@pytest.mark.parametrize("character", EVERYWHERE)
def test_a_body_holds_none_but_tabs_and_line_ends(character: str) -> None:
    assert find_control_character(f"Hello{character}Bob", multiline=True) is not None


@pytest.mark.parametrize("text", ["one\ttwo", "one\ntwo", "one\r\ntwo", "\r\n\r\n"])
def test_a_body_may_have_tabs_and_line_ends(text: str) -> None:
    assert find_control_character(text, multiline=True) is None


@pytest.mark.parametrize("text", ["one\rtwo", "one\r", "\r\r\n", "one\n\rtwo"])
def test_a_lone_carriage_return_is_found_in_a_body(text: str) -> None:
    assert find_control_character(text, multiline=True) == "U+000D (carriage return)"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a\r\nBcc: x", "U+000D (carriage return)"),
        ("a\nBcc: x", "U+000A (line feed)"),
        ("a\x00", "U+0000 (NUL)"),
        ("a\u2028b", "U+2028 (line separator)"),
        ("a\x07b", "U+0007 (control character)"),
        ("a\ud83d", "U+D83D (half of a surrogate pair)"),
    ],
)
def test_the_first_one_is_named(text: str, found: str) -> None:
    assert find_control_character(text) == found


@pytest.mark.parametrize(
    "text", ["", "Hello Bob", "Jörg & Åsa", "😀 👩‍👩‍👧", "שלום", "مرحبا", "naïve – “quoted”", "\u00a0\u00ad"]
)
def test_ordinary_text_passes(text: str) -> None:
    assert find_control_character(text) is None


@given(st.text())
def test_what_passes_can_be_written_on_one_line(text: str) -> None:
    if find_control_character(text) is None:
        assert text.encode().decode() == text
        assert len(text.splitlines()) <= 1


@pytest.mark.parametrize(
    "text",
    [
        "A 💩 s=?UTF-8?Q?=0A?=Bcc: injected@example.com",
        "=?utf-8?b?SGVsbG8=?=",
        "=?ISO-8859-1?q?hi?=",
        "hello =?utf-8?Q?unfinished",
        "=?utf-8*en?Q?language?=",
        "=??Q?no charset?=",
    ],
)
def test_an_encoded_word_is_seen(text: str) -> None:
    assert looks_like_encoded_word(text)


@pytest.mark.parametrize("text", ["", "What?", "a=?b", "=?x?z?=", "1 =? 2 ?Q", "is 2+2=4? Q? =?"])
def test_ordinary_questions_are_not_encoded_words(text: str) -> None:
    assert not looks_like_encoded_word(text)


@pytest.mark.parametrize(
    "text", ["=?" * 500_000, "=?a" * 300_000, "=?" + "a" * 1_000_000, "=?a?q" * 200_000, "\r" * 1_000_000]
)
def test_a_megabyte_takes_no_time(text: str) -> None:
    before = time.perf_counter()
    looks_like_encoded_word(text)
    find_control_character(text, multiline=True)
    assert time.perf_counter() - before < 1


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("smpt_host", "smtp_host"),
        ("smtphost", "smtp_host"),
        ("daily_limits", "daily_limit"),
        ("zebra", None),
        ("", None),
    ],
)
def test_the_nearest_known_name_is_suggested(name: str, nearest: str | None) -> None:
    assert nearest_name(name, ["smtp_host", "smtp_port", "daily_limit"]) == nearest


def test_a_huge_name_is_near_to_nothing() -> None:
    assert nearest_name("x" * 5_000_000, ["smtp_host"]) is None
