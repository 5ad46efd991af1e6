"""Rules are pure: no database, clock, dice or I/O. Facts, `now` and `rng` come in as arguments.

import-linter knows packages; this test also knows which part of the standard library reads the world.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ampout", "campaigns", "credentials", "dispatch")
RULE_FILES = sorted(
    path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "rules" in path.parts
)

PURE_KERNEL = {"ampout.lib.text", "ampout.lib.mx", "ampout.lib.addresses", "ampout.lib.redaction"}
"""Plain values and functions of the kernel that rules may use; `addresses` parses by a pure library."""
IMPURE_MODULES = {
    *("asyncio", "concurrent", "multiprocessing", "queue", "sched", "signal", "subprocess", "threading", "_thread"),
    *("ftplib", "http", "imaplib", "poplib", "select", "selectors", "smtplib", "socket", "socketserver", "ssl"),
    *("dbm", "fileinput", "glob", "mmap", "os", "pathlib", "shelve", "shutil", "sqlite3", "sys", "tempfile"),
    *("getpass", "importlib", "locale", "logging", "platform", "resource", "secrets", "time", "urllib.request"),
}
"""Modules of the standard library that read or change something outside of their arguments."""
IMPURE_NAMES = {
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "uuid": {"uuid1", "uuid4", "getnode"},
}
"""Names that read the clock or throw dice, by the class or module they belong to."""
IMPURE_BUILTINS = {"open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint", "id", "hash"}
"""`id` differs from run to run, and so does `hash` of a text."""


def imported_modules(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(module, imported name) for every import; the name is empty for a plain `import module`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((module, alias.name) for alias in node.names)


def is_pure_module(module: str, name: str) -> bool:
    """Whether a rule may import `name` from `module`."""
    top, _, rest = module.partition(".")
    if top in PACKAGES:
        return "rules" in rest.split(".") or not PURE_KERNEL.isdisjoint({module, f"{module}.{name}"})
    if module == "random":
        return name == "Random"
    impure = not IMPURE_MODULES.isdisjoint({top, module}) or name in IMPURE_NAMES.get(module, set())
    return top in sys.stdlib_module_names and not impure


def impure_imports(tree: ast.AST) -> Iterator[str]:
    for module, name in imported_modules(tree):
        if not is_pure_module(module, name):
            yield f"imports {module} {name}".strip()


def impure_names(tree: ast.AST) -> Iterator[str]:
    """Uses of the clock, of dice, or of built-ins that reach outside."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=owner) | ast.Attribute(attr=owner), attr=name):
                if name in IMPURE_NAMES.get(owner, set()):
                    yield f"uses {owner}.{name}"
            case ast.Call(func=ast.Name(id="Random"), args=[]):
                yield "makes its own dice"
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_BUILTINS:
                yield f"calls {name}"
            case ast.Global() | ast.Nonlocal():
                yield f"changes {', '.join(node.names)} outside of the function"
            case _:
                pass


def violations(source: str) -> list[str]:
    """What makes a module impure, in words; empty for a pure one."""
    tree = ast.parse(source)
    return [*impure_imports(tree), *impure_names(tree)]


def test_there_are_rules_in_every_app_that_decides() -> None:
    assert {path.parts[0] for path in RULE_FILES} == set(PACKAGES)


@pytest.mark.parametrize("path", RULE_FILES, ids=str)
def test_a_rule_reads_nothing_but_its_arguments(path: Path) -> None:
    assert violations((ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("module", sorted(PURE_KERNEL))
def test_what_rules_may_use_of_the_kernel_is_as_pure(module: str) -> None:
    source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text(encoding="utf-8")
    assert [found for found in violations(source) if "email_validator" not in found] == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import random",
        "import os.path",
        "import django",
        "import urllib.request",
        "import logging",
        "from random import choice",
        "from random import SystemRandom",
        "from time import monotonic",
        "from uuid import uuid4",
        "from django.utils import timezone",
        "from ampout.lib import clock",
        "from ampout.lib.clock import utc_now",
        "from ampout.lib.crypto import encrypt",
        "from campaigns.models import Campaign",
        "from dispatch import services",
        "from . import timing",
        "from .timing import day_of",
        "def decide():\n    from dispatch.services import plan",
        "from datetime import datetime\nnow = datetime.now()",
        "import datetime\nnow = datetime.datetime.now(datetime.UTC)",
        "from datetime import datetime\nclock = datetime.utcnow",
        "from datetime import date\ntoday = date.today()",
        "import uuid\nnew = uuid.uuid4()",
        "from random import Random\nrng = Random()",
        "text = open('file').read()",
        "print('hello')",
        "key = hash('text')",
        "count = 0\ndef more():\n    global count\n    count += 1",
    ],
)
def test_an_impure_line_is_found(source: str) -> None:
    assert violations(source)


@pytest.mark.parametrize(
    "source",
    [
        "import re",
        "import hashlib",
        "import uuid\nkey: uuid.UUID",
        "from random import Random\ndef decide(rng: Random) -> float:\n    return rng.random()",
        "from random import Random\nrng = Random(7)",
        "from datetime import UTC, datetime, timedelta\nnoon = datetime(2026, 1, 1, 12, tzinfo=UTC)",
        "from ampout.lib.text import nearest_name",
        "from ampout.lib import text",
        "from ampout.lib.addresses import Address",
        "from campaigns.rules.suppression import blocks",
        "from dispatch.rules import timing",
        "class Lane:\n    def age(self):\n        return self.now - self.start",
    ],
)
def test_a_pure_line_passes(source: str) -> None:
    assert violations(source) == []
