"""The commonest calls of the API, each about another row every time."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ampout.api.events import write_cursor as write_log_cursor
from ampout.api.pagination import Position, write_cursor
from tests.benchmarks.inhabited import BATCHES, CAMPAIGNS, OUTSTANDING, row_id, time_of
from tests.conftest import ApiClient

CAMPAIGN = f"/campaigns/{row_id('campaign', 0)}"


@dataclass
class Caller:
    """Calls one installation of so many rows. With the same seed, two ask for the same relative depths."""

    api: ApiClient
    rows: int
    seed: int = 1
    turn: int = 0

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def a_row(self) -> int:
        """The number of a row that has a message which has ended."""
        number = int(OUTSTANDING + self._chance.random() * (self.rows - OUTSTANDING - 100))
        return number - number % 100 + self._chance.randrange(70)

    def cursor(self, kind: str) -> str:
        """The cursor of a page somewhere deep in a list."""
        number = self.a_row()
        return write_cursor(Position(time_of(number), row_id(kind, number)))


Call = Callable[[Caller], Any]


def _get(path: str, **query: Any) -> Call:
    return lambda caller: caller.api.get(path, **query)


READS: dict[str, Call] = {
    "GET /campaigns": _get("/campaigns"),
    "GET /campaigns/:id": _get(CAMPAIGN),
    "GET /campaigns/:id, a small one": lambda caller: caller.api.get(
        f"/campaigns/{row_id('campaign', 1 + caller.turn % (CAMPAIGNS - 1))}"
    ),
    "GET /outreaches/:id": _get(f"/outreaches/{row_id('outreach', 0)}"),
    "GET …/enrollments": _get(f"{CAMPAIGN}/enrollments"),
    "GET …/enrollments, deep": lambda caller: caller.api.get(
        f"{CAMPAIGN}/enrollments", cursor=caller.cursor("enrollment")
    ),
    "GET …/enrollments?status=": lambda caller: caller.api.get(
        f"{CAMPAIGN}/enrollments", status="bounced", cursor=caller.cursor("enrollment")
    ),
    "GET …/enrollments?status=, few": _get(f"{CAMPAIGN}/enrollments", status="unsubscribed", batch_number=1),
    "GET …/enrollments?batch_number=": lambda caller: caller.api.get(
        f"{CAMPAIGN}/enrollments", batch_number=caller.turn % BATCHES, cursor=caller.cursor("enrollment")
    ),
    "GET /contacts": _get("/contacts"),
    "GET /contacts, deep": lambda caller: caller.api.get("/contacts", cursor=caller.cursor("contact")),
    "GET /contacts?email=": lambda caller: caller.api.get("/contacts", email=f"p{caller.a_row()}@recipient.example"),
    "GET /contacts/:id": lambda caller: caller.api.get(f"/contacts/{row_id('contact', caller.a_row())}"),
    "GET /contacts/:id/export": lambda caller: caller.api.get(f"/contacts/{row_id('contact', caller.a_row())}/export"),
    "GET /contact_imports": _get("/contact_imports"),
    "GET /suppressions": _get("/suppressions"),
    "GET /messages": _get("/messages"),
    "GET /messages, deep": lambda caller: caller.api.get("/messages", cursor=caller.cursor("message")),
    "GET /messages?state=, many": lambda caller: caller.api.get(
        "/messages", state="accepted", cursor=caller.cursor("message")
    ),
    "GET /messages?state=, none": _get("/messages", state="quarantined"),
    "GET /messages?campaign_id=": lambda caller: caller.api.get(
        "/messages", campaign_id=row_id("campaign", 0), cursor=caller.cursor("message")
    ),
    "GET /messages?campaign_id=, few": _get("/messages", campaign_id=row_id("campaign", 49), limit=10),
    "GET /messages?campaign_id=&state=": _get("/messages", campaign_id=row_id("campaign", 0), state="deferred"),
    "GET /messages/:id": lambda caller: caller.api.get(f"/messages/{row_id('message', f'{caller.a_row()}-1')}"),
    "GET /events?after=": lambda caller: caller.api.get("/events", after=write_log_cursor(caller.a_row())),
    "GET /usage": _get("/usage"),
    "GET /events?types=": lambda caller: caller.api.get(
        "/events", after=write_log_cursor(caller.a_row()), types="enrollment.replied"
    ),
}
WRITES: dict[str, Call] = {
    "POST …/enroll_contact": lambda caller: caller.api.post(
        f"{CAMPAIGN}/enroll_contact", {"contact_id": str(row_id("contact", caller.rows + caller.turn))}
    ),
    "POST /contact_imports": lambda caller: caller.api.post(
        "/contact_imports",
        {"name": "five", "contacts": [{"email": f"new{caller.turn}.{one}@recipient.example"} for one in range(5)]},
    ),
    "PATCH /contacts/:id": lambda caller: caller.api.patch(
        f"/contacts/{row_id('contact', caller.a_row())}", {"first_name": f"Name {caller.turn}"}
    ),
    "POST /contacts/:id/unsubscribe": lambda caller: caller.api.post(
        f"/contacts/{row_id('contact', caller.a_row())}/unsubscribe", {}
    ),
}
CALLS = READS | WRITES
