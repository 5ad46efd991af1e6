"""Lists: newest first, in pages that a cursor continues without counting or skipping (contract: Ground rules)."""

import base64
import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import QueryDict

from ampout.api.fields import parse_uuid
from ampout.lib.errors import ValidationFailed

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1_000
LONGEST_CURSOR = 300
"""Characters; ours have about 90."""

ModelT = TypeVar("ModelT", bound=Model)


@dataclass(frozen=True, slots=True)
class Position:
    """The last row of a page: its time, and its id where several rows share that time."""

    at: datetime
    id: uuid.UUID


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What the caller asked for: so many rows, after this position."""

    limit: int
    after: Position | None


@dataclass(frozen=True, slots=True)
class Page(Generic[ModelT]):
    """Rows, and the cursor of the page after them; None when these are the last."""

    rows: list[ModelT]
    next_cursor: str | None


def read_page_request(query: QueryDict) -> PageRequest:
    """`limit` and `cursor` of a query string. Raises ValidationFailed."""
    cursor = query.get("cursor")
    return PageRequest(read_limit(query), None if cursor is None else _read_cursor(cursor))


def read_limit(query: QueryDict) -> int:
    """How many rows at most. Raises ValidationFailed."""
    text = query.get("limit")
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= LARGEST_LIMIT):
        raise ValidationFailed({"limit": [f"Must be a whole number between 1 and {LARGEST_LIMIT}."]})
    return int(text)


def _read_cursor(text: str) -> Position:
    position = _decode_cursor(text[:LONGEST_CURSOR])
    if position is None or position.at.tzinfo is None:
        sentence = "Not a cursor of this list. Take it from the `Link` header of the page before."
        raise ValidationFailed({"cursor": [sentence]})
    return position


def _decode_cursor(text: str) -> Position | None:
    try:
        at_text, id_text = json.loads(base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True))
        row_id = parse_uuid(id_text)
        return Position(datetime.fromisoformat(at_text), row_id) if row_id else None
    except (ValueError, TypeError, RecursionError):
        return None


def write_cursor(position: Position) -> str:
    """The opaque text of a position."""
    text = json.dumps([position.at.isoformat(), str(position.id)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode("ascii")


def page_of(rows: QuerySet[ModelT], asked: PageRequest, *, time_field: str = "created_at") -> Page[ModelT]:
    """One page of `rows`, newest first by `time_field`, then by id. One query."""
    if asked.after is not None:
        # Said so that the index is entered at the position, instead of being read up to it.
        beyond = Q(**{f"{time_field}__lt": asked.after.at}) | Q(pk__gt=asked.after.id)
        rows = rows.filter(beyond, **{f"{time_field}__lte": asked.after.at})
    found = list(rows.order_by(f"-{time_field}", "pk")[: asked.limit + 1])
    if len(found) <= asked.limit:
        return Page(found, None)
    last = found[asked.limit - 1]
    return Page(found[: asked.limit], write_cursor(Position(getattr(last, time_field), last.pk)))
