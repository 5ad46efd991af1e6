"""`GET /events`: the account's log by a cursor that misses nothing, repeats nothing, and never ends."""

import base64
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ampout.api.events import write_cursor
from ampout.events.kinds import EventKind
from ampout.events.models import Event, EventLog
from ampout.events.rules.envelope import EventFacts, body_of
from ampout.events.services import read_log
from ampout.lib import clock
from tests.conftest import ApiClient
from tests.events.conftest import tell
from tests.services.rival import Held

PAIRS = [(EventKind.ENROLLMENT_SENT, 2), (EventKind.ENROLLMENT_REPLIED, 1), (EventKind.CAMPAIGN_PAUSED, 1)]


def cursor_of(response: Any) -> str:
    """The cursor of the page after this one."""
    assert response.status_code == 200, response.content
    link, relation = response["Link"].split("; ")
    assert relation == 'rel="next"'
    return str(parse_qs(urlsplit(link.strip("<>")).query)["after"][0])


def read_all(api: ApiClient, after: str | None = None, **query: Any) -> tuple[list[dict[str, Any]], str]:
    """Everything behind a cursor, page by page, until the cursor stands still; and that cursor."""
    found: list[dict[str, Any]] = []
    while True:
        response = api.get("/events", **query, **({} if after is None else {"after": after}))
        found += response.json()
        before, after = after, cursor_of(response)
        if after == before:
            return found, after


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["data"]["name"] for event in events]


def test_events_come_oldest_first_as_webhooks_send_them(api: ApiClient) -> None:
    events = tell(api.account, 3)
    response = api.get("/events")
    assert [event["id"] for event in response.json()] == [str(event.id) for event in events]
    first = events[0]
    facts = EventFacts(first.id, first.type, first.created_at, first.account_id, first.data, first.sequence)
    assert response.content.startswith(b"[" + body_of(facts))


def test_pages_follow_each_other_and_the_last_leads_on_to_what_comes_later(api: ApiClient) -> None:
    tell(api.account, 5)
    events, cursor = read_all(api, limit=2)
    assert names(events) == list(Event.objects.of(api.account).order_by("sequence").values_list("fact", flat=True))
    assert read_all(api, cursor) == ([], cursor)
    later = tell(api.account)
    assert names(read_all(api, cursor)[0]) == [later[0].fact]


def test_an_empty_log_has_a_cursor_too(api: ApiClient) -> None:
    response = api.get("/events")
    assert response.json() == []
    told = tell(api.account)
    assert names(api.get("/events", after=cursor_of(response)).json()) == [told[0].fact]


@pytest.mark.django_db(transaction=True)
def test_what_commits_late_is_read_late_and_once(api: ApiClient) -> None:
    with Held(lambda: tell(api.account)) as slow:
        quick = tell(api.account)[0]
        first, cursor = read_all(api)
        assert names(first) == [quick.fact]
        [late] = slow.commit()
    assert late.sequence < quick.sequence
    second, cursor = read_all(api, cursor)
    assert names(second) == [late.fact]
    assert read_all(api, cursor)[0] == []


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_stays_open_holds_nobody_else_back(api: ApiClient) -> None:
    with Held(lambda: tell(api.account)):
        cursor = None
        for _ in range(3):
            quick = tell(api.account)[0]
            found, cursor = read_all(api, cursor)
            assert names(found) == [quick.fact]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ("*", 4),
        ("enrollment.*", 3),
        ("enrollment.sent", 2),
        ("enrollment.replied,campaign.*", 2),
        ("enrollment.replied, campaign.paused", 2),
        (["enrollment.sent", "campaign.paused"], 3),
        ("credential.disabled", 0),
    ],
)
def test_types_choose(api: ApiClient, types: Any, expected: int) -> None:
    for kind, count in PAIRS:
        tell(api.account, count, kind)
    assert len(api.get("/events", types=types).json()) == expected


@pytest.mark.parametrize(
    "types", ["", "enrollment.snt", "Enrollment.sent", "enrollment.sent,", "*,x", "\x00", ["*", "y"]]
)
def test_an_unknown_type_is_named(api: ApiClient, types: Any) -> None:
    response = api.get("/events", types=types)
    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert "No such event." in response.json()["details"]["types"][0]


@pytest.mark.parametrize(
    "after",
    [
        *("", "x", "1", "ü", "\x00", "=" * 500, write_cursor(-1), write_cursor(2**63), write_cursor(0) + "A"),
        base64.urlsafe_b64encode("events:٣".encode()).decode(),
        base64.urlsafe_b64encode(b"event:3").decode(),
        base64.urlsafe_b64encode(b"events: 3").decode(),
    ],
)
def test_what_is_no_cursor_is_refused(api: ApiClient, after: str) -> None:
    response = api.get("/events", after=after)
    assert (response.status_code, response.json()["code"]) == (422, "validation_failed")
    assert response.json()["details"]["after"][0].startswith("Not a cursor of this log.")


def test_a_cursor_from_a_longer_past_is_told_what_happened(api: ApiClient) -> None:
    tell(api.account)
    response = api.get("/events", after=write_cursor(2))
    assert response.status_code == 422
    assert "restored" in response.json()["details"]["after"][0]


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", ""])
def test_limit_is_that_of_lists(api: ApiClient, limit: str) -> None:
    assert api.get("/events", limit=limit).json()["details"].keys() == {"limit"}


def test_another_account_s_events_are_not_shown_nor_counted(api: ApiClient, other_api: ApiClient) -> None:
    tell(other_api.account, 3)
    cursor = read_all(other_api)[1]
    assert api.get("/events").json() == []
    assert api.get("/events", after=cursor).status_code == 422


def test_a_log_too_long_for_one_read_is_read_in_several(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_log, "PLACED_AT_ONCE", 3)
    monkeypatch.setattr(read_log, "LOOKED_AT", 4)
    expected = []
    for _ in range(4):
        tell(api.account, 5)
        expected.append(tell(api.account, 1, EventKind.CAMPAIGN_PAUSED)[0].fact)
    assert names(read_all(api, types="campaign.paused")[0]) == expected
    assert len(read_all(api)[0]) == 24


def test_what_was_deleted_leaves_a_gap_that_is_stepped_over(api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_log, "LOOKED_AT", 2)
    tell(api.account, 10)
    cursor = cursor_of(api.get("/events", limit=1))
    read_all(api, cursor)
    Event.objects.of(api.account).filter(position__lt=9).delete()
    assert len(api.get("/events", after=cursor).json()) == 2


def test_when_all_events_are_deleted_the_cursor_holds(api: ApiClient) -> None:
    tell(api.account, 3)
    cursor = read_all(api)[1]
    Event.objects.of(api.account).delete()
    assert read_all(api, cursor) == ([], cursor)
    later = tell(api.account)
    assert names(read_all(api, cursor)[0]) == [later[0].fact]
    assert EventLog.objects.get().last_position == 4


def test_reading_takes_a_fixed_number_of_queries(api: ApiClient) -> None:
    def queries(**query: Any) -> int:
        with CaptureQueriesContext(connection) as captured:
            api.get("/events", **query)
        return len(captured)

    api.get("/account")
    tell(api.account, 2)
    few = queries()
    tell(api.account, 200)
    assert queries() == few
    assert queries(limit=1000) == few - 4  # no savepoint and no statement to give places, as all have theirs


def test_times_are_those_of_the_fact(api: ApiClient) -> None:
    before = clock.utc_now()
    tell(api.account)
    [event] = api.get("/events").json()
    assert event["created_at"].endswith("Z")
    assert before <= Event.objects.of(api.account).get().created_at <= before + timedelta(minutes=1)
