"""CSV files read as bytes, and what their errors say, for the tests of imports."""

from collections.abc import Callable

import pytest

from campaigns.rules.csv_rows import CsvRefused, Row, RowError, read_csv

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
