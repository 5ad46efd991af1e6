"""The fault suite is itself tested: a law that is broken on purpose is noticed, and named."""

import ast
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.faults.checker import check
from tests.faults.conftest import StartLab
from tests.faults.drive import Drive
from tests.faults.history import History, Recorder
from tests.faults.mutations import MUTATIONS, mutate
from tests.faults.people import MANNERS
from tests.faults.strikes import KILLS, PAST_THE_LEASE, Action, Fault, Target
from tests.faults.tenants import running_world
from tests.peers.certificates import Certificates

NAMES = sorted(MUTATIONS)
TRIES = 3
"""Runs, each with a seed of its own, one of which has to show it: how a broken law does harm is a matter of moments."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A run that gives occasion for harm: `strikes` drawn from `faults`, `people` met with these manners."""

    faults: Sequence[Fault] = KILLS
    strikes: int = 8
    people: int = 60
    manners: Mapping[str, int] | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


SLOW_BEFORE_THE_BODY = {"late-2-rcpt": 7, "ok": 3}
FROZEN = Fault(Action.FREEZE, Target.POOL, PAST_THE_LEASE, in_leases=True)
SCENES = {
    "wire_commit": Scene([Fault(Action.KILL, Target.WORKER), Fault(Action.KILL, Target.POOL)]),
    "cap": Scene(strikes=2),
    "fence": Scene([FROZEN], 6, 40, SLOW_BEFORE_THE_BODY),
    # Few are planned at a time, so that whose turn it is can be seen.
    "stop_fact": Scene(strikes=2, people=40, manners=SLOW_BEFORE_THE_BODY, settings={"PLAN_BATCH": "4"}),
    "uid_validity": Scene(strikes=2, people=100),
    "outbox": Scene([Fault(Action.KILL, Target.WORKER), Fault(Action.KILL, Target.POOL)]),
}


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


@pytest.mark.faults_long
@pytest.mark.parametrize("name", NAMES)
def test_a_law_that_is_broken_is_noticed_and_named(start_lab: StartLab, certificates: Certificates, name: str) -> None:
    named: list[str] = []
    for number in range(TRIES):
        history = run_mutated(start_lab, certificates, name, SCENES[name], 20261122 + number)
        named += sorted({violation.law for violation in check(history)})
        print(f"{name}, try {number + 1}: {named}", flush=True)
        if any(law.startswith(MUTATIONS[name].law) for law in named):
            return
    raise AssertionError(f"{name} is broken, and the checker named only {named}")


def run_mutated(start_lab: StartLab, certificates: Certificates, name: str, scene: Scene, seed: int) -> History:
    """One run of programs that import the mutation."""
    with running_world(certificates) as world:
        mutated = {"MUTATION": name, "DJANGO_SETTINGS_MODULE": "tests.faults.mutated"}
        lab = start_lab(workers=2, settings={**world.settings, **scene.settings, **mutated})
        recorder = Recorder(lab.folder / "entries.jsonl")
        manners = scene.manners or MANNERS
        try:
            return Drive(lab, world, recorder, seed, scene.people, 2, manners=manners).run(scene.strikes, scene.faults)
        finally:
            recorder.close()
            lab.stop()
