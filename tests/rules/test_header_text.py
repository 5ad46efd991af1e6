"""Header fields: folded so that nothing changes, encoded so that every reader gets the very same text."""

import re
from email.header import decode_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.rules.header_text import LINE_AIM, LINE_LIMIT, folded_words, mailbox, unstructured

texts = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))).map(lambda text: text.strip(" "))
# Blanks of all kinds, dots and words: what folding could get wrong.
blanked = st.lists(st.sampled_from([" ", "  ", "a", "word", "é", "x" * 70, "y" * 1_000])).map(
    lambda t: "".join(t).strip(" ")
)
names = texts.map(lambda text: " ".join(text.split())).filter(lambda text: text and "=?" not in text)
WORD = re.compile(r"=\?utf-8\?[qb]\?[^?\s]*\?=")


def unfolded(field: str) -> str:
    """The value of a field as mail software first sees it."""
    assert field.endswith("\r\n")
    return field[:-2].replace("\r\n", "").partition(":")[2].strip(" ")


def decoded(field: str) -> str:
    pieces = decode_header(unfolded(field))
    return "".join(piece if isinstance(piece, str) else piece.decode(charset or "ascii") for piece, charset in pieces)


def lines_of(field: str) -> list[str]:
    return field[:-2].split("\r\n")


def is_sound(field: str) -> bool:
    """ASCII, no line too long, no line of blanks alone, and every line but the first a continuation."""
    first, *rest = lines_of(field)
    continued = all(line.startswith(" ") and line.strip() for line in rest)
    return field.isascii() and continued and bool(first.strip()) and max(map(len, [first, *rest])) <= LINE_LIMIT


# -- unstructured


def test_a_short_text_is_one_line() -> None:
    assert unstructured("Subject", "Hello there") == "Subject: Hello there\r\n"


def test_a_line_may_have_as_many_characters_as_aimed_at() -> None:
    text = "a " * 34 + "b"
    assert unstructured("Subject", text) == f"Subject: {text}\r\n"
    assert lines_of(unstructured("Subject", text + "c"))[1:] == [" bc"]


def test_a_long_text_is_folded_at_blanks() -> None:
    text = "word " * 40 + "end"
    field = unstructured("Subject", text)
    assert unfolded(field) == text
    assert max(map(len, lines_of(field))) <= LINE_AIM


def test_runs_of_blanks_are_kept() -> None:
    text = "a" + " " * 100 + "b" + "  " * 30 + "c"
    assert unfolded(unstructured("Subject", text)) == text


def test_a_word_longer_than_a_line_stands_alone() -> None:
    text = "see " + "x" * 900 + " end"
    assert lines_of(unstructured("Subject", text)) == ["Subject: see", " " + "x" * 900, " end"]


def test_a_word_no_line_can_hold_is_encoded() -> None:
    field = unstructured("Subject", "x" * 1_000)
    assert decoded(field) == "x" * 1_000
    assert max(map(len, lines_of(field))) <= LINE_AIM


def test_letters_beyond_ascii_are_encoded_readably() -> None:
    assert unstructured("Subject", "Café um 8?") == "Subject: =?utf-8?q?Caf=C3=A9_um_8=3F?=\r\n"


def test_other_scripts_are_encoded_briefly() -> None:
    assert unstructured("Subject", "Привет") == "Subject: =?utf-8?b?0J/RgNC40LLQtdGC?=\r\n"


def test_an_encoded_word_cannot_be_smuggled_beside_other_letters() -> None:
    # CVE-2024-6923: the part that looks encoded must come out as it went in.
    text = "A 💩 s=?UTF-8?Q?=0A?=Bcc: injected@example.com"
    field = unstructured("Subject", text)
    assert decoded(field) == text
    assert field.count("\r\n") == len(WORD.findall(field))


def test_a_very_long_field_name_still_leaves_room() -> None:
    field = unstructured("X" * 76, "é💌" * 20)
    assert decoded(field) == "é💌" * 20


@given(texts | blanked)
def test_every_text_is_read_back_as_it_was(text: str) -> None:
    field = unstructured("Subject", text)
    if text.isascii() and "=?" not in field:
        assert unfolded(field) == text
    else:
        assert decoded(field) == text


@given((texts | blanked).filter(bool))
def test_every_field_is_sound(text: str) -> None:
    assert is_sound(unstructured("Subject", text))


@given(texts.filter(lambda text: not text.isascii()))
def test_encoded_words_stay_within_their_lines(text: str) -> None:
    for line in lines_of(unstructured("Subject", text)):
        assert len(line) <= 76
        assert WORD.fullmatch(line.removeprefix("Subject:").strip(" "))


@given(texts.filter(lambda text: not text.isascii()))
def test_every_encoded_word_is_whole_by_itself(text: str) -> None:
    words = WORD.findall(unstructured("Subject", text))
    assert "".join(decoded(f"Subject: {word}\r\n") for word in words) == text


# -- mailbox


@pytest.mark.parametrize(
    ("name", "line", "value"),
    [
        ("", "From: a@b.example\r\n", "a@b.example"),
        ("Ada Lovelace", "From: Ada Lovelace <a@b.example>\r\n", "Ada Lovelace <a@b.example>"),
        ("Ada, Countess", 'From: "Ada, Countess" <a@b.example>\r\n', '"Ada, Countess" <a@b.example>'),
        ("A. L.", 'From: "A. L." <a@b.example>\r\n', '"A. L." <a@b.example>'),
        ('"A" \\ B', 'From: "\\"A\\" \\\\ B" <a@b.example>\r\n', '"\\"A\\" \\\\ B" <a@b.example>'),
        ("x@y.z", 'From: "x@y.z" <a@b.example>\r\n', '"x@y.z" <a@b.example>'),
        ('"a" <x@y>, z@w', 'From: "\\"a\\" <x@y>, z@w" <a@b.example>\r\n', '"\\"a\\" <x@y>, z@w" <a@b.example>'),
        ("Zoë", "From: =?utf-8?q?Zo=C3=AB?= <a@b.example>\r\n", "Zoë <a@b.example>"),
        ("Zoë, <x@y>", "From: =?utf-8?q?Zo=C3=AB=2C_=3Cx=40y=3E?= <a@b.example>\r\n", "Zoë, <x@y> <a@b.example>"),
    ],
)
def test_a_display_name_is_quoted_or_encoded_where_it_must_be(name: str, line: str, value: str) -> None:
    assert mailbox("From", name, "a@b.example") == (line, value)


def test_a_long_name_is_folded_before_the_address() -> None:
    line, value = mailbox("From", "Ada " * 16 + "Ada", "ada@analytical-engines.example")
    assert lines_of(line)[-1] == " <ada@analytical-engines.example>"
    assert unfolded(line) == value


@given(names, st.from_regex(r"[a-z]{1,60}@[a-z]{1,60}\.example", fullmatch=True))
def test_every_mailbox_is_sound_and_read_as_promised(name: str, address: str) -> None:
    line, value = mailbox("From", name, address)
    assert is_sound(line)
    assert decoded(line) == value
    assert value.endswith(f"<{address}>")


# -- folded_words


def test_few_words_are_one_line() -> None:
    assert folded_words("References", ("<a@b>", "<c@d>")) == "References: <a@b> <c@d>\r\n"


@given(st.lists(st.from_regex(r"<[a-z0-9]{1,80}@[a-z]{1,80}>", fullmatch=True), min_size=1).map(tuple))
def test_words_stay_whole_and_in_order(words: tuple[str, ...]) -> None:
    field = folded_words("References", words)
    assert tuple(unfolded(field).split(" ")) == words
    assert is_sound(field)
    assert all(len(line) <= LINE_AIM or len(line.split()) <= 2 for line in lines_of(field))


# -- Exactly at the limits


def test_a_word_fills_a_line_to_its_last_octet() -> None:
    assert unstructured("Subject", "x" * 900 + " " + "y" * 997) == f"Subject: {'x' * 900}\r\n {'y' * 997}\r\n"
    assert "=?utf-8?q?" in unstructured("Subject", "x" * 900 + " " + "y" * 998)


def test_a_folded_line_is_filled_to_its_aim() -> None:
    first, second, rest = "a" * 69, "b" * 77, "c"
    assert unstructured("Subject", f"{first} {second} {rest}") == f"Subject: {first}\r\n {second}\r\n {rest}\r\n"


def test_words_that_fit_together_stay_together() -> None:
    assert unstructured("Subject", f"{'a' * 69} {'b' * 75} c") == f"Subject: {'a' * 69}\r\n {'b' * 75} c\r\n"


def test_encoded_words_are_filled_to_their_limit() -> None:
    words = WORD.findall(unstructured("Subject", "é" + "a" * 300))
    assert [len(word) for word in words[:-1]] == [67, 75, 75, 75]
    assert len(words[-1]) <= 75


@pytest.mark.parametrize(
    ("text", "word"),
    [("é", "=?utf-8?q?=C3=A9?="), ("éé", "=?utf-8?q?=C3=A9=C3=A9?="), ("ééa", "=?utf-8?b?w6nDqWE=?=")],
)
def test_the_readable_encoding_may_be_longer_by_a_half(text: str, word: str) -> None:
    assert unstructured("Subject", text) == f"Subject: {word}\r\n"


@pytest.mark.parametrize("character", "\"#$%&'(),.:;<=>?@[\\]^_`{|}~")
def test_what_is_not_safe_in_a_phrase_is_quoted(character: str) -> None:
    field = unstructured("Subject", f"é{character}{'a' * 20}")
    assert field == f"Subject: =?utf-8?q?=C3=A9={ord(character):02X}{'a' * 20}?=\r\n"


def test_what_is_safe_in_a_phrase_stands_for_itself() -> None:
    assert unstructured("Subject", "é aZ09!*+-/") == "Subject: =?utf-8?q?=C3=A9_aZ09!*+-/?=\r\n"


@pytest.mark.parametrize(("size", "lines"), [(62, 1), (63, 2)])
def test_an_address_stays_beside_its_name_as_long_as_it_fits(size: int, lines: int) -> None:
    # "From: " + "Ada" + " <" + address + ">" has 76 characters when the address has 64.
    line, value = mailbox("From", "Ada", "x" * size + "@y")
    assert len(lines_of(line)) == lines
    assert unfolded(line) == value


@pytest.mark.parametrize(("size", "lines"), [(66, 2), (67, 3)])
def test_an_address_stays_beside_the_last_line_of_its_name(size: int, lines: int) -> None:
    # The last line is " Ada"; with " <" + address + ">" it has 76 characters when the address has 69.
    line, value = mailbox("From", "b" * 72 + " Ada", "x" * size + "@y.")
    assert len(lines_of(line)) == lines
    assert unfolded(line) == value


def test_a_very_long_plain_name_is_folded_at_its_blanks() -> None:
    name = " ".join(["Augusta"] * 40)
    line, value = mailbox("From", name, "ada@example.com")
    assert is_sound(line)
    assert unfolded(line) == value == f"{name} <ada@example.com>"
    assert max(map(len, lines_of(line))) <= LINE_AIM


def test_a_very_long_quoted_name_is_folded_inside_its_quotes() -> None:
    name = ", ".join(["Augusta"] * 40)
    line, value = mailbox("From", name, "ada@example.com")
    assert is_sound(line)
    assert unfolded(line) == value == f'"{name}" <ada@example.com>'


def test_a_very_long_encoded_name_is_one_name() -> None:
    name = " ".join(["Zoë"] * 80)
    line, value = mailbox("From", name, "ada@example.com")
    assert is_sound(line)
    assert decoded(line) == value == f"{name} <ada@example.com>"
