"""What is forged, or meant for somebody else, changes nothing (promises C9, D1; design, law 9)."""

import uuid
from typing import Any

import pytest
from django.conf import settings

from ampout.lib import clock
from dispatch.models import Message
from tests import factories
from tests.services import mails
from tests.services.desk import Desk, fresh, message_of
from tests.services.judging import assert_nothing_happened, enrollment_of, judged, reread


@pytest.fixture(autouse=True)
def time_of_the_desk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Storing reads the clock itself: it is the desk's."""
    monkeypatch.setattr(clock, "utc_now", lambda: desk.now)


@pytest.fixture
def sent(desk: Desk) -> Message:
    """The first of two steps to one contact, accepted."""
    desk.released(1, steps=2)
    [claimed] = desk.send_due()
    return message_of(claimed)


def test_a_bounce_for_somebody_nobody_wrote_to_changes_nothing(desk: Desk, sent: Message) -> None:
    stranger = factories.make_contact(desk.account, "victim@elsewhere.example")
    enrolled = factories.enroll(desk.campaign(), stranger)
    notice = judged(desk, sent, mails.bounce(sent, recipient="victim@elsewhere.example", original=""))
    assert notice.verdict["unmatched"] == "nothing of ours"
    assert fresh(enrolled).status == "pending"
    assert_nothing_happened(sent)


def test_a_made_up_message_id_changes_nothing(desk: Desk, sent: Message) -> None:
    made_up = f"<{uuid.uuid4().hex}.{'0' * 24}@sender.example>"
    judged(desk, sent, mails.bounce(sent, recipient="victim@elsewhere.example", original=made_up))
    reply = mails.reply(sent, from_email="x@elsewhere.example")
    judged(desk, sent, reply.replace(sent.message_id.encode(), made_up.encode()))
    assert_nothing_happened(sent)


def test_a_made_up_return_path_changes_nothing(desk: Desk, sent: Message) -> None:
    path = mails.return_path_of(sent, "not our key")
    judged(desk, sent, mails.bounce(sent, recipient="victim@elsewhere.example", original="", to=path))
    assert_nothing_happened(sent)


@pytest.mark.parametrize("write", [mails.reply, mails.bounce, mails.complaint, mails.unsubscribe, mails.auto_reply])
def test_a_mail_to_one_account_never_touches_another(desk: Desk, sent: Message, write: Any) -> None:
    """Even where it names the other's Message-ID, recipient and return path."""
    theirs = factories.make_credential(factories.make_account("Bob"), from_email="bob@theirs.example")
    path = mails.return_path_of(sent, settings.DIGEST_KEY)
    raw = write(sent).replace(f"To: {mails.sender_of(sent)}".encode(), f"To: {path}".encode())
    notice = judged(desk, sent, raw, theirs)
    assert "unmatched" in notice.verdict
    assert_nothing_happened(sent)


def test_what_came_of_a_mail_by_hand_to_the_same_person_stops_nothing(desk: Desk, sent: Message) -> None:
    by_hand = mails.bounce(sent, original="<by.hand@own.example>", status="5.3.4", diagnostic="552 5.3.4 Too big")
    judged(desk, sent, by_hand)
    assert (enrollment_of(sent).status, reread(sent).bounce_kind) == ("sent", "")
