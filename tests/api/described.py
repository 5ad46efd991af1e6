"""Every answer that a test sees, held against the description of the API.

The description is what clients are built from: a status, a field or a value that it does not know is a fault of one of
the two.
"""

import re
from functools import cache
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

from ampout.api.openapi.document import description

METHODS_OF_ALL = frozenset({"HEAD", "OPTIONS"})
OUTSIDE = frozenset({404, 405})
"""What is answered where there is no such route or method."""


@cache
def _operations() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    # A path with fewer parameters is the better match: `/contacts/unsubscribe` is no contact.
    paths = sorted(description()["paths"].items(), key=lambda entry: entry[0].count("{"))
    return [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), methods) for path, methods in paths]


def find_operation(method: str, path: str) -> dict[str, Any] | None:
    """What is said of a call; None where nothing is."""
    for pattern, methods in _operations():
        if pattern.fullmatch(path):
            found: dict[str, Any] | None = methods.get(method.lower())
            return found
    return None


def problems(method: str, path: str, response: Any) -> list[str]:
    """Where an answer is not as described."""
    operation = find_operation(method, unquote(path.partition("?")[0]))
    if operation is None:
        return [] if method in METHODS_OF_ALL or response.status_code in OUTSIDE else [f"{method} {path} is unknown"]
    answer = operation["responses"].get(str(response.status_code))
    if answer is None:
        return [f"{method} {path} answers {response.status_code}, which is not described: {response.content!r:.300}"]
    return _of_answer(_resolved(answer), response)


def _of_answer(answer: dict[str, Any], response: Any) -> list[str]:
    expected = answer.get("content")
    if not expected:
        return ["there is a body, and none is described"] if response.content else []
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    if kind not in expected:
        return [f"the answer is {kind!r}, and described is {', '.join(expected)}"]
    if kind != "application/json":
        return []
    errors = _validator(str(expected[kind]["schema"]), expected[kind]["schema"]).iter_errors(response.json())
    return [f"{error.instance_path}: {error.message}"[:500] for error in errors]


_VALIDATORS: dict[str, Any] = {}


def _validator(name: str, schema: dict[str, Any]) -> Any:
    if name not in _VALIDATORS:
        whole = {"components": description()["components"]} | schema
        _VALIDATORS[name] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
    return _VALIDATORS[name]


def _resolved(answer: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in answer:
        found: dict[str, Any] = description()["components"]["responses"][answer["$ref"].rpartition("/")[2]]
        return found
    return answer
