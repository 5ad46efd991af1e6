"""Examples in full: what an operation's example leaves out is filled in from the shape of its answer."""

import re
from collections.abc import Mapping
from typing import Any

from ampout.api.fields import JsonSchema
from ampout.api.openapi.operations import Operation, sample_id

_BY_FORMAT = {"date-time": "2026-11-22T07:47:41Z", "date": "2026-11-22", "email": "max@example.com"}
_BY_TYPE: dict[str, Any] = {"integer": 0, "number": 0.0, "boolean": False, "null": None, "string": ""}
_NAME = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")
"""`{campaign}`; merge tags have two braces."""


def with_ids(value: Any) -> Any:
    """The value with `{name}` replaced by the sample id of that name."""
    if isinstance(value, str):
        return _NAME.sub(lambda found: sample_id(found.group(1)), value)
    if isinstance(value, Mapping):
        return {name: with_ids(member) for name, member in value.items()}
    return [with_ids(item) for item in value] if isinstance(value, list | tuple) else value


def complete(schema: JsonSchema, shown: Any, shapes: Mapping[str, JsonSchema]) -> Any:
    """`shown` with the fields that it leaves out; None stands for all of it where the schema takes no null."""
    schema = resolve(schema, shapes)
    if shown is None:
        return None if _takes_null(schema) else sample_of(schema, shapes)
    if isinstance(shown, Mapping) and "properties" in schema:
        filled = {
            name: complete(kind, shown[name], shapes) if name in shown else sample_of(kind, shapes, name)
            for name, kind in schema["properties"].items()
        }
        return filled | {name: value for name, value in shown.items() if name not in filled}
    if isinstance(shown, list | tuple) and "items" in schema:
        return [complete(schema["items"], item, shapes) for item in shown]
    return shown


def sample_of(schema: JsonSchema, shapes: Mapping[str, JsonSchema], name: str = "") -> Any:
    """A value that fits a schema; an id is that of the object that `name` tells of."""
    schema = resolve(schema, shapes)
    known = [*schema.get("examples", ()), *schema.get("enum", ())]
    if known:
        return known[0]
    if "anyOf" in schema:
        return sample_of(schema["anyOf"][0], shapes, name)
    given = schema.get("type", "object")
    kind = given if isinstance(given, str) else given[0]
    if kind == "object":
        return {member: sample_of(inner, shapes, member) for member, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [sample_of(schema["items"], shapes)] if "properties" in resolve(schema["items"], shapes) else []
    is_id = schema.get("format") == "uuid"
    return sample_id(name.removesuffix("_id") or "object") if is_id else _BY_FORMAT.get(_format(schema), _BY_TYPE[kind])


def _format(schema: JsonSchema) -> str:
    return str(schema.get("format", ""))


def path_of(operation: Operation) -> str:
    """The path of the example, with sample ids in it."""
    return re.sub(r"\{(\w+)\}", lambda found: sample_value(operation, found.group(1)), operation.path)


def sample_value(operation: Operation, parameter: str) -> str:
    """The value of a parameter of the example's path."""
    name = operation.example.ids.get(parameter, parameter.removesuffix("_id"))
    return name if parameter == "provider" else sample_id(name)


def resolve(schema: JsonSchema, shapes: Mapping[str, JsonSchema]) -> JsonSchema:
    """The schema itself, where it refers to a component."""
    return shapes[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _takes_null(schema: JsonSchema) -> bool:
    return "null" in schema.get("type", ()) or any(is_null(option) for option in schema.get("anyOf", ()))


def is_null(schema: JsonSchema) -> bool:
    """Whether a schema takes null alone."""
    return schema == {"type": "null"}
