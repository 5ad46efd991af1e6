"""The examples of the API's page: read, called, and held against what really comes back.

An example is a request line with an optional JSON body, and below it a status with an optional JSON answer. In answers
`…` stands for whatever else there is: within an object for more fields, alone in brackets for anything.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.docs.pages import read

MORE = "…"
_EXAMPLE = re.compile(r"^```\n(GET|POST|PATCH|DELETE) (\S+)(.*?)^(\d{3})(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Example:
    """One call as the page shows it. `body` and `answer` are JSON texts; empty where there is none."""

    method: str
    path: str
    body: str
    status: int
    answer: str

    def filled(self, ids: Mapping[str, str]) -> tuple[str, Any]:
        """The path and the body with real ids in them."""
        return fill(self.path, ids), json.loads(fill(self.body, ids)) if self.body else None

    def promise(self) -> Any:
        """The answer as the page shows it, with MORE among the names of an object that has more fields."""
        text = re.sub(rf",?\s*{MORE}\s*}}", f', "{MORE}": 0}}', self.answer).replace("{, ", "{")
        return json.loads(text.replace(f"[{MORE}]", f'["{MORE}"]')) if text else None


def fill(text: str, ids: Mapping[str, str]) -> str:
    """`text` with `{name}` replaced; merge tags, which have two braces, stay."""
    return re.sub(r"(?<!\{)\{(\w+)\}(?!\})", lambda found: ids[found.group(1)], text)


def read_examples() -> list[Example]:
    """Every example of the page, in its order."""
    found = _EXAMPLE.findall(read("reference/api.md"))
    return [
        Example(method, path, body.strip(), int(status), answer.strip()) for method, path, body, status, answer in found
    ]


def differences(promised: Any, actual: Any, path: str = "answer") -> list[str]:
    """Where the shape of an answer is not the one promised: its fields, and the kinds of their values."""
    if isinstance(promised, dict) and isinstance(actual, dict):
        return _of_objects(promised, actual, path)
    if isinstance(promised, list) and isinstance(actual, list):
        if MORE in promised or not promised:
            return [] if promised or not actual else [f"{path} is not empty"]
        if not actual:
            return [f"{path} is empty"]
        return differences(promised[0], actual[0], f"{path}[0]")
    same = type(promised) is type(actual)
    return [] if same else [f"{path} is {actual!r}, not a value such as {promised!r}"]


def _of_objects(promised: dict[str, Any], actual: dict[str, Any], path: str) -> list[str]:
    names = set(promised) - {MORE}
    found = [f"{path} has no {name}" for name in sorted(names - set(actual))]
    if MORE not in promised:
        found += [f"{path} also has {name}" for name in sorted(set(actual) - names)]
    for name in sorted(names & set(actual)):
        found += differences(promised[name], actual[name], f"{path}.{name}")
    return found
