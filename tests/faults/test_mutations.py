"""The fault suite is itself tested: a law that is broken on purpose is noticed, and named."""

import ast
import importlib.util
from pathlib import Path

import pytest

from tests.faults.mutations import MUTATIONS, mutate

NAMES = sorted(MUTATIONS)


@pytest.mark.parametrize("name", NAMES)
def test_a_mutation_fits_the_source_as_it_is(name: str) -> None:
    mutation = MUTATIONS[name]
    for module in mutation.replacements:
        spec = importlib.util.find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).read_text()
        mutated = mutate(module, source, mutation)
        assert ast.dump(ast.parse(mutated)) != ast.dump(ast.parse(source))


def test_a_mutation_that_does_not_fit_is_an_error() -> None:
    mutation = MUTATIONS["cap"]
    with pytest.raises(LookupError, match="0 times"):
        mutate("dispatch.services.capacity", "nothing of it", mutation)
