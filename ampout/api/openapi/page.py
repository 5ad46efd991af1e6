"""The reference page of the API, in Markdown, made from the description."""

import json
from collections.abc import Iterator
from typing import Any

from ampout.api.fields import JsonSchema
from ampout.api.openapi.samples import is_null, resolve

HEAD = """# The API

<!-- Made by `manage.py describe_api` from the code; changes here are lost. -->

Every route, with its fields, an example and what can go wrong. The examples are called by the tests. The same is at
`/openapi.json` of every server as OpenAPI 3.1, to read and try out at `/docs` (Swagger UI) and `/redoc` (Redoc), and in
the file [openapi.json](openapi.json).

"""
REQUESTS = ("Request", "Patch", "NoFields")
"""What names of bodies end in; their tables stand with their routes."""
WIDTH = 110
"""Characters of an example's lines."""


def render(description: dict[str, Any]) -> str:
    """The whole page."""
    shapes = description["components"]["schemas"]
    parts = [HEAD, description["info"]["description"].strip(), "\n"]
    for tag in description["tags"]:
        parts.append(f"\n## {tag['name']}\n")
        if "description" in tag:
            parts.append(f"\n{tag['description']}\n")
        for path, method, operation in _operations(description, tag["name"]):
            parts.append(_render_operation(method, path, operation, shapes))
    parts.append(_render_shapes(shapes))
    return "".join(parts)


def _operations(description: dict[str, Any], tag: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            if operation["tags"] == [tag]:
                yield path, method.upper(), operation


def _render_operation(method: str, path: str, operation: dict[str, Any], shapes: dict[str, JsonSchema]) -> str:
    parts = [f"\n### `{method} {path}`\n\n{operation['summary']}.\n"]
    if operation["description"]:
        parts.append(f"\n{operation['description']}\n")
    parts += [_fields_table(operation, shapes), _query_table(operation, shapes)]
    parts += [_example(method, operation), _answers(operation)]
    return "".join(parts)


def _fields_table(operation: dict[str, Any], shapes: dict[str, JsonSchema]) -> str:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    bare = resolve(content.get("anyOf", [{}])[0], shapes)
    if not bare.get("properties"):
        return ""
    required = bare.get("required", [])
    rows = [
        (name, value_of(kind, shapes) + (", required" if name in required else ""), kind.get("description", ""))
        for name, kind in bare["properties"].items()
    ]
    return _table("field", rows)


def _query_table(operation: dict[str, Any], shapes: dict[str, JsonSchema]) -> str:
    asked = [parameter for parameter in operation["parameters"] if parameter["in"] == "query"]
    rows = [(one["name"], value_of(one["schema"], shapes), one.get("description", "")) for one in asked]
    return _table("query", rows) if rows else ""


def _table(head: str, rows: list[tuple[str, str, str]]) -> str:
    lines = "".join(f"| `{name}` | {value} | {meaning} |\n" for name, value, meaning in rows)
    return f"\n| {head} | value | meaning |\n|---|---|---|\n{lines}"


def value_of(schema: JsonSchema, shapes: dict[str, JsonSchema]) -> str:
    """A schema in a few words: `0 to 86400; 120 unless given`."""
    described = _kind_of(schema, shapes)
    if "default" in schema:
        described += f"; `{json.dumps(schema['default'], ensure_ascii=False)}` unless given"
    return described


def _kind_of(schema: JsonSchema, shapes: dict[str, JsonSchema]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "not" in schema:
        return "nothing"
    given = schema.get("type", "anything")
    kinds = [given] if isinstance(given, str) else given
    words = [_word_of(kind, schema, shapes) for kind in kinds if kind != "null"]
    if "anyOf" in schema:
        words = [_kind_of(option, shapes) for option in schema["anyOf"] if not is_null(option)]
    return " or ".join([*words, *(["null"] if _allows_null(schema) else [])])


def _allows_null(schema: JsonSchema) -> bool:
    kinds = schema.get("type", ())
    return kinds == "null" or "null" in kinds or any(is_null(option) for option in schema.get("anyOf", ()))


def _word_of(kind: str, schema: JsonSchema, shapes: dict[str, JsonSchema]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"] if word is not None)
    if kind == "array":
        return f"list of {_kind_of(schema['items'], shapes)}"
    if kind in {"integer", "number"}:
        return _bounds(kind, schema)
    if kind == "string" and "format" not in schema and "maxLength" in schema:
        return f"text up to {schema['maxLength']:,} characters"
    names = {"uuid": "id", "date-time": "time", "date": "date", "email": "address", "idn-hostname": "domain"}
    by_format = {"password": f"secret text up to {schema.get('maxLength', 0):,} characters"}
    return (names | by_format).get(schema.get("format", ""), {"string": "text", "boolean": "flag"}.get(kind, kind))


def _bounds(kind: str, schema: JsonSchema) -> str:
    if "maximum" in schema:
        return f"{schema['minimum']:,} to {schema['maximum']:,}"
    return f"{kind} from {schema['minimum']}" if "minimum" in schema else kind


def _example(method: str, operation: dict[str, Any]) -> str:
    shown = operation["x-example"]
    body = f" {dumps(shown['body'])}" if "body" in shown else ""
    answer = f" {dumps(shown['answer'])}" if "answer" in shown else ""
    return f"\n```\n{method} {shown['path']}{body}\n{shown['status']}{answer}\n```\n"


def dumps(value: Any, indent: int = 0) -> str:
    """JSON that is as wide as a page: what fits into a line stands in one."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= WIDTH or not value or not isinstance(value, dict | list):
        return flat
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        lines = [f"{inner}{json.dumps(name)}: {dumps(member, indent + 2)}" for name, member in value.items()]
        return "{\n" + ",\n".join(lines) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(inner + dumps(item, indent + 2) for item in value) + "\n" + " " * indent + "]"


def _answers(operation: dict[str, Any]) -> str:
    own = [code for answer in operation["responses"].values() for code in answer.get("x-own-codes", ())]
    shape = _answered_shape(operation)
    sentences = ([f"Answers {shape}."] if shape else []) + ([f"Refused with {_listed(own)}."] if own else [])
    return f"\n{' '.join(sentences)}\n" if sentences else ""


def _answered_shape(operation: dict[str, Any]) -> str:
    success = next(answer for status, answer in operation["responses"].items() if status < "4")
    schema = success.get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        return f"one {_kind_of(schema, {})}"
    return f"a {_kind_of(schema, {})}" if "$ref" in schema.get("items", {}) else ""


def _listed(codes: list[str]) -> str:
    return ", ".join(f"`{code}`" for code in codes)


def _render_shapes(shapes: dict[str, JsonSchema]) -> str:
    parts = ["\n## What is answered\n\nEvery field is always there; what is not known is null.\n"]
    for name, schema in shapes.items():
        if name.endswith(REQUESTS):
            continue
        parts.append(f"\n### {name}\n\n| field | value |\n|---|---|\n")
        properties = resolve(schema, shapes)["properties"]
        parts += [f"| `{field}` | {value_of(kind, shapes)} |\n" for field, kind in properties.items()]
    return "".join(parts)
