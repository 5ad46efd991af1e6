"""Filters of lists: one value of a query string each, read as strictly as a body."""

import uuid
from enum import StrEnum
from typing import TypeVar

from django.http import QueryDict

from ampout.api.fields import LARGEST_INTEGER, NO_OBJECT, parse_uuid
from ampout.lib.errors import ValidationFailed

WordT = TypeVar("WordT", bound=StrEnum)


def read_word(query: QueryDict, name: str, words: type[WordT]) -> WordT | None:
    """One of `words`; None when the query does not name it. Raises ValidationFailed."""
    text = query.get(name)
    if text is None:
        return None
    if text not in [word.value for word in words]:
        raise ValidationFailed({name: [f"Must be one of: {', '.join(words)}."]})
    return words(text)


def read_number(query: QueryDict, name: str, *, smallest: int = 0, largest: int = LARGEST_INTEGER) -> int | None:
    """A whole number within bounds, both included; None when the query does not name it. Raises ValidationFailed."""
    text = query.get(name)
    if text is None:
        return None
    is_number = text.isascii() and text.isdecimal() and len(text) <= 10
    if not (is_number and smallest <= int(text) <= largest):
        raise ValidationFailed({name: [f"Must be a whole number between {smallest} and {largest}."]})
    return int(text)


def read_id(query: QueryDict, name: str) -> uuid.UUID | None:
    """An id; a text that is none is read as the id of nothing. None when the query does not name it."""
    text = query.get(name)
    return None if text is None else parse_uuid(text) or NO_OBJECT
