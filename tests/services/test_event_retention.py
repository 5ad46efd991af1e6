"""Facts stay told once, and the laws hold, after their events were deleted."""

import uuid
from datetime import timedelta

import pytest

from ampout.events.models import Event
from ampout.events.services.event_retention import delete_old_events
from ampout.lib import clock
from dispatch.services import evidence, stops
from dispatch.services.evidence import Resolution
from tests.services.desk import Desk, S, message_of

LATE = timedelta(days=91)


@pytest.fixture(autouse=True)
def time_of_the_desk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator's choice reads the clock itself: it is the desk's."""
    monkeypatch.setattr(clock, "utc_now", lambda: desk.now)


def forget(desk: Desk) -> None:
    """Let 91 days pass, and the log with them."""
    desk.wait(days=LATE.days)
    delete_old_events(now=desk.now)
    assert not Event.everywhere.exists()


def unknown_and_forgotten(desk: Desk) -> uuid.UUID:
    campaign = desk.campaign(steps=1)
    desk.enroll(campaign)
    desk.release(campaign)
    [claimed] = desk.send_due(S.UNKNOWN)
    assert Event.everywhere.get().type == "enrollment.sent"
    forget(desk)
    return claimed.message_id


def test_late_evidence_tells_of_no_old_send_again(desk: Desk) -> None:
    message_id = unknown_and_forgotten(desk)
    assert evidence.resolve_by_evidence([message_id], "reply", now=desk.now) == 1
    assert not Event.everywhere.exists()


def test_a_late_choice_of_an_operator_tells_of_no_old_send_again(desk: Desk) -> None:
    message_id = unknown_and_forgotten(desk)
    evidence.resolve_unknown(message_id, Resolution.SENT, actor="olga")
    assert not Event.everywhere.exists()


def test_a_status_that_was_told_is_not_told_again(desk: Desk) -> None:
    desk.released(1)
    [claimed] = desk.send_due(S.ACCEPTED)
    contact = message_of(claimed).place[0].contact
    stops.unsubscribe_contact(contact, now=desk.now)
    forget(desk)
    stops.unsubscribe_contact(contact, now=desk.now)
    assert not Event.everywhere.exists()


def test_the_audit_asks_for_no_event_that_was_deleted(desk: Desk) -> None:
    desk.released(2)
    for claimed in desk.send_due(S.ACCEPTED):
        stops.unsubscribe_contact(message_of(claimed).place[0].contact, now=desk.now)
    assert desk.violations() == []
    forget(desk)
    assert desk.violations() == []
