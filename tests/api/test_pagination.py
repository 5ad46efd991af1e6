"""Pages: every row once, newest first, whatever is added meanwhile (contract: Ground rules)."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from ampout.accounts.models import ApiKey
from ampout.api.pagination import Position, read_page_request, write_cursor
from ampout.lib.errors import ValidationFailed
from tests import factories
from tests.api.hostile import assert_refused
from tests.conftest import ApiClient

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_keys(api: ApiClient, count: int, *, at_once: bool = False) -> None:
    for number in range(count):
        factories.make_key(api.account, now=START + timedelta(seconds=0 if at_once else number))


def walk(api: ApiClient, path: str) -> list[list[Any]]:
    """Every page from `path` on, by following the Link header."""
    pages = []
    while path:
        response = api.get(path)
        pages.append(response.json())
        path = response.get("Link", "").removeprefix("<http://testserver").removesuffix('>; rel="next"')
    return pages


@pytest.mark.parametrize("at_once", [True, False])
def test_the_pages_hold_every_row_once_newest_first(api: ApiClient, at_once: bool) -> None:
    make_keys(api, 6, at_once=at_once)
    pages = walk(api, "/api_keys?limit=3")
    assert [len(page) for page in pages] == [3, 3, 1]
    expected = ApiKey.objects.of(api.account).order_by("-created_at", "pk").values_list("pk", flat=True)
    assert [row["id"] for page in pages for row in page] == [str(pk) for pk in expected]


def test_a_last_page_that_is_full_has_no_next(api: ApiClient) -> None:
    make_keys(api, 2)
    assert [len(page) for page in walk(api, "/api_keys?limit=3")] == [3]


def test_what_is_added_meanwhile_moves_no_page(api: ApiClient) -> None:
    make_keys(api, 4)
    link = api.get("/api_keys?limit=2")["Link"]
    assert link.startswith("<http://testserver/api_keys?limit=2&cursor=")
    before = walk(api, link.removeprefix("<http://testserver").removesuffix('>; rel="next"'))
    factories.make_key(api.account)
    assert walk(api, link.removeprefix("<http://testserver").removesuffix('>; rel="next"')) == before


def test_a_page_has_a_hundred_rows_unless_told(api: ApiClient) -> None:
    make_keys(api, 100)
    assert len(api.get("/api_keys").json()) == 100
    assert len(api.get("/api_keys?limit=1000").json()) == 101


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "1e3", "ten", "", " 1", "1.0", "9" * 5_000, "٣", "1\x00"])
def test_a_limit_that_is_none_is_refused(api: ApiClient, limit: str) -> None:
    assert_refused(api.get("/api_keys", limit=limit), "limit")


BAD_POSITIONS = [b"{}", b"7", b"[]", b"[1, 2]", b'["2026-01-01", "x"]', b'["2026-01-01T00:00:00", null]', b"[" * 200]


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "nonsense!", "ä", "\x00", "A" * 10_000, *(base64.urlsafe_b64encode(b).decode() for b in BAD_POSITIONS)],
    ids=lambda cursor: cursor[:20],
)
def test_a_cursor_that_is_none_is_refused(api: ApiClient, cursor: str) -> None:
    assert_refused(api.get("/api_keys", cursor=cursor), "cursor")


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00"])
def test_a_forged_cursor_is_a_position_or_refused(api: ApiClient, at: str) -> None:
    text = f'["{at}","9f0fe1b0-8d4e-4f3e-9a5e-0d6f6a1a0000"]'
    cursor = base64.urlsafe_b64encode(text.encode()).decode()
    assert api.get("/api_keys", cursor=cursor).status_code in {200, 422}


@given(at=st.datetimes(timezones=st.just(UTC)), row_id=st.uuids())
def test_a_cursor_is_read_back_as_the_position_it_was_written_from(at: datetime, row_id: Any) -> None:
    position = Position(at, row_id)
    query = QueryDict(mutable=True)
    query["cursor"] = write_cursor(position)
    assert read_page_request(query).after == position


@given(cursor=st.text())
def test_no_cursor_is_a_fault(cursor: str) -> None:
    query = QueryDict(mutable=True)
    query["cursor"] = cursor
    with pytest.raises(ValidationFailed):
        read_page_request(query)


def test_a_page_costs_the_same_queries_however_long(api: ApiClient, django_assert_num_queries: Any) -> None:
    make_keys(api, 20)
    api.get("/api_keys")
    with django_assert_num_queries(2):  # the key, the page
        api.get("/api_keys")
