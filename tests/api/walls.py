"""Two accounts side by side, and what one of them gets to see: answers, the statements behind them, the rows after."""

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection, transaction
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from ampout.api.fields import Field, Id, Schema
from ampout.api.resources import Resource
from tests.api.answers import NOBODY
from tests.api.holdings import Holdings, body_of
from tests.api.routes import path_to
from tests.api.unchanged import every_table, fingerprint
from tests.conftest import ApiClient

Path = tuple[str, ...]
"""Where a value stands in a body: names, indexes, and `*` for every item of a list."""

_SAVEPOINT = re.compile(r"s\d+_x\d+")


@dataclass(frozen=True)
class Answer:
    """What a call got, what it asked of the database, and every row after it."""

    status: int
    content: bytes
    statements: tuple[str, ...]
    rows: Mapping[str, str | None] = dataclasses.field(repr=False)

    def says(self) -> tuple[int, str | None]:
        """Status and code of a refusal; no code where there is no body."""
        return self.status, json.loads(self.content)["code"] if self.content else None


@dataclass(frozen=True)
class Seen:
    """What a call read: the schemas of its body, and names in its query string."""

    schemas: list[Schema]
    names: set[str]


@dataclass(frozen=True)
class World:
    """Alice calls. She has two of everything, `ours` and `cousins`; Bob has `theirs`. No call leaves a trace."""

    api: ApiClient
    ours: Holdings
    cousins: Holdings
    theirs: Holdings
    their_words: tuple[str, ...]
    rows: Mapping[str, str | None]

    def call(
        self,
        method: str,
        route: str,
        *,
        ids: Holdings | None = None,
        body: dict[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Alice's call with the ids of `ids` for her own, and with the body that it takes; it is undone after."""
        path = path_to(route, {**self.ours, **(ids or {})}) + (f"?{urlencode(query)}" if query else "")
        given = body_of(method, route, self.ours) if body is None else body
        return self.undone(lambda: self.api.send(method, path, given))

    def undone(self, call: Callable[[], Any]) -> Answer:
        """What a call got and did, which is taken back."""
        statements: list[str] = []

        def note(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
            statements.append(_SAVEPOINT.sub("savepoint", sql))
            return execute(sql, *arguments)

        with transaction.atomic():
            with connection.execute_wrapper(note):
                response = call()
            rows = fingerprint(every_table())
            transaction.set_rollback(True)
        return Answer(response.status_code, response.content, tuple(statements), rows)

    def watch(self, method: str, route: str, query: Mapping[str, str] | None = None) -> Seen:
        """What Alice's own call reads of its body and its query string."""
        seen = Seen([], set())
        with recorded(seen):
            self.call(method, route, query=query)
        return seen

    def assert_same(self, foreign: Answer, missing: Answer) -> None:
        """Somebody else's object is answered as none is, by the same statements, and nothing changes."""
        self.assert_alike(foreign, missing)
        assert foreign.statements == missing.statements

    def assert_alike(self, misplaced: Answer, missing: Answer) -> None:
        """Something in the wrong place is answered as none is, and nothing changes."""
        assert (misplaced.status, misplaced.content) == (missing.status, missing.content)
        assert misplaced.rows == missing.rows == self.rows


@contextmanager
def recorded(seen: Seen) -> Iterator[None]:
    """Note the schemas by which bodies are read, and the names that are looked for in query strings."""
    read, look_up, look_up_all = Resource.read, MultiValueDict.__getitem__, MultiValueDict.getlist

    def reading(resource: Resource, name: str, schema: Schema, *, partial: bool = False) -> dict[str, Any]:
        seen.schemas.append(schema)
        return read(resource, name, schema, partial=partial)

    def looking(values: Any, name: str) -> Any:
        _note(seen, values, name)
        return look_up(values, name)

    def looking_for_all(values: Any, name: str, default: Any = None) -> Any:
        _note(seen, values, name)
        return look_up_all(values, name, default)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Resource, "read", reading)
        patch.setattr(MultiValueDict, "__getitem__", looking)
        patch.setattr(MultiValueDict, "getlist", looking_for_all)
        yield


def _note(seen: Seen, values: object, name: str) -> None:
    if isinstance(values, QueryDict):
        seen.names.add(name)


# -- Ids in bodies


def id_fields(schema: Schema) -> Iterator[tuple[Path, Id]]:
    """Every field of a schema that is an id, and where it stands."""
    for name, kind in schema.items():
        for path, found in _ids_within(kind):
            yield (name, *path), found


def is_schema(value: object) -> bool:
    """Whether this is a table of fields."""
    return isinstance(value, Mapping) and bool(value) and all(isinstance(kind, Field) for kind in value.values())


def _ids_within(kind: Field) -> Iterator[tuple[Path, Id]]:
    if isinstance(kind, Id):
        yield (), kind
    for attribute in dataclasses.fields(kind):
        value = getattr(kind, attribute.name)
        if isinstance(value, Field):
            for path, found in _ids_within(value):
                yield ("*", *path), found
        elif is_schema(value):
            yield from id_fields(value)


def places(body: Any, path: Path) -> list[Path]:
    """Where in this body a path leads: once for every item of a list that has it."""
    if not path:
        return [()]
    name, rest = path[0], path[1:]
    if isinstance(body, dict):
        return [(name, *place) for place in places(body[name], rest)] if name in body else []
    return [(str(index), *place) for index, item in enumerate(body) for place in places(item, rest)]


def value_at(body: Any, place: Path) -> Any:
    """The value at a place."""
    for name in place:
        body = body[int(name) if isinstance(body, list) else name]
    return body


def with_value(body: Any, place: Path, value: Any) -> Any:
    """The same body with another value at a place."""
    if not place:
        return value
    inner = partial(with_value, place=place[1:], value=value)
    if isinstance(body, list):
        return [inner(item) if str(index) == place[0] else item for index, item in enumerate(body)]
    return {name: inner(item) if name == place[0] else item for name, item in body.items()}


def beside(body: Any, place: Path, value: str) -> Any:
    """The same body with another value in the list that a place is in."""
    return with_value(body, place[:-1], [*value_at(body, place[:-1]), value])


def names_of(value: str, own: Holdings) -> list[str]:
    """What of our holdings this is the id of."""
    return [name for name, held in own.items() if held == value]


def swapped(names: tuple[str, ...], holder: Holdings | None = None) -> Holdings:
    """These ids of somebody's, or ids of nothing."""
    return {name: holder[name] if holder else str(NOBODY) for name in names}
