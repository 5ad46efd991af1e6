"""JSON of strangers (RFC 8259), read strictly, and within bounds that are looked at before anything is built.

The built-in reader goes one C frame deeper for each level, makes an object of two hundred bytes of every `{"":0}`, and
takes 1e999 for infinity; hence a look at the brackets first.
"""

import json
import math
import re
from typing import Any, NoReturn

DEEPEST = 32
"""Levels of objects and arrays; the deepest body of ours has six."""

MOST_VALUES = 200_000
"""Members, elements, objects and arrays of one text. Two megabytes of contacts with short fields have fewer."""

LONGEST_NUMBER = 400
"""Characters of a number: what is longer is no quantity, and reading it takes time that grows with the square."""

# A string, or a mark outside of all strings. Possessive: nothing is given back, so nothing has to be remembered of two
# megabytes of backslashes.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+|[\[\]{},]', re.DOTALL)
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_QUOTE = ord('"')


class InvalidJson(ValueError):
    """The text cannot be read; its message is a sentence for whoever sent it."""


def parse_json(content: bytes, *, halves: bool = False) -> Any:
    """What a JSON text in UTF-8 holds, a byte order mark aside. Raises InvalidJson.

    Refused are also: a name that an object has twice, NaN and the infinities, and what is deeper, longer or more than
    the bounds above. `halves` lets half of a surrogate pair through, which `text.storable` takes out.
    """
    _check_bounds(content)
    try:
        value = json.loads(
            content.decode("utf-8-sig"),
            object_pairs_hook=_distinct,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_whole,
        )
        # A half comes in by an escape alone, and no encoding can write it out again.
        if not halves and b"\\u" in content:
            json.dumps(value, ensure_ascii=False).encode()
    except InvalidJson:
        raise
    except (ValueError, RecursionError):
        raise InvalidJson("The body is not valid JSON in UTF-8.") from None
    return value


def _check_bounds(content: bytes) -> None:
    """Count what would be built, one mark after the other: this keeps nothing itself."""
    depth = values = 0
    for found in _TOKEN.finditer(content):
        mark = content[found.start()]
        if mark == _QUOTE:
            continue
        step = _STEP.get(mark, 0)
        depth += step
        values += step >= 0
        if depth > DEEPEST:
            raise InvalidJson(f"The body is nested deeper than {DEEPEST} levels.")
        if values > MOST_VALUES:
            raise InvalidJson(f"The body holds more than {MOST_VALUES:,} values. Send it in parts.")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidJson("The body names a field twice.")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJson(f"{name} is not JSON.")


def _finite(text: str) -> float:
    number = float(text) if len(text) <= LONGEST_NUMBER else math.inf
    if not math.isfinite(number):
        raise InvalidJson("A number in the body is too large, or has too many digits.")
    return number


def _whole(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise InvalidJson("A number in the body is too large, or has too many digits.")
    return int(text)
