"""The search that the other tests rest on finds every planted canary, and nothing else."""

import base64
import random

import pytest

from tests.secrets.canaries import Canaries, Canary
from tests.secrets.haystack import Search, spellings

TRICKY = {kind: Canary(kind, Canaries.tricky(kind)) for kind in Canaries.kinds()}
WAYS = sorted(spellings("x" * 20))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", TRICKY)
def test_a_planted_canary_is_found(kind: str, way: str) -> None:
    contents = b"\x00\xffHAY " + spellings(TRICKY[kind].value)[way] + b" hay\x00"
    assert [find.canary for find in Search(TRICKY.values()).look("hay", contents)] == [kind]


@pytest.mark.parametrize("before", range(7))
@pytest.mark.parametrize("kind", TRICKY)
def test_a_canary_inside_base64_is_found_at_every_alignment(kind: str, before: int) -> None:
    hidden = base64.b64encode(b"\0user\0"[:before] + TRICKY[kind].value.encode() + b"and more")
    assert [find.canary for find in Search([TRICKY[kind]]).look("hay", hidden)] == [kind]


@pytest.mark.parametrize("kind", TRICKY)
def test_a_canary_that_was_cut_short_or_shouted_is_found(kind: str) -> None:
    canary = TRICKY[kind]
    end = canary.value.index(canary.token) + len(canary.token)
    for planted in (canary.value[:end], canary.value.upper(), canary.token[:]):
        assert Search([canary]).look("hay", planted.encode()), planted


def test_where_a_canary_may_be_shown_it_is_no_find() -> None:
    canary = Canary("key", "ak_live_0123456789abcdef", shown="POST /api_keys 201")
    search = Search([canary])
    assert search.look("answer", canary.value.encode(), call="POST /api_keys 201") == []
    assert search.look("answer", canary.value.encode(), call="GET /api_keys 200") != []


def test_random_hay_holds_no_canary() -> None:
    hay = random.Random(4).randbytes(1_000_000)
    assert Search(Canaries()).look("hay", hay + base64.b64encode(hay) + hay.hex().encode()) == []


def test_a_find_tells_where_and_not_what() -> None:
    canary = Canaries()
    (find,) = Search(canary).look("a log", b"login with " + canary["operator password"].encode())
    assert str(find).startswith("operator password (raw) in a log, after 'login with '")
    assert canary["operator password"] not in str(find)
