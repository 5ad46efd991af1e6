"""The description of the API has every route, field and code, and its files say what the code does."""

import json
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from ampout.api.fields import describe_fields
from ampout.api.management.commands.describe_api import files
from ampout.api.openapi import chapters
from ampout.api.openapi.codes import CODES
from ampout.api.openapi.document import description, published
from ampout.api.openapi.operations import Operation
from ampout.lib.errors import AmpoutError
from campaigns.rules.campaign_state import CampaignRefusal

OPERATIONS = [operation for chapter in chapters.ALL for operation in chapter.operations]
PAGES = {"/openapi.json", "/docs", "/redoc"}
"""The description's own addresses."""
METHODS = ("GET", "POST", "PATCH", "DELETE")


def name_of(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def patterns(resolver: URLResolver, before: str = "/") -> Iterator[tuple[str, Any]]:
    """Every path but the admin's, with its view."""
    for entry in resolver.url_patterns:
        path = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from () if path.startswith("/admin") else patterns(entry, path)
        elif isinstance(entry, URLPattern) and path != "/admin":
            yield re.sub(r"<str:(\w+)>", r"{\1}", path), entry.callback


def built() -> set[str]:
    """Every method and path that the server answers."""
    found = set()
    for path, view in patterns(get_resolver()):
        cls = getattr(view, "cls", None)
        # A view that is a function may tell its methods only by answering.
        methods = [method for method in METHODS if hasattr(cls, method.lower())] if cls else told_methods(path)
        found |= {f"{method} {path}" for method in methods}
    return found


def told_methods(path: str) -> list[str]:
    return [] if path in PAGES else [method for method in METHODS if f"{method} {path}" in TOLD] or ["GET"]


TOLD = [name_of(operation) for operation in OPERATIONS]


def test_every_route_is_told_once_and_no_other() -> None:
    assert sorted(TOLD) == sorted(built())


@pytest.mark.parametrize("operation", OPERATIONS, ids=name_of)
def test_every_field_of_a_body_has_a_meaning_and_no_other(operation: Operation) -> None:
    fields = {*(operation.body or {}), *(operation.upload or {})}
    assert set(operation.meanings) - fields == set()
    assert set(operation.body or {}) - set(operation.meanings) == set()
    assert set(operation.defaults) <= fields


@pytest.mark.parametrize("operation", OPERATIONS, ids=name_of)
def test_one_wrapper_means_one_body(operation: Operation) -> None:
    if operation.body is not None:
        schema = description()["components"]["schemas"][operation.body_name]
        assert set(schema["properties"]) == set(describe_fields(operation.body)["properties"])


def refusals(kind: type[AmpoutError]) -> Iterator[str]:
    yield kind.code
    for below in kind.__subclasses__():
        yield from refusals(below)


def test_every_code_of_a_refusal_is_told() -> None:
    named = {code for operation in OPERATIONS for code in operation.codes}
    assert {*refusals(AmpoutError), *(str(code) for code in CampaignRefusal), *named} <= set(CODES)


def test_it_is_openapi() -> None:
    schemathesis.openapi.from_dict(published()).validate()


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(published())
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
        found: Any = published()
        for name in reference.split("/"):
            found = found[name]
        assert found


@pytest.mark.parametrize("operation", OPERATIONS, ids=name_of)
def test_its_examples_fit_its_schemas(operation: Operation) -> None:
    described = description()["paths"][operation.path][operation.method.lower()]
    shown = described["x-example"]
    if "answer" in shown:
        schema = described["responses"][str(operation.status)]["content"]["application/json"]["schema"]
        check(schema, shown["answer"])
    if "body" in shown and operation.body is not None:
        check(described["requestBody"]["content"]["application/json"]["schema"], shown["body"])


def test_every_refusal_is_shown_by_one_of_its_own_codes() -> None:
    described = description()
    refusals = [
        (status, answer["content"]["application/json"])
        for call in [call for path in described["paths"].values() for call in path.values()]
        for status, answer in [*call["responses"].items(), *described["components"]["responses"].items()]
        if status >= "4" and "application/json" in answer.get("content", {})
    ]
    assert refusals
    for status, content in refusals:
        check(content["schema"], content["example"])
        assert CODES[content["example"]["code"]][0] == int(status)


def check(schema: dict[str, Any], value: Any) -> None:
    whole = {"components": description()["components"]} | schema
    jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(value)


@pytest.mark.parametrize("path", sorted(PAGES))
def test_its_pages_take_no_other_method(path: str) -> None:
    assert Client(enforce_csrf_checks=True).post(path).status_code == 405


def test_what_is_published_has_no_links_into_our_pages() -> None:
    assert re.findall(r"\]\((?!https:)[^)]*\)", json.dumps(published())) == []


def test_the_files_say_what_the_code_does() -> None:
    call_command("describe_api", "--check", stdout=StringIO())
    assert sorted(path.name for path in files()) == ["api.md", "openapi.json"]
