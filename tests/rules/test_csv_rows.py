"""CSV files as people have them, and as nobody should: rows, errors with their lines, and never an exception else."""

import codecs
import csv
import io
import itertools
import time
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.rules.contact_fields import PROVENANCE_FIELDS, RESERVED_NAMES, STANDARD_FIELDS
from campaigns.rules.csv_rows import (
    LONGEST_CELL,
    LONGEST_RECORD,
    MOST_COLUMNS,
    SYNONYMS,
    CsvRefused,
    Row,
    RowError,
    escape_cell,
    read_csv,
)
from campaigns.rules.merge_tags import is_field_name

Guess = Callable[[bytes], str | None]
BAD_QUOTES = "A quotation mark is not closed, or has text behind it; write a quotation mark inside a cell twice."
LONG_CELL = "A cell has more than 100,000 characters; is a quotation mark not closed?"
LONG_RECORD = "The row has more than 1,000,000 characters; is a quotation mark not closed?"
UNREADABLE = "The cell is not readable text. Save the file as UTF-8."
NUL = "The cell contains a NUL; remove it."


def read(data: bytes, guess: Guess | None = None) -> list[Row | RowError]:
    return list(read_csv([data], guess_encoding=guess)[1])


def columns_of(header: str) -> tuple[str, ...]:
    return read_csv([header.encode()])[0]


def values_of(data: bytes, guess: Guess | None = None) -> list[dict[str, str]]:
    rows = read(data, guess)
    assert all(isinstance(row, Row) for row in rows)
    return [row.values for row in rows if isinstance(row, Row)]


def refusal_of(data: bytes) -> str:
    with pytest.raises(CsvRefused) as caught:
        read(data)
    return str(caught.value)


# -- Ordinary files


def test_a_file_becomes_rows_with_their_lines() -> None:
    columns, rows = read_csv([b"Email,First name,Plan\r\na@x.test,Ada,pro\r\nb@x.test,Bob,\r\n"])
    assert columns == ("email", "first_name", "Plan")
    assert list(rows) == [
        Row(2, {"email": "a@x.test", "first_name": "Ada", "Plan": "pro"}),
        Row(3, {"email": "b@x.test", "first_name": "Bob"}),
    ]


def test_quotes_hold_delimiters_quotes_and_line_ends() -> None:
    assert read(b'email,x\na@x.test,"1, ""2""\r\n3"\nb@x.test,y\n') == [
        Row(2, {"email": "a@x.test", "x": '1, "2"\n3'}),
        Row(4, {"email": "b@x.test", "x": "y"}),
    ]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_line_ends_of_all_systems_are_read(line_end: bytes) -> None:
    data = line_end.join([b"email,x", b"a@x.test,1", b"b@x.test,2"])
    assert [row.line_number for row in read(data)] == [2, 3]


def test_line_ends_may_be_mixed() -> None:
    assert values_of(b"email\r\na@x.test\nb@x.test\rc@x.test\r\n") == [{"email": f"{name}@x.test"} for name in "abc"]


def test_other_separators_of_lines_are_no_line_ends() -> None:
    text = "email,x\na@x.test,1\u20282\x0b3\x0c4\x855\x1c6\n"
    assert values_of(text.encode()) == [{"email": "a@x.test", "x": "1\u20282\x0b3\x0c4\x855\x1c6"}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_in_the_header(delimiter: str) -> None:
    data = f"email{delimiter}company{delimiter}x\na@x.test{delimiter}b|c{delimiter}d\n"
    assert values_of(data.encode()) == [{"email": "a@x.test", "company": "b|c", "x": "d"}]


def test_delimiters_inside_quotes_are_not_counted() -> None:
    assert columns_of('email;"a,b,c,d";x') == ("email", "a_b_c_d", "x")


@pytest.mark.parametrize("hint", ["sep=|", "SEP=|", '"sep=|"'])
def test_the_hint_of_a_spreadsheet_names_the_delimiter(hint: str) -> None:
    assert read(f"{hint}\r\nemail|x,y\r\na@x.test|1\r\n".encode()) == [Row(3, {"email": "a@x.test", "x_y": "1"})]


def test_one_column_is_a_file_too() -> None:
    assert values_of(b"email\na@x.test") == [{"email": "a@x.test"}]


def test_blank_lines_are_passed_over() -> None:
    assert read(b"\n\r\nemail,x\n\n,\na@x.test,1\n\n") == [Row(6, {"email": "a@x.test", "x": "1"})]


def test_blanks_around_cells_are_dropped() -> None:
    assert values_of(b" Email ,x\n a@x.test , b c \n") == [{"email": "a@x.test", "x": "b c"}]


def test_short_rows_and_empty_cells_too_many_are_read() -> None:
    assert values_of(b"email,x,y\na@x.test\nb@x.test,1,2,,\n") == [
        {"email": "a@x.test"},
        {"email": "b@x.test", "x": "1", "y": "2"},
    ]


@pytest.mark.parametrize("formula", ["=1+1", '=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)"])
def test_formulas_are_text(formula: str) -> None:
    quoted = formula.replace('"', '""')
    assert values_of(f'email,x\na@x.test,"{quoted}"\n'.encode()) == [{"email": "a@x.test", "x": formula}]


def test_chunks_may_be_cut_anywhere() -> None:
    data = 'email,x\r\na@x.test,"é\r\n💌"\r\nb@x.test,2\r\n'.encode()
    whole = read(data)
    assert list(read_csv([data[index : index + 1] for index in range(len(data))])[1]) == whole
    assert len(whole) == 2


# -- Encodings


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


# -- The header


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


# -- Rows that are wrong


def test_a_row_with_text_beyond_the_header_is_an_error() -> None:
    message = "The row has 3 cells, and the header 2; is one cell not in quotes?"
    assert read(b"email,x\na@x.test,1,2\nb@x.test,3\n") == [
        RowError(2, "", message),
        Row(3, {"email": "b@x.test", "x": "3"}),
    ]


def test_a_row_of_a_million_cells_is_an_error() -> None:
    rows = read(b"email\n" + b"a," * 1_000_000 + b"\n" + b"," * 900_000 + b"x\nb@x.test\n")
    assert [type(row) for row in rows] == [RowError, RowError, Row]
    assert rows[2].line_number == 4


def test_a_nul_is_an_error_of_its_cell() -> None:
    assert read(b"email,x\na@x.test,1\x002\n\0\nb@x.test,3\n") == [
        RowError(2, "x", NUL),
        RowError(3, "email", NUL),
        Row(4, {"email": "b@x.test", "x": "3"}),
    ]


def test_a_cell_may_be_long_but_not_endless() -> None:
    data = b"email,x\na@x.test,%s\nb@x.test,%s\n" % (b"y" * LONGEST_CELL, b"y" * (LONGEST_CELL + 1))
    first, second = read(data)
    assert isinstance(first, Row)
    assert second == RowError(3, "x", LONG_CELL)


@pytest.mark.parametrize("quote", [b"", b'"'])
def test_a_cell_of_a_hundred_megabytes_is_an_error_and_takes_no_memory(quote: bytes) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"email,x\na@x.test," + quote
        yield from itertools.repeat(b"y" * 65_536, 1_600)
        yield quote + b"\nb@x.test,1\n"

    tracemalloc.start()
    rows = list(read_csv(chunks())[1])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == [RowError(2, "", LONG_RECORD), Row(3, {"email": "b@x.test", "x": "1"})]
    assert peak < 20 * LONGEST_RECORD


def test_rows_together_may_be_longer_than_one() -> None:
    assert len(values_of(b"email,x\n" + b"a@x.test,%s\n" % (b"y" * 90_000) * 30)) == 30


@pytest.mark.parametrize("row", [b'a@x.test,"1"2', b'"a@x.test" ,1', b'a@x.test,"1" "2"'])
def test_text_behind_a_quote_is_an_error_of_its_row_alone(row: bytes) -> None:
    assert read(b"email,x\n" + row + b"\nb@x.test,3\n") == [
        RowError(2, "", BAD_QUOTES),
        Row(3, {"email": "b@x.test", "x": "3"}),
    ]


def test_a_quote_inside_a_bare_cell_is_just_a_quote() -> None:
    assert values_of(b'email,x\na@x.test,5" disk\n') == [{"email": "a@x.test", "x": '5" disk'}]


def test_a_quote_that_is_never_closed_costs_only_its_own_row() -> None:
    data = b'email,x\na@x.test,"1\nb@x.test,2\nc@x.test,3\n'
    assert read(data) == [
        RowError(2, "", BAD_QUOTES),
        Row(3, {"email": "b@x.test", "x": "2"}),
        Row(4, {"email": "c@x.test", "x": "3"}),
    ]


def test_a_quote_that_is_closed_rows_later_costs_only_its_own_row() -> None:
    data = b'email,x\na@x.test,"1\nb@x.test,2\nc@x.test,"3"\n'
    assert read(data) == [
        RowError(2, "", BAD_QUOTES),
        Row(3, {"email": "b@x.test", "x": "2"}),
        Row(4, {"email": "c@x.test", "x": "3"}),
    ]


def test_an_unclosed_quote_in_a_long_file_costs_only_its_own_row() -> None:
    rows = read(b'email,x\na@x.test,"1\n' + b"b@x.test,2\n" * 30_000)
    assert rows[0] == RowError(2, "", LONG_CELL)
    assert rows[-1] == Row(30_002, {"email": "b@x.test", "x": "2"})
    assert len(rows) == 30_001


@pytest.mark.parametrize("line", [b'x","\n', b'","\n', b'"\n', b'"a\n', b'a,"\n', b'"""\n', b'""x\n', b'"a"b,c\n'])
def test_lines_of_quotes_take_bounded_time(line: bytes) -> None:
    started = time.process_time()
    try:
        read(b"email,b\n" + line * (300_000 // len(line)))
    except CsvRefused as refused:
        assert str(refused).startswith("Too many quotation marks are not closed (line ")  # noqa: PT017
    assert time.process_time() - started < 30.0


def test_many_rows_are_read_in_little_memory() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"email,first_name,x\n"
        yield from itertools.repeat(b"somebody@example.com,Somebody,something\n" * 1_000, 20)

    tracemalloc.start()
    count = sum(1 for _ in read_csv(chunks())[1])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 1_000_000


# -- Export


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x"])
def test_what_a_spreadsheet_would_run_is_escaped(value: str) -> None:
    assert escape_cell(value) == f"'{value}"


@pytest.mark.parametrize("value", ["", "a", "1", "a=1", "'=1", " x", "é@x.test"])
def test_what_it_would_not_run_is_left_alone(value: str) -> None:
    assert escape_cell(value) == value


# -- Properties

cells = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
# What CSV is made of, so that chance finds the odd combinations.
odd = st.lists(
    st.sampled_from(
        [b"email", b",", b";", b"\t", b'"', b'""', b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"a", b"=", b"\xc3\xa9"]
    )
)
starts = st.sampled_from([b"", b"email,x\n", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"sep=;\n"])


@given(starts, st.binary() | odd.map(b"".join))
def test_any_bytes_are_read_or_refused(start: bytes, data: bytes) -> None:
    try:
        columns, rows = read_csv([start + data])
        found = list(rows)
    except CsvRefused as refused:
        assert str(refused).isprintable()  # noqa: PT017
        return
    assert "email" in columns
    numbers = [row.line_number for row in found]
    assert numbers == sorted(set(numbers))
    assert all(row.message if isinstance(row, RowError) else set(row.values) <= set(columns) - {""} for row in found)


@given(odd.map(b"".join), st.lists(st.integers(min_value=0, max_value=60), max_size=6))
def test_where_chunks_are_cut_changes_nothing(data: bytes, cuts: list[int]) -> None:
    data = b"email,x\n" + data
    edges = [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    try:
        expected = read(data)
    except CsvRefused:
        with pytest.raises(CsvRefused):
            list(read_csv(pieces)[1])
    else:
        assert list(read_csv(pieces)[1]) == expected


@given(st.lists(st.tuples(cells, cells), max_size=8), st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_a_csv_writer_wrote_is_read_back(rows: list[tuple[str, str]], delimiter: str, line_end: str) -> None:
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerow(["email", "x"])
    writer.writerows(rows)
    written = [tuple(cell.replace("\r\n", "\n").replace("\r", "\n").strip() for cell in row) for row in rows]
    expected = [
        {name: cell for name, cell in zip(("email", "x"), row, strict=True) if cell}
        for given_row, row in zip(rows, written, strict=True)
        if any(given_row)
    ]
    assert values_of(file.getvalue().encode()) == expected


@given(st.text().filter(lambda heading: not set(heading) & set(',;\t"\r\n|')))
def test_any_heading_becomes_a_usable_name(heading: str) -> None:
    try:
        name = columns_of(f"email,{heading}")[1]
    except (CsvRefused, UnicodeEncodeError):
        return
    assert not name or is_field_name(name)
    assert name.lower() not in RESERVED_NAMES


@given(st.text())
def test_no_escaped_cell_is_a_formula(value: str) -> None:
    escaped = escape_cell(value)
    assert escaped.removeprefix("'") == value.removeprefix("'")
    assert not escaped.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


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


def test_a_record_has_at_most_a_million_characters() -> None:
    cells = [b"y" * 99_999] * 9
    fitting = b",".join([b"a@x.test", *cells, b"z" * (LONGEST_RECORD - 1 - 9 - 9 * 100_000)])
    assert len(fitting) == LONGEST_RECORD - 1
    header = b"email" + b"".join(b",c%d" % number for number in range(10)) + b"\n"
    assert isinstance(read(header + fitting + b"\n")[0], Row)
    assert read(header + fitting + b"z\n") == [RowError(2, "", LONG_RECORD)]


def test_rows_after_an_endless_one_keep_their_numbers() -> None:
    data = b"email\n" + b"x" * (3 * LONGEST_RECORD) + b"\na@x.test\n" + b"x" * (3 * LONGEST_RECORD) + b"\nb@x.test\n"
    assert [row.line_number for row in read(data)] == [2, 3, 4, 5]


def test_errors_that_follow_each_other_keep_their_numbers() -> None:
    rows = read(b'email,x\n"a\n"b\n"c\nd@x.test,1\n"e"f,2\ng@x.test,3\n')
    assert [(type(row), row.line_number) for row in rows] == [
        (RowError, 2),
        (RowError, 3),
        (RowError, 4),
        (Row, 5),
        (RowError, 6),
        (Row, 7),
    ]


def test_a_file_that_ends_inside_quotes_keeps_all_rows_before_and_after() -> None:
    rows = read(b'email,x\na@x.test,1\nb@x.test,"2\nc@x.test,3')
    assert [(type(row), row.line_number) for row in rows] == [(Row, 2), (RowError, 3), (Row, 4)]


@pytest.mark.parametrize("data", [b"email,x\na@x.test,\xa01\xa0\n", "email,x\na@x.test,\u20031\t\n".encode()])
def test_blanks_of_other_scripts_are_blanks(data: bytes) -> None:
    assert values_of(data) == [{"email": "a@x.test", "x": "1"}]


def test_cells_under_no_heading_are_checked_too() -> None:
    assert read(b"email,\na@x.test,\0\n") == [RowError(2, "", NUL)]


def test_a_column_too_many_may_be_empty_in_the_header_alone() -> None:
    assert values_of(b"email,x,,\na@x.test,1\n") == [{"email": "a@x.test", "x": "1"}]


def test_reading_is_lazy() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"email\n" + b"a@x.test\n" * 10_000
        raise AssertionError("The second chunk was asked for before the first was read.")

    _, rows = read_csv(chunks())
    assert next(rows) == Row(2, {"email": "a@x.test"})
