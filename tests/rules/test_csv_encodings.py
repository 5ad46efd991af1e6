"""CSV files in the encodings that people have, and bytes that are no text."""

import codecs

import pytest

from campaigns.rules.csv_rows import (
    Row,
    RowError,
)
from tests.rules.csv_reading import (
    UNREADABLE,
    read,
    refusal_of,
    values_of,
)


@pytest.mark.parametrize(
    "data",
    [
        codecs.BOM_UTF8 + "email,x\na@x.test,Zoë 日本\n".encode(),
        "email,x\na@x.test,Zoë 日本\n".encode(),
        "email,x\na@x.test,Zoë 日本\n".encode("utf-16"),
        codecs.BOM_UTF16_BE + "email,x\na@x.test,Zoë 日本\n".encode("utf-16-be"),
        "email,x\na@x.test,Zoë 日本\n".encode("utf-16-le"),
        "email,x\na@x.test,Zoë 日本\n".encode("utf-16-be"),
        "\ufeff\ufeffemail,x\na@x.test,Zoë 日本\n".encode(),
    ],
)
def test_unicode_is_read_in_every_form(data: bytes) -> None:
    assert values_of(data) == [{"email": "a@x.test", "x": "Zoë 日本"}]


def test_other_bytes_are_taken_for_those_of_windows() -> None:
    assert values_of("email,x\na@x.test,Zoë €\n".encode("cp1252")) == [{"email": "a@x.test", "x": "Zoë €"}]


def test_a_guess_is_asked_for_what_is_no_unicode() -> None:
    data = "email,x\na@x.test,Привет\n".encode("cp1251")
    assert values_of(data, lambda sample: "cp1251" if sample == data else None) == [
        {"email": "a@x.test", "x": "Привет"}
    ]


def test_a_guess_is_not_asked_for_utf8() -> None:
    def guess(sample: bytes) -> str:
        raise AssertionError(sample)

    assert values_of("email,x\na@x.test,é\n".encode(), guess) == [{"email": "a@x.test", "x": "é"}]


@pytest.mark.parametrize("guessed", [None, "", "nonsense", "utf-7", "utf-16", "cp037", "rot13", "hex"])
def test_a_guess_that_is_of_no_use_is_not_followed(guessed: str | None) -> None:
    data = "email,x\na@x.test,é\n".encode("cp1252")
    assert values_of(data, lambda _: guessed) == [{"email": "a@x.test", "x": "é"}]


def test_bytes_that_are_no_text_are_an_error_of_their_row() -> None:
    data = b"email,x\na@x.test,\xc3\xa9\nb@x.test,1\n" + b"c@x.test,2\n" * 10_000 + b"d@x.test,\xff\ne@x.test,3\n"
    rows = read(data)
    assert [row for row in rows if isinstance(row, RowError)] == [RowError(10_004, "x", UNREADABLE)]
    assert len(rows) == 10_004


def test_half_a_character_of_utf16_is_an_error_of_its_row() -> None:
    data = codecs.BOM_UTF16_LE + "email,x\na@x.test,".encode("utf-16-le") + b"\x00\xd8" + "\n".encode("utf-16-le")
    assert read(data) == [RowError(2, "x", UNREADABLE)]


def test_utf16_that_is_cut_off_is_refused() -> None:
    data = codecs.BOM_UTF16_LE + "email\na@x.test\n".encode("utf-16-le") + b"x"
    assert refusal_of(data) == "The file is not readable as utf-16. Save it as UTF-8."


@pytest.mark.parametrize("mark", [codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE])
def test_utf32_is_refused(mark: bytes) -> None:
    assert refusal_of(mark + b"x") == "The file is in UTF-32. Save it as UTF-8."


# -- What the sample decides, and what not


@pytest.mark.parametrize("rows_before", [6_000, 20_000])
def test_what_follows_the_sample_is_judged_row_by_row(rows_before: int) -> None:
    rows = read(b"email,x\n" + b"a@x.test,1\n" * rows_before + "b@x.test,é\n".encode() + b"c@x.test,\xe9\n")
    assert rows[-2:] == [
        Row(rows_before + 2, {"email": "b@x.test", "x": "é"}),
        RowError(rows_before + 3, "x", UNREADABLE),
    ]


def test_what_is_in_the_sample_decides_for_the_whole_file() -> None:
    data = b"email,x\na@x.test,\xe9\n" + b"a@x.test,1\n" * 20_000 + b"b@x.test,\xe9\n"
    assert values_of(data)[-1] == {"email": "b@x.test", "x": "é"}


def test_a_character_cut_by_the_end_of_the_sample_is_whole() -> None:
    for shift in range(4):
        data = b"email,x\n" + b"a" * shift + "💌".encode() * 20_000 + b"@x.test,1\n"
        (row,) = read(data)
        assert isinstance(row, Row)
