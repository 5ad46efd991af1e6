"""JSON of strangers: read strictly, and refused before it costs memory, time or the stack."""

import contextlib
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampout.lib.json_text import DEEPEST, LONGEST_NUMBER, MOST_VALUES, InvalidJson, parse_json

TWO_MEGABYTES = 2 * 1024 * 1024
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(values, st.booleans())
def test_what_json_can_say_is_read_as_it_was_written(value: object, ascii_only: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=200) | st.text('[]{}",:0\\u eE.-tn').map(str.encode))
def test_anything_else_is_refused_and_never_a_fault(content: bytes) -> None:
    with contextlib.suppress(InvalidJson):
        parse_json(content)


REFUSED = {
    "nothing": (b"", "valid JSON"),
    "invalid UTF-8": (b'"\xff"', "valid JSON"),
    "an encoded surrogate": (b'"\xed\xa0\x80"', "valid JSON"),
    "half of a pair": (b'["\\ud800"]', "valid JSON"),
    "a raw NUL": (b'"nul \x00"', "valid JSON"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "valid JSON"),
    "a second value": (b"{} {}", "valid JSON"),
    "a name twice": (b'{"a": 1, "\\u0061": 2}', "twice"),
    "a name twice, deep": (b'[{"b": {"a": 1, "a": 1}}]', "twice"),
    "NaN": (b"[NaN]", "NaN is not JSON"),
    "Infinity": (b"Infinity", "Infinity is not JSON"),
    "minus infinity": (b'{"a": -Infinity}', "-Infinity is not JSON"),
    "an infinite number": (b"[1e999]", "too large"),
    "a number of too many digits": (b"9" * (LONGEST_NUMBER + 1), "too many digits"),
    "a number of a million digits": (b"[" + b"9" * 1_000_000 + b"]", "too many digits"),
    "a fraction of a million digits": (b"[0." + b"9" * 1_000_000 + b"]", "too many digits"),
    "one level too deep": (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), f"deeper than {DEEPEST}"),
    "objects too deep": (b'{"a":' * 1_000 + b"1" + b"}" * 1_000, f"deeper than {DEEPEST}"),
    "deep and never closed": (b"[" * 100_000, f"deeper than {DEEPEST}"),
    "two megabytes deep": (b"[" * TWO_MEGABYTES, f"deeper than {DEEPEST}"),
    "too many elements": (b"[" + b"0," * MOST_VALUES + b"0]", "more than 200,000 values"),
    "too many members": (b"{" + b",".join(b'"%x":0' % i for i in range(MOST_VALUES + 1)) + b"}", "200,000 values"),
    "too many objects": (b"[" + b"{}," * (MOST_VALUES // 2) + b"0]", "more than 200,000 values"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_a_sentence(name: str) -> None:
    content, words = REFUSED[name]
    with pytest.raises(InvalidJson, match=words):
        parse_json(content)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\u0000"', "\x00"),
        (b'"[[[[{{{{,,,,' + b"[" * 100 + b'\\"["', "[[[[{{{{,,,," + "[" * 100 + '"['),
        (b"[" * DEEPEST + b"]" * DEEPEST, json.loads("[" * DEEPEST + "]" * DEEPEST)),
        (b"[" + b"[]," * 1_000 + b"0]", [*[[]] * 1_000, 0]),
        (b"9" * LONGEST_NUMBER, int("9" * LONGEST_NUMBER)),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_only_looks_too_much_is_read(content: bytes, value: object) -> None:
    assert parse_json(content) == value


def test_half_of_a_pair_may_be_let_through() -> None:
    assert parse_json(b'["\\ud800"]', halves=True) == ["\ud800"]


@pytest.mark.parametrize("unit", [b"[]", b'{"":0},', b"\\", b'"', b"9"])
def test_two_megabytes_of_anything_are_refused_in_little_memory(unit: bytes) -> None:
    content = (b"[" + unit * (TWO_MEGABYTES // len(unit)))[:TWO_MEGABYTES]
    tracemalloc.start()
    try:
        with pytest.raises(InvalidJson):
            parse_json(content)
        assert tracemalloc.get_traced_memory()[1] < 24 * TWO_MEGABYTES
    finally:
        tracemalloc.stop()
