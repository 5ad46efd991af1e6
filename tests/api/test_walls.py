"""Another account's object answers exactly as one that does not exist (design, law 9; promise F1).

The calls come from the URL conf, ids in bodies from the tables of fields, and names in query strings from what the
views look for. What is not in the tables of `holdings` and below fails here.
"""

import importlib
import itertools
import pkgutil
import uuid
from collections.abc import Mapping
from typing import Any

import pytest
from django.test import Client

import ampout.api
from ampout.accounts.models import Account
from ampout.api.events import write_cursor as write_event_cursor
from ampout.api.pagination import Position, write_cursor
from ampout.api.urls import urlpatterns
from campaigns.rules.enrollment_state import EnrollmentStatus
from credentials.models import ProviderHook
from credentials.rules.hook_provider import HookProvider
from dispatch import urls as public_urls
from dispatch.rules.message_state import MessageState
from tests import factories
from tests.api.answers import NOBODY
from tests.api.conftest import THEN
from tests.api.holdings import BODIES, Holdings, body_of
from tests.api.routes import CALLS, is_resource, names_in
from tests.api.walls import World, beside, id_fields, is_schema, names_of, places, swapped, value_at, with_value
from tests.conftest import ApiClient
from tests.intake.conftest import basic

pytestmark = pytest.mark.django_db

VERBS = ("GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS")
ROUTES = sorted({route for _, route in CALLS})
WITH_IDS = [route for route in ROUTES if names_in(route)]
READING = [route for method, route in CALLS if method == "GET"]
WRITING = [(method, route) for method, route in CALLS if method != "GET" and route != "/signup"]


def cursor_at(row_id: str) -> str:
    return write_cursor(Position(THEN, uuid.UUID(row_id)))


REFERENCES: dict[str, Any] = {
    "campaign_id": lambda held: held["campaign_id"],
    "contact_id": lambda held: held["contact_id"],
    "email": lambda held: held["email"],
    "domain": lambda held: held["domain"],
    "cursor": lambda held: cursor_at(held["contact_id"]),
}
"""What names in a query string refer to."""
NOTHING: Holdings = {
    "campaign_id": str(NOBODY),
    "contact_id": str(NOBODY),
    "email": "nobody@nowhere.example",
    "domain": "nowhere.example",
}
HARMLESS: Mapping[str, list[str]] = {
    "limit": ["1", "1000"],
    "after": [write_event_cursor(0)],
    "types": ["*", "enrollment.*"],
    "status": list(EnrollmentStatus),
    "state": list(MessageState),
    "batch_number": ["0", "1"],
    "days": ["1", "366"],
}
"""Names in a query string that refer to nothing, with values to try."""


# -- Nothing is forgotten


def test_every_route_with_an_id_is_one_of_an_account() -> None:
    others = [str(pattern.pattern) for pattern in urlpatterns if not is_resource(pattern)]
    assert not [route for route in others if "<" in route]


def test_every_id_in_a_path_has_a_maker(world: World) -> None:
    assert {name for route in ROUTES for name in names_in(route)} <= world.ours.keys()


def test_every_id_in_a_table_of_fields_is_read_by_a_call(world: World) -> None:
    seen = [world.watch(method, route) for method, route in WRITING]
    read = {id(kind) for one in seen for schema in one.schemas for _, kind in id_fields(schema)}
    declared = {
        f"{module.name}.{name}.{'.'.join(path)}": id(kind)
        for module in pkgutil.iter_modules(ampout.api.__path__, "ampout.api.")
        for name, schema in vars(importlib.import_module(module.name)).items()
        if is_schema(schema)
        for path, kind in id_fields(schema)
    }
    assert len(declared) >= 6
    assert not [name for name, kind in declared.items() if kind not in read]


# -- Ids in paths


@pytest.mark.parametrize("route", WITH_IDS)
@pytest.mark.parametrize("verb", VERBS)
def test_a_foreign_id_in_a_path_is_a_missing_one(world: World, verb: str, route: str) -> None:
    names = names_in(route)
    own = world.call(verb, route)
    assert own.status != 404
    for chosen in _some_of(names) if own.status != 405 else [tuple(names)]:
        missing = world.call(verb, route, ids=swapped(chosen))
        world.assert_same(world.call(verb, route, ids=swapped(chosen, world.theirs)), missing)
        status, code = (405, "method_not_allowed") if own.status == 405 else (404, code_of(chosen[0]))
        assert missing.says() == (status, None if verb == "HEAD" else code)
        if names[0] not in chosen:
            # One's own, but of another campaign, credential or webhook than the path says.
            world.assert_alike(world.call(verb, route, ids=swapped(chosen, world.cousins)), missing)


@pytest.mark.parametrize(("method", "route"), [(method, route) for method, route in WRITING if names_in(route)])
def test_what_cannot_be_read_hides_no_difference(world: World, method: str, route: str) -> None:
    name, nonsense = names_in(route)[-1], {"no_such_field": 1}
    missing = world.call(method, route, ids=swapped((name,)), body=nonsense)
    world.assert_same(world.call(method, route, ids=swapped((name,), world.theirs), body=nonsense), missing)


def code_of(name: str) -> str:
    """What a missing object is called."""
    return "not_found" if name in {"suppression_id", "delivery_id"} else f"{name.removesuffix('_id')}_not_found"


def _some_of(names: list[str]) -> list[tuple[str, ...]]:
    return [chosen for size in range(1, len(names) + 1) for chosen in itertools.combinations(names, size)]


# -- Ids in bodies


@pytest.mark.parametrize(("method", "route"), WRITING)
def test_a_foreign_id_in_a_body_is_a_missing_one(world: World, method: str, route: str) -> None:
    schemas = world.watch(method, route).schemas
    assert ((method, route) in BODIES) == any(schemas), "a call that reads fields has a body in `holdings`"
    body = body_of(method, route, world.ours) or {}
    for path in {path for schema in schemas for path, _ in id_fields(schema)}:
        assert places(body, path), f"the body in `holdings` lacks {path}"
        for place in places(body, path):
            [name] = names_of(value_at(body, place), world.ours)
            missing = world.call(method, route, body=with_value(body, place, str(NOBODY)))
            for value in (world.theirs[name], "no-uuid"):
                world.assert_same(world.call(method, route, body=with_value(body, place, value)), missing)
            assert missing.says() == (404, code_of(name))
            if place[-1].isdigit():
                # Among one's own.
                foreign, none = (beside(body, place, value) for value in (world.theirs[name], str(NOBODY)))
                world.assert_same(world.call(method, route, body=foreign), world.call(method, route, body=none))


@pytest.mark.parametrize(("method", "route"), WRITING)
def test_one_s_own_ids_are_taken(world: World, method: str, route: str) -> None:
    answer = world.call(method, route)
    assert answer.status < 300 or (answer.status == 422 and b"validation_failed" not in answer.content)


# -- Query strings


@pytest.mark.parametrize("route", READING)
def test_a_foreign_reference_in_a_query_string_is_a_missing_one(world: World, route: str) -> None:
    for name in _names_read(world, route) & REFERENCES.keys():
        of = REFERENCES[name]
        missing = world.call("GET", route, query={name: of(NOTHING)})
        world.assert_same(world.call("GET", route, query={name: of(world.theirs)}), missing)
        assert missing.status == (404 if name.endswith("_id") else 200)
        if name.endswith("_id"):
            world.assert_same(world.call("GET", route, query={name: "no-uuid"}), missing)
        assert name == "cursor" or missing.content != world.call("GET", route, query={name: of(world.ours)}).content


@pytest.mark.parametrize("route", READING)
def test_nothing_of_others_is_shown(world: World, route: str) -> None:
    names = _names_read(world, route)
    assert names <= REFERENCES.keys() | HARMLESS.keys(), "a name is in REFERENCES or HARMLESS"
    needed = {name: REFERENCES[name](world.ours) for name in names if name.endswith("_id")}
    queries: list[dict[str, str]] = [{}, needed]
    queries += [needed | {name: value} for name in names & HARMLESS.keys() for value in HARMLESS[name]]
    queries += [needed | {name: REFERENCES[name](world.theirs)} for name in names & REFERENCES.keys()]
    for query in queries:
        shown = world.call("GET", route, query=query).content.decode()
        assert not [word for word in world.their_words if word in shown], query
    whole = world.call("GET", route, query=needed)
    assert (whole.status, whole.content != b"[]") == (200, True)


def _names_read(world: World, route: str) -> set[str]:
    """With and without what it may need to read on."""
    every = {name: reference(world.ours) for name, reference in REFERENCES.items()}
    return world.watch("GET", route).names | world.watch("GET", route, every).names


def test_a_cursor_of_another_account_shows_nothing_of_it(world: World) -> None:
    key = factories.make_key(Account.objects.get(pk=world.their_words[1])).plaintext
    link = ApiClient(None, key).get("/contacts", limit=1)["Link"]
    path = link.removeprefix("<http://testserver").removesuffix('>; rel="next"')
    assert world.api.get(path).json() == []


# -- Providers' calls


def test_public_paths_hold_no_other_ids() -> None:
    routes = [str(pattern.pattern) for pattern in public_urls.urlpatterns]
    assert [route for route in routes if any(name.endswith("_id") for name in names_in(route))] == [
        "hooks/in/<str:provider>/<str:credential_id>"
    ]


@pytest.mark.parametrize("provider", HookProvider)
def test_a_call_on_a_foreign_credential_is_one_on_none(world: World, provider: HookProvider) -> None:
    def call(credential_id: str) -> Any:
        path = f"/hooks/in/{provider}/{credential_id}?secret=alice-hook-secret"
        return Client().post(path, "{}", content_type="application/json", headers=basic("alice-hook-secret"))

    assert ProviderHook.everywhere.filter(credential=world.theirs["smtp_credential_id"], provider=provider).exists()
    missing = world.undone(lambda: call(str(NOBODY)))
    world.assert_same(world.undone(lambda: call(world.theirs["smtp_credential_id"])), missing)
    assert missing.status == 403
