"""The shapes of answers, as JSON Schema (draft 2020-12): what the `show_…` functions of the resources return.

Every field of an answer is always there and no other is, so clients need not ask whether a field exists; what is not
known is null. A shape that has a name becomes a component of the description and is referred to.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ampout.api.fields import JsonSchema

ID: JsonSchema = {"type": "string", "format": "uuid"}
TIME: JsonSchema = {"type": "string", "format": "date-time", "examples": ["2026-11-22T07:47:41Z"]}
DATE: JsonSchema = {"type": "string", "format": "date", "examples": ["2026-11-22"]}
TEXT: JsonSchema = {"type": "string"}
FLAG: JsonSchema = {"type": "boolean"}
COUNT: JsonSchema = {"type": "integer", "minimum": 0}
NUMBER: JsonSchema = {"type": "number"}
PERCENT: JsonSchema = {"type": "number", "minimum": 0, "maximum": 100}
EMAIL: JsonSchema = {"type": "string", "examples": ["max@example.com"]}
"""As it was given: other servers' addresses are not judged in answers."""
OBJECT: JsonSchema = {"type": "object"}


@dataclass(frozen=True, slots=True)
class Shape:
    """A schema with a name of its own."""

    name: str
    schema: JsonSchema

    @property
    def ref(self) -> JsonSchema:
        """A reference to it."""
        return {"$ref": f"#/components/schemas/{self.name}"}


def object_of(properties: Mapping[str, JsonSchema]) -> JsonSchema:
    """An object of exactly these fields."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def counts_by(words: Iterable[str]) -> JsonSchema:
    """An object with a number for each of these words."""
    return object_of({str(word): COUNT for word in words})


def map_of(values: JsonSchema) -> JsonSchema:
    """An object of any names, whose values are of one kind."""
    return {"type": "object", "additionalProperties": values}


def list_of(items: JsonSchema) -> JsonSchema:
    """An array."""
    return {"type": "array", "items": items}


def one_of(words: Iterable[str]) -> JsonSchema:
    """One of these words."""
    return {"type": "string", "enum": [str(word) for word in words]}


def or_null(schema: JsonSchema) -> JsonSchema:
    """The same, or null."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    nullable: dict[str, Any] = schema | {"type": [schema["type"], "null"]}
    return nullable | {"enum": [*schema["enum"], None]} if "enum" in schema else nullable
