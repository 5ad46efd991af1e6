"""The first rows of CSV files: delimiters, headings, and the fields that they name."""

import codecs

import pytest

from campaigns.rules.contact_fields import PROVENANCE_FIELDS, STANDARD_FIELDS
from campaigns.rules.csv_rows import (
    MOST_COLUMNS,
    SYNONYMS,
    CsvRefused,
    Row,
    read_csv,
)
from tests.rules.csv_reading import (
    BAD_QUOTES,
    LONG_RECORD,
    columns_of,
    read,
    refusal_of,
    values_of,
)


@pytest.mark.parametrize(("field", "heading"), [(field, heading) for field in SYNONYMS for heading in SYNONYMS[field]])
def test_each_synonym_is_understood_in_any_spelling(field: str, heading: str) -> None:
    email = "" if field == "email" else ",email"
    for spelt in (heading, heading.title(), heading.upper(), heading.replace(" ", "_"), heading.replace(" ", "-")):
        assert columns_of(spelt + email)[0] == field


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("E-mail", "email"),
        ("firstName", "first_name"),
        ("Job Title", "job_title"),
        ("jobTitle", "jobTitle"),
        ("Industry", "Industry"),
        ("Größe (cm)", "grosse_cm"),
        ("Prénom", "prenom"),
        ("2nd line", "_2nd_line"),
        ("город", "column_2"),
        ("%", "column_2"),
        ("", ""),
        ("  ", ""),
        ("x" * 100, "x" * 64),
        ("id", "csv_id"),
        ("ID", "csv_ID"),
        ("Created at", "csv_created_at"),
        ("=cmd()", "cmd"),
    ],
)
def test_a_heading_becomes_a_name_that_merge_tags_can_bear(heading: str, name: str) -> None:
    other = "y@x.test" if name == "email" else "email"
    if name == "email":
        assert columns_of(heading)[0] == "email"
    else:
        assert columns_of(f"{other},{heading}")[1] == name


def test_columns_without_a_heading_are_not_read() -> None:
    assert values_of(b"email,,x,\na@x.test,1,2,3\n") == [{"email": "a@x.test", "x": "2"}]


@pytest.mark.parametrize("header", ["email,Email", "E-mail,x,MAIL", "email,x y,x-y", "email,First name,given_name"])
def test_two_columns_of_one_meaning_are_refused(header: str) -> None:
    assert "rename or remove one." in refusal_of(header.encode() + b"\na@x.test,b,c\n")


def test_the_refusal_names_both_columns() -> None:
    message = refusal_of(b"x,E-mail,y,Email\n")
    assert message == "Columns 2 ('E-mail') and 4 ('Email') are both email; rename or remove one."


def test_a_file_without_an_email_column_is_refused() -> None:
    assert refusal_of(b"name,phone\nAda,1\n") == "No column is headed Email; the first row has 'name', 'phone'."


def test_a_refusal_shows_no_control_characters_and_no_megabytes() -> None:
    message = refusal_of("na\u2028\x1bme".encode() + b"x" * 100_000 + b",phone\n")
    assert message.isprintable()
    assert len(message) < 200


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n\r\n", b",,,\n", codecs.BOM_UTF8, codecs.BOM_UTF16_LE])
def test_an_empty_file_is_refused(data: bytes) -> None:
    assert refusal_of(data) == "The file is empty."


def test_no_chunks_at_all_are_an_empty_file() -> None:
    with pytest.raises(CsvRefused, match="empty"):
        read_csv([])


def test_a_header_that_cannot_be_read_is_refused() -> None:
    assert refusal_of(b'email,"x\na@x.test,1\n') == f"The header on line 1 cannot be read: {BAD_QUOTES}"


def test_a_header_may_have_so_many_columns_and_no_more() -> None:
    header = ["email", *(f"c{number}" for number in range(MOST_COLUMNS))]
    assert len(columns_of(",".join(header[:MOST_COLUMNS]))) == MOST_COLUMNS
    assert refusal_of(",".join(header).encode()) == "The header has 1,001 columns; at most 1,000 are allowed."


def test_a_header_of_a_million_columns_is_refused() -> None:
    assert refusal_of(b"email" + b",x" * 1_000_000) == f"The header on line 1 cannot be read: {LONG_RECORD}"


# -- Details that a careless change would lose


def test_the_fields_a_column_can_be_are_those_of_a_contact() -> None:
    assert set(SYNONYMS) == {"email", *STANDARD_FIELDS, *PROVENANCE_FIELDS, "consent_at"}


def test_no_heading_means_two_fields() -> None:
    headings = [heading for field in SYNONYMS.values() for heading in field]
    assert len(headings) == len(set(headings))


@pytest.mark.parametrize("delimiter", ["|", "X", ":", " ", "a"])
def test_nothing_else_is_taken_for_a_delimiter(delimiter: str) -> None:
    assert "No column is headed Email" in refusal_of(f"email{delimiter}other{delimiter}more\n".encode())


def test_the_more_frequent_delimiter_wins() -> None:
    assert columns_of("email;name, first;name, last;x") == ("email", "name_first", "name_last", "x")


def test_a_hint_is_only_taken_from_the_first_line() -> None:
    assert values_of(b"email\nsep=;\n") == [{"email": "sep=;"}]


def test_a_heading_may_hold_a_line_end() -> None:
    assert read(b'email,"Job\r\ntitle"\r\na@x.test,CTO\r\n') == [Row(3, {"email": "a@x.test", "job_title": "CTO"})]


def test_blank_lines_before_the_header_count_as_lines() -> None:
    assert [row.line_number for row in read(b"\n\n \nemail\n\na@x.test\n")] == [6]
