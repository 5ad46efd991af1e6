"""The log of an account's events, read by a cursor (contract: Events)."""

import base64
import binascii
from typing import Any

from django.http import QueryDict
from rest_framework.request import Request
from rest_framework.response import Response

from ampout.api.fields import Invalid
from ampout.api.pagination import read_limit
from ampout.api.resources import Resource
from ampout.api.webhooks import FILTERS
from ampout.events.kinds import EventKind
from ampout.events.models import Event
from ampout.events.rules.envelope import EventFacts, envelope_of
from ampout.events.rules.filters import ALL, kinds_for
from ampout.events.services.read_log import CursorBeyondLog, read_log
from ampout.lib.errors import ValidationFailed

CURSOR_PREFIX = "events:"
LONGEST_CURSOR = 60
"""Characters; ours have at most 36."""
LARGEST_POSITION = 2**63 - 1

NO_CURSOR = "Not a cursor of this log. Take it from the `Link` header of an answer, or leave it out to begin anew."
BEYOND = (
    "This log does not reach as far as the cursor: the server was restored from an older state. "
    "Leave `after` out, and skip events whose `id` you have seen."
)


def show_event(event: Event) -> dict[str, Any]:
    """An event in the envelope that webhooks send."""
    facts = EventFacts(event.id, event.type, event.created_at, event.account_id, event.data, event.sequence)
    return envelope_of(facts)


def write_cursor(position: int) -> str:
    """The opaque text of a place in the log."""
    return base64.urlsafe_b64encode(f"{CURSOR_PREFIX}{position}".encode()).decode("ascii")


def read_cursor(text: str | None) -> int:
    """The place that a cursor names; 0 is before everything. Raises ValidationFailed."""
    if text is None:
        return 0
    try:
        named = base64.b64decode(text[:LONGEST_CURSOR].encode("ascii"), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeError):
        raise ValidationFailed({"after": [NO_CURSOR]}) from None
    prefix, number = named[: len(CURSOR_PREFIX)], named[len(CURSOR_PREFIX) :]
    if prefix != CURSOR_PREFIX or not number.isdecimal() or int(number) > LARGEST_POSITION:
        raise ValidationFailed({"after": [NO_CURSOR]})
    return int(number)


def read_kinds(query: QueryDict) -> list[str]:
    """The kinds that `types` lets through: a list with commas, or the name several times. Raises ValidationFailed."""
    texts = query.getlist("types") or [ALL]
    words = [word.strip() for text in texts for word in text.split(",")]
    try:
        return kinds_for(FILTERS.read(words), [kind.value for kind in EventKind])
    except Invalid as error:
        problems = [problem for found in error.problems.values() for problem in found]
        raise ValidationFailed({"types": problems[:1]}) from None


class Events(Resource):
    """`GET /events`."""

    def get(self, request: Request) -> Response:
        """What happened, oldest first; the `Link` header says where to read on, now or later."""
        after, kinds, limit = read_cursor(request.GET.get("after")), read_kinds(request.GET), read_limit(request.GET)
        try:
            page = read_log(self.account.pk, after, kinds, limit)
        except CursorBeyondLog:
            raise ValidationFailed({"after": [BEYOND]}) from None
        response = Response([show_event(event) for event in page.events])
        response["Link"] = f'<{self.next_url("after", write_cursor(page.position))}>; rel="next"'
        return response
