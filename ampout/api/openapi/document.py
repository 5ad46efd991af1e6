"""The description of the API: OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1.html), made of the code's own tables.

What is taken comes from the field tables by which bodies are read, what is answered from `chapters`, which codes there
are from `codes`. The tests hold every answer that they see against it.
"""

import re
from collections import defaultdict
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ampout.api.fields import JsonSchema, describe_fields
from ampout.api.openapi import chapters
from ampout.api.openapi.codes import CODES, COMMON, ERROR, codes_of, error_with
from ampout.api.openapi.operations import Chapter, Operation
from ampout.api.openapi.samples import complete, path_of, sample_value, with_ids
from ampout.api.openapi.shapes import Shape, object_of
from ampout.api.scopes import scope_for
from ampout.lib.errors import envelope

VERSION = "1.0.0"
"""Of the contract, not of the program."""
INTRODUCTION = Path(__file__).with_name("introduction.md")
CODES_MARK = "<!-- codes -->"
BEARER = "bearer"
_LINK = re.compile(r"\[([^\]]+)\]\((?:\.\./|#|presets)[^)]*\)")
"""A link of Markdown to another of our pages."""
_INTEGER = {"type": "integer"}
_HEADERS: dict[str, dict[str, Any]] = {
    "Link": {"description": 'The address of the next page, with `rel="next"`.', "schema": {"type": "string"}},
    "Idempotent-Replayed": {
        "description": "`true` where this is the first answer to this Idempotency-Key, given again.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Retry-After": {"description": "Seconds until it may go on.", "schema": _INTEGER},
    "RateLimit-Limit": {"description": "Requests in a window.", "schema": _INTEGER},
    "RateLimit-Remaining": {"description": "How many of them are left.", "schema": _INTEGER},
    "RateLimit-Reset": {"description": "Seconds until the window ends.", "schema": _INTEGER},
    "RateLimit-Policy": {"description": "The limit and the length of the window.", "schema": {"type": "string"}},
    "RateLimit": {"description": "What is left, and for how long.", "schema": {"type": "string"}},
}
_PAGE_CONTENT = {"text/html": {"schema": {"type": "string"}}}
_TOO_LONG = {
    "414": {"description": "The address is too long, says the web server, before we see it.", "content": _PAGE_CONTENT},
    "431": {"description": "The headers are too long, says the web server.", "content": _PAGE_CONTENT},
}
_BY_THE_SERVER = {status: {"$ref": f"#/components/responses/{status}"} for status in _TOO_LONG}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes the call safe to repeat for 24 hours: see the introduction.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
}


@cache
def description() -> dict[str, Any]:
    """The whole description, as plain JSON values."""
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Ampout",
            "version": VERSION,
            "summary": "Multi-step email outreach through one's own SMTP accounts.",
            "description": INTRODUCTION.read_text(encoding="utf-8").replace(CODES_MARK, _codes_table()),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [_tag(chapter) for chapter in chapters.ALL],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                BEARER: {"type": "http", "scheme": "bearer", "description": "A key of the account, `ak_live_…`."}
            },
            "schemas": {shape.name: shape.schema for shape in (ERROR, *chapters.SHAPES)} | _body_schemas(),
            "responses": _common_responses() | _TOO_LONG,
            "headers": _HEADERS,
        },
    }


def _codes_table() -> str:
    rows = [f"| {status} | `{code}` | {meaning} |" for code, (status, meaning) in CODES.items()]
    return "\n".join(["| status | code | means |", "|---|---|---|", *rows])


def _tag(chapter: Chapter) -> dict[str, str]:
    return {"name": chapter.name} | ({"description": chapter.text.strip()} if chapter.text else {})


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = defaultdict(dict)
    for chapter in chapters.ALL:
        for operation in chapter.operations:
            paths[operation.path][operation.method.lower()] = _describe(operation, chapter.name)
    return dict(paths)


def _describe(operation: Operation, tag: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation_id(operation),
        "tags": [tag],
        "summary": operation.summary,
        "description": operation.text.strip(),
        "parameters": _parameters(operation),
        "responses": _responses(operation),
        "security": [] if operation.public else [{BEARER: [_scope(operation)]}],
        "x-example": _example(operation),
    }
    body = _request_body(operation)
    return described | ({"requestBody": body} if body else {})


def operation_id(operation: Operation) -> str:
    """A name for the call that programs can use: `post_campaigns_campaign_id_dispatch`."""
    return operation.method.lower() + re.sub(r"\W+", "_", operation.path).rstrip("_")


def _scope(operation: Operation) -> str:
    return scope_for(operation.method, re.sub(r"\{(\w+)\}", r"<str:\1>", operation.path.removeprefix("/"))).value


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    in_path = [_path_parameter(operation, name) for name in re.findall(r"\{(\w+)\}", operation.path)]
    in_query = [_query_parameter(operation, name, kind) for name, kind in operation.parameters.items()]
    return in_path + in_query + ([_IDEMPOTENCY_KEY] if operation.repeatable else [])


def _path_parameter(operation: Operation, name: str) -> dict[str, Any]:
    is_id = name.endswith("_id")
    schema = {"type": "string"} | ({"format": "uuid"} if is_id else {"minLength": 1})
    sample = sample_value(operation, name)
    return {"name": name, "in": "path", "required": True, "schema": schema, "example": sample}


def _query_parameter(operation: Operation, name: str, kind: JsonSchema) -> dict[str, Any]:
    schema = {key: value for key, value in kind.items() if key != "description"}
    parameter = {"name": name, "in": "query", "required": False, "schema": schema}
    if "description" in kind:
        parameter["description"] = kind["description"]
    if name in operation.example.query:
        parameter["example"] = with_ids(operation.example.query[name])
    return parameter


def _request_body(operation: Operation) -> dict[str, Any] | None:
    if operation.foreign:
        return {"required": False, "content": {"application/json": {"schema": {}}}}
    if operation.body is None:
        return None
    content: dict[str, Any] = {"application/json": {"schema": _body_schema(operation)}}
    if operation.example.body is not None:
        content["application/json"]["example"] = with_ids(operation.example.body)
    if operation.upload is not None:
        form = _with_meanings(describe_fields(operation.upload), operation)
        content["multipart/form-data"] = {"schema": form}
    required = any(kind.required for kind in operation.body.values()) and not operation.partial
    return {"required": required, "content": content}


def _body_schema(operation: Operation) -> JsonSchema:
    """The fields alone, or inside an object with the resource's name."""
    bare = Shape(operation.body_name, {}).ref
    wrapped = object_of({operation.wrapper: bare})
    return {"anyOf": [bare, wrapped]}


def _body_schemas() -> dict[str, JsonSchema]:
    return {
        operation.body_name: _with_meanings(describe_fields(operation.body, partial=operation.partial), operation)
        for chapter in chapters.ALL
        for operation in chapter.operations
        if operation.body is not None
    }


def _with_meanings(schema: JsonSchema, operation: Operation) -> JsonSchema:
    properties = {
        name: kind
        | ({"description": operation.meanings[name]} if name in operation.meanings else {})
        | ({"default": operation.defaults[name]} if name in operation.defaults and not operation.partial else {})
        for name, kind in schema["properties"].items()
    }
    return schema | {"properties": properties}


def _responses(operation: Operation) -> dict[str, Any]:
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in codes_of(operation):
        by_status[CODES[code][0]].append(code)
    refusals = {str(status): _refusal(operation, status, codes) for status, codes in sorted(by_status.items())}
    return {str(operation.status): _success(operation)} | refusals | _BY_THE_SERVER


def _refusal(operation: Operation, status: int, codes: list[str]) -> dict[str, Any]:
    own = [code for code in codes if code in operation.codes]
    if not own and not operation.public:
        return {"$ref": f"#/components/responses/{status}"}
    if operation.is_page and status == 404:
        return _refused_with(codes) | {"content": _PAGE_CONTENT}
    return _refused_with(codes, limited=not operation.public) | ({"x-own-codes": own} if own else {})


def _refused_with(codes: list[str], *, limited: bool = False) -> dict[str, Any]:
    """A refusal with one of these codes, which have one status; `limited` calls say what the key has left."""
    status = CODES[codes[0]][0]
    described: dict[str, Any] = {
        "description": ", ".join(f"`{code}`" for code in codes),
        "content": {"application/json": {"schema": error_with(codes), "example": _sample_refusal(codes[0])}},
    }
    headers = _limit_headers() if limited and status not in {400, 401} else {}
    if status == 429:
        headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
    return described | ({"headers": headers} if headers else {})


def _sample_refusal(code: str) -> dict[str, Any]:
    """Shown for it; a sample made of the schema would always be of the first code there is."""
    meaning = re.sub(r"[`\[\]]|\([^)]*\)", "", CODES[code][1].partition(";")[0])
    return envelope(code, f"{meaning[0].upper()}{meaning[1:]}.")


def _common_responses() -> dict[str, Any]:
    """What calls with a key are refused with, whatever they do."""
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in COMMON:
        by_status[CODES[code][0]].append(code)
    return {str(status): _refused_with(codes, limited=True) for status, codes in sorted(by_status.items())}


def _success(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(operation.status).phrase}
    headers = {} if operation.public else _limit_headers()
    if operation.paged or operation.path == "/events":
        headers["Link"] = {"$ref": "#/components/headers/Link"}
    if operation.repeatable:
        headers["Idempotent-Replayed"] = {"$ref": "#/components/headers/Idempotent-Replayed"}
    if headers:
        described["headers"] = headers
    if operation.answer is not None:
        described["content"] = {operation.answer_type: _content(operation)}
    return described


def _content(operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": operation.answer}
    if operation.answer_type == "application/json" and operation.example.refused is None:
        content["example"] = answer_of(operation)
    return content


def answer_of(operation: Operation) -> Any:
    """The answer of the example, in full."""
    shapes = {shape.name: shape.schema for shape in chapters.SHAPES}
    answer = complete(operation.answer or {}, with_ids(operation.example.answer), shapes)
    asked_for = re.findall(r"\{(\w+_id)\}", operation.path)
    if asked_for and operation.status == 200 and isinstance(answer, dict) and "id" in answer:
        # What is made has an id of its own; all else answers what was asked for.
        answer["id"] = sample_value(operation, asked_for[-1])
    return answer


def _limit_headers() -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS if name.startswith("RateLimit")}


def _example(operation: Operation) -> dict[str, Any]:
    """The example as one call: what is asked, and what is answered."""
    query = "&".join(f"{name}={with_ids(value)}" for name, value in operation.example.query.items())
    shown: dict[str, Any] = {"path": path_of(operation) + (f"?{query}" if query else ""), "status": operation.status}
    if operation.example.body is not None:
        shown["body"] = with_ids(operation.example.body)
    if operation.example.refused is not None:
        shown["status"] = operation.example.refused[0]
    elif operation.answer is not None and operation.answer_type == "application/json":
        shown["answer"] = answer_of(operation)
    return shown


def published() -> dict[str, Any]:
    """The description for other programs: without what the page alone needs, and without links into our pages."""
    plain: dict[str, Any] = _plain(description())
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items() if not name.startswith("x-")}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return _LINK.sub(r"\1", value) if isinstance(value, str) else value
