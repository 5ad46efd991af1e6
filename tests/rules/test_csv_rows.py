"""CSV files as people have them, and as nobody should: rows, errors with their lines, and never an exception else."""

import itertools
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from campaigns.rules.csv_rows import (
    LONGEST_CELL,
    LONGEST_RECORD,
    CsvRefused,
    Row,
    RowError,
    read_csv,
)
from tests.rules.csv_reading import BAD_QUOTES, LONG_CELL, LONG_RECORD, NUL, columns_of, read, values_of

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


# -- Details that a careless change would lose


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
