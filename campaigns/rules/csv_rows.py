"""CSV as people have it: read as a stream, in bounded memory, with the line number of every row that is wrong.

1. The first bytes tell the encoding: a byte order mark, NULs in every other place (UTF-16), UTF-8, else a guess.
2. The first row tells the delimiter and names the columns.
3. Each further row is a Row or a RowError; only what makes the whole file useless raises CsvRefused.

A quote that is never closed would swallow the rest of the file. So the lines of a record are remembered up to a limit;
when it is reached, or the file ends, the first line is the error, and reading goes on at the second.
"""

import codecs
import csv
import io
import re
import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from campaigns.rules.contact_fields import RESERVED_NAMES
from campaigns.rules.merge_tags import LONGEST_NAME, is_field_name

SAMPLE_BYTES = 65_536
"""What is looked at to find the encoding."""

LONGEST_CELL = 100_000
"""Characters."""

LONGEST_RECORD = 1_000_000
"""Characters of one row, with the line ends in its quotes: what an import holds in memory at a time."""

MOST_COLUMNS = 1_000

DELIMITERS = ",;\t"

MOST_REREAD = 20_000_000
"""Characters that may be read a second time because a quote before them was not closed; more is no CSV."""

SYNONYMS = {
    "email": ("email", "e mail", "mail", "email address", "e mail address", "emailaddress", "mail address"),
    "first_name": ("first name", "firstname", "given name", "forename", "fname"),
    "last_name": ("last name", "lastname", "surname", "family name", "lname"),
    "company": ("company", "company name", "companyname", "organization", "organisation"),
    "source": ("source",),
    "lawful_basis": ("lawful basis",),
    "consent_at": ("consent at",),
}
"""How people head the columns we know: lower case, with one blank for any blanks, hyphens and underscores."""

_FIELDS_BY_HEADING = {heading: name for name, headings in SYNONYMS.items() for heading in headings}
_SEPARATORS = re.compile(r"[\s_-]+")
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")
_BROKEN = re.compile("[\ud800-\udfff]")
_QUOTED = re.compile(r'"[^"]*"')
# Excel's own first line, which names the delimiter of the lines below.
_EXCEL_HINT = re.compile(r'"?sep=([,;\t|])"?\s*', re.IGNORECASE)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

_BAD_QUOTES = "A quotation mark is not closed, or has text behind it; write a quotation mark inside a cell twice."
_LONG_CELL = f"A cell has more than {LONGEST_CELL:,} characters; is a quotation mark not closed?"
_LONG_RECORD = f"The row has more than {LONGEST_RECORD:,} characters; is a quotation mark not closed?"


class CsvRefused(ValueError):
    """The whole file cannot be imported; the message says what to do about it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One contact: the number of the row's first line, from 1, and its cells by field, without the empty ones."""

    line_number: int
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class RowError:
    """A row that cannot be read. `field` is the column meant, or empty where the row as a whole is."""

    line_number: int
    field: str
    message: str


def read_csv(
    chunks: Iterable[bytes], *, guess_encoding: Callable[[bytes], str | None] | None = None
) -> tuple[tuple[str, ...], Iterator[Row | RowError]]:
    """The columns, as field names ("" for one without a heading), and the rows below them.

    `chunks` are the file's bytes in pieces of any size. `guess_encoding` is asked for the codec of text that is
    neither UTF-8 nor UTF-16; without it, or without an answer, Windows-1252 is taken. Raises CsvRefused: at once for
    what is wrong with the encoding or the header; between rows for text that is cut off, or quotes that are a mess.
    """
    lines = _Lines(_decoded(iter(chunks), guess_encoding))
    delimiter = _find_delimiter(lines)
    records = _records(lines, delimiter)
    header = next(records, None)
    if header is None:
        raise CsvRefused("The file is empty.")
    if isinstance(header, RowError):
        raise CsvRefused(f"The header on line {header.line_number} cannot be read: {header.message}")
    columns = _name_columns(header[1])
    return columns, (_as_row(record, columns) for record in records)


def escape_cell(value: str) -> str:
    """`value` for an export: what a spreadsheet would run as a formula becomes text by an apostrophe before it."""
    return f"'{value}" if value.startswith(_FORMULA) else value


# -- Bytes to lines


def _decoded(chunks: Iterator[bytes], guess_encoding: Callable[[bytes], str | None] | None) -> Iterator[str]:
    """The text with `\\n` as its only line end; bytes that are no text become lone surrogates."""
    beginning = bytearray()
    for chunk in chunks:
        beginning += chunk
        if len(beginning) >= SAMPLE_BYTES:
            break
    encoding = _find_encoding(bytes(beginning[:SAMPLE_BYTES]), guess_encoding)
    errors = "surrogatepass" if encoding.startswith("utf-16") else "surrogateescape"
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(errors), translate=True)
    try:
        for chunk in chain([bytes(beginning)], chunks):
            yield decoder.decode(chunk)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise CsvRefused(f"The file is not readable as {encoding}. Save it as UTF-8.") from None


def _find_encoding(sample: bytes, guess_encoding: Callable[[bytes], str | None] | None) -> str:
    if sample.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise CsvRefused("The file is in UTF-32. Save it as UTF-8.")
    if sample.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if utf16 := _utf16_without_mark(sample):
        return utf16
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return _guessed(sample, guess_encoding)
    return "utf-8"


def _utf16_without_mark(sample: bytes) -> str:
    """Text of a Latin script in UTF-16 has a NUL in nearly every other place, and none between."""
    half = max(len(sample) // 2, 1)
    even, odd = sample[0::2].count(0) / half, sample[1::2].count(0) / half
    if max(even, odd) < 0.7 or min(even, odd) > 0.05:
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def _guessed(sample: bytes, guess_encoding: Callable[[bytes], str | None] | None) -> str:
    """The codec that was guessed, if ASCII stays ASCII in it; else that of Windows."""
    guess = (guess_encoding(sample) if guess_encoding else None) or "cp1252"
    plain = b'Email,"a";b\t+AGE-\n'
    try:
        usable = plain.decode(guess, "surrogateescape") == plain.decode("ascii")
    except (LookupError, UnicodeError):
        usable = False
    return guess if usable else "cp1252"


def _split(texts: Iterable[str]) -> Iterator[str]:
    """Lines with their `\\n`. Of a line that is longer than any record may be, only the beginning is kept."""
    rest: list[str] = []
    rest_size = 0
    for text in texts:
        *whole, tail = text.split("\n")
        for line in whole:
            yield ("".join(rest) + line if rest else line)[: LONGEST_RECORD + 1] + "\n"
            rest, rest_size = [], 0
        if rest_size <= LONGEST_RECORD:
            rest.append(tail)
            rest_size += len(tail)
    if rest_size:
        yield "".join(rest)[: LONGEST_RECORD + 1] + "\n"


# -- Lines to records


class _RecordTooLong(Exception):
    """A record has more characters than LONGEST_RECORD."""


class _Lines:
    """The lines for csv.reader, with a memory of those it took for the record it is in.

    `number` is that of the line last given out; `record` are the lines since begin_record.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.number = 0
        self.record: list[str] = []
        self._source = _split(texts)
        self._put_back: deque[str] = deque()
        self._record_size = 0
        self._reread = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._put_back.popleft() if self._put_back else next(self._source)
        self.number += 1
        self.record.append(line)
        self._record_size += len(line)
        if self._record_size > LONGEST_RECORD:
            raise _RecordTooLong
        return line

    def begin_record(self) -> None:
        """Forget the record before."""
        self.record = []
        self._record_size = 0

    def put_back(self, kept: int) -> None:
        """Give out the record's lines again, but for the first `kept`. Raises CsvRefused when that gets out of hand."""
        again = self.record[kept:]
        self._reread += sum(map(len, again))
        if self._reread > MOST_REREAD:
            raise CsvRefused(f"Too many quotation marks are not closed (line {self.number}). {_BAD_QUOTES}")
        self._put_back.extendleft(reversed(again))
        self.number -= len(again)


def _find_delimiter(lines: _Lines) -> str:
    """What Excel's hint says, else what the header has most of outside quotes. Only a hint is taken off `lines`."""
    try:
        while not next(lines).strip():
            lines.begin_record()
    except (StopIteration, _RecordTooLong):
        lines.put_back(0)
        return DELIMITERS[0]
    heading = lines.record[-1]
    if hint := _EXCEL_HINT.fullmatch(heading):
        return hint.group(1)
    lines.put_back(0)
    return max(DELIMITERS, key=_QUOTED.sub("", heading).count)


def _records(lines: _Lines, delimiter: str) -> Iterator[tuple[int, list[str]] | RowError]:
    """Each record that is not blank, with the number of its first line."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin_record()
        line_number = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, _RecordTooLong) as error:
            yield RowError(line_number, "", _sentence_for(error))
            lines.put_back(1)
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
        else:
            if any(cells):
                yield line_number, cells


def _sentence_for(error: Exception) -> str:
    if isinstance(error, _RecordTooLong):
        return _LONG_RECORD
    return _LONG_CELL if "field limit" in str(error) else _BAD_QUOTES


# -- Records to rows


def _name_columns(headings: list[str]) -> tuple[str, ...]:
    """The field of each column. Raises CsvRefused where two are the same, none is the email, or they are too many."""
    if len(headings) > MOST_COLUMNS:
        raise CsvRefused(f"The header has {len(headings):,} columns; at most {MOST_COLUMNS:,} are allowed.")
    columns = tuple(_name_column(heading, number) for number, heading in enumerate(headings, start=1))
    for number, name in enumerate(columns):
        if name and (first := columns.index(name)) < number:
            raise CsvRefused(
                f"Columns {first + 1} ({_shown(headings[first])}) and {number + 1} ({_shown(headings[number])}) "
                f"are both {name}; rename or remove one."
            )
    if "email" not in columns:
        shown = ", ".join(map(_shown, headings[:10]))
        raise CsvRefused(f"No column is headed Email; the first row has {shown}.")
    return columns


def _name_column(heading: str, number: int) -> str:
    """A field we know; else the heading itself, or what of it a merge tag can bear; empty for no heading."""
    heading = heading.strip("\ufeff \t\n\u00a0")
    if not heading:
        return ""
    if known := _FIELDS_BY_HEADING.get(_SEPARATORS.sub(" ", heading).strip().casefold()):
        return known
    name = heading if is_field_name(heading) else _simplified(heading) or f"column_{number}"
    return f"csv_{name}" if name.lower() in RESERVED_NAMES else name


def _simplified(heading: str) -> str:
    """`heading` in lower-case ASCII with underscores: "Größe (cm)" is grosse_cm; empty where nothing is left of it."""
    ascii_only = unicodedata.normalize("NFKD", heading.casefold()).encode("ascii", "ignore").decode("ascii")
    name = _NOT_IN_A_NAME.sub("_", ascii_only).strip("_")
    return f"_{name}"[:LONGEST_NAME] if name[:1].isdigit() else name[:LONGEST_NAME]


def _shown(heading: str) -> str:
    return ascii(heading[:40])


def _as_row(record: tuple[int, list[str]] | RowError, columns: tuple[str, ...]) -> Row | RowError:
    if isinstance(record, RowError):
        return record
    line_number, cells = record
    if len(cells) > len(columns) and any(cells[len(columns) :]):
        message = f"The row has {len(cells):,} cells, and the header {len(columns):,}; is one cell not in quotes?"
        return RowError(line_number, "", message)
    text = "".join(cells)
    # Rows longer than a cell may be, or with odd characters, are rare enough to be looked at cell by cell.
    if len(text) > LONGEST_CELL or "\0" in text or not text.isascii():
        for column, cell in zip(columns, cells, strict=False):
            if problem := _problem_of(cell):
                return RowError(line_number, column, problem)
    values = {column: value for column, cell in zip(columns, cells, strict=False) if column and (value := cell.strip())}
    return Row(line_number, values)


def _problem_of(cell: str) -> str:
    if len(cell) > LONGEST_CELL:
        return _LONG_CELL
    if "\0" in cell:
        return "The cell contains a NUL; remove it."
    if _BROKEN.search(cell):
        return "The cell is not readable text. Save the file as UTF-8."
    return ""
