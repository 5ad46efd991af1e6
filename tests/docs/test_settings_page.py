"""The page of settings names exactly what the code reads, with the code's own defaults."""

import ast
from collections.abc import Iterator

import pytest

from tests.docs.pages import PROJECT, bare, read, rows

PAGE = {bare(row[0]): [bare(cell) for cell in row[1:]] for row in rows(read("reference/settings.md"))}
READERS = {"env": None, "environ": {"get", "setdefault"}, "given": {"get"}, "_given": {"get"}}
"""What the environment is called in the code, and which of its methods read a variable; None: all of them."""
REQUIRED = "(required)"


def parsed() -> Iterator[ast.AST]:
    """Every node of the code that runs in production."""
    packages = ("ampout", "campaigns", "credentials", "dispatch")
    for path in [PROJECT / "manage.py", *(path for name in packages for path in (PROJECT / name).rglob("*.py"))]:
        yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def name_of(node: ast.expr) -> str:
    """`environ` for `os.environ`, `_given` for `self._given`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def constant(node: ast.expr | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call that reads a variable, with the name of it."""
    for node in parsed():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            owner, variable = name_of(node.func.value), constant(node.args[0])
            methods = READERS.get(owner, set())
            if owner in READERS and (methods is None or node.func.attr in methods) and isinstance(variable, str):
                yield variable, node


def subscripts() -> Iterator[str]:
    for node in parsed():
        if isinstance(node, ast.Subscript) and name_of(node.value) in READERS:
            variable = constant(node.slice)
            if isinstance(variable, str):
                yield variable


# A request's body is called `given` as well; its fields have small letters.
NAMES = {name for name in {*(name for name, _ in calls()), *subscripts()} if name.isupper()}


def default_of(call: ast.Call) -> str:
    """The default of a reader of `ampout.env` as the page writes it."""
    assert isinstance(call.func, ast.Attribute)
    default = constant(call.args[1]) if len(call.args) > 1 else None
    if call.func.attr == "flag":
        given = [constant(keyword.value) for keyword in call.keywords if keyword.arg == "default"]
        return "1" if given == [True] else "0"
    if call.func.attr in {"words", "networks"}:
        return str(default or "")
    return REQUIRED if default is None else str(default)


DEFAULTS = {name: default_of(call) for name, call in calls() if name_of(call.func.value) == "env"}  # type: ignore[attr-defined]


def test_the_code_reads_variables() -> None:
    assert {"DATABASE_URL", "AMPOUT_DATA", "AMPOUT_OPERATOR_PASSWORD", "XDG_RUNTIME_DIR"} < NAMES


def test_every_variable_that_the_code_reads_is_on_the_page() -> None:
    assert NAMES - set(PAGE) == set()


def test_every_variable_on_the_page_is_read_by_the_code() -> None:
    assert set(PAGE) - NAMES == set()


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_the_default_on_the_page_is_the_one_in_the_code(name: str) -> None:
    assert PAGE[name][0] == DEFAULTS[name]


@pytest.mark.parametrize("name", sorted(PAGE))
def test_every_variable_has_a_unit_and_a_meaning(name: str) -> None:
    _default, unit, meaning, _example = PAGE[name]
    assert unit
    assert len(meaning) > 15


def test_the_example_environment_names_only_what_is_read() -> None:
    lines = (PROJECT / ".env.example").read_text(encoding="utf-8").splitlines()
    named = {line.lstrip("#").partition("=")[0] for line in lines if "=" in line and " " not in line.partition("=")[0]}
    # compose.yaml reads the first by itself.
    assert named - {"POSTGRES_PASSWORD"} <= set(PAGE)
