"""The page of the proof names what the fault suite judges, breaks and drills."""

from pathlib import Path

import pytest

from tests.faults.checks.violation import Law
from tests.faults.mutations import MUTATIONS

PAGE = (Path(__file__).parents[2] / "docs" / "explanation" / "proof.md").read_text()


@pytest.mark.parametrize("law", Law)
def test_every_invariant_is_on_the_page(law: Law) -> None:
    assert f"| {law.value.split()[0]} |" in PAGE


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_mutation_is_on_the_page_with_the_law_that_it_breaks(name: str) -> None:
    [line] = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    [law] = [law.value for law in Law if law.value.startswith(MUTATIONS[name].law)]
    assert line.endswith(f"| {law} |")


def test_the_drills_are_tests() -> None:
    drills = PAGE.split("## Drills")[1].split("##")[0]
    named = {word for word in drills.split("`") if word.startswith("test_")}
    there = {path.stem for path in Path(__file__).parents[1].rglob("test_*.py")}
    assert named
    assert named - there == set()
