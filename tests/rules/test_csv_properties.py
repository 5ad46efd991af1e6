"""CSV files of any bytes: read or refused, and never an exception else."""

import codecs
import csv
import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.rules.contact_fields import RESERVED_NAMES
from campaigns.rules.csv_rows import (
    CsvRefused,
    RowError,
    read_csv,
)
from campaigns.rules.merge_tags import is_field_name
from tests.rules.csv_reading import (
    columns_of,
    read,
    values_of,
)

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
