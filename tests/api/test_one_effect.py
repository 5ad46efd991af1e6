"""One effect a key, for every mutating call of the URL conf, and its answer in the same commit (promise F4)."""

from typing import Any

import pytest
from django.http import HttpResponse
from pytest_django.fixtures import Settings

from ampout.accounts import idempotency
from tests.api.holdings import body_of
from tests.api.routes import CALLS, path_to
from tests.api.unchanged import every_table, fingerprint
from tests.api.walls import World

pytestmark = pytest.mark.django_db

WRITING = [(method, route) for method, route in CALLS if method != "GET"]


class Died(RuntimeError):
    """The process of a call ended."""


@pytest.fixture(autouse=True)
def _sign_up_is_open(settings: Settings) -> None:
    settings.ALLOW_SIGNUP = True


def call(world: World, method: str, route: str) -> Any:
    """A call that would be carried out, with a key."""
    body = body_of(method, route, world.ours)
    return world.api.send(method, path_to(route, world.ours), body, idempotency_key="key")


@pytest.mark.parametrize(("method", "route"), WRITING)
def test_a_repeated_call_gets_the_same_bytes_and_changes_nothing(world: World, method: str, route: str) -> None:
    after_the_first: list[Any] = []

    def twice() -> Any:
        first = call(world, method, route)
        after_the_first.append(fingerprint(every_table()))
        second = call(world, method, route)
        assert (second.status_code, second.content) == (first.status_code, first.content)
        assert second["Idempotent-Replayed"] == "true"
        return second

    assert world.undone(twice).rows == after_the_first[0]


@pytest.mark.parametrize(("method", "route"), WRITING)
def test_no_effect_outlives_a_process_that_dies_before_its_answer_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch, method: str, route: str
) -> None:
    def die(*_given: object) -> None:
        raise Died

    def interrupted() -> HttpResponse:
        with pytest.raises(Died):
            call(world, method, route)
        return HttpResponse()

    monkeypatch.setattr(idempotency, "keep", die)
    assert world.undone(interrupted).rows == world.rows
