"""The sandbox stands beside the product: it knows the small kernel below everything, and nobody knows it."""

import ast
from pathlib import Path

import pytest

import ampout.sandbox

MODULES = sorted(Path(ampout.sandbox.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_it_imports_nothing_of_what_it_tests(module: Path) -> None:
    names = {
        name
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
    }
    ours = {name for name in names if name.partition(".")[0] in {"ampout", "campaigns", "credentials", "dispatch"}}
    assert {name for name in ours if not name.startswith(("ampout.sandbox.", "ampout.lib"))} == set()
    assert not any(name.partition(".")[0] in {"django", "celery"} for name in names)
