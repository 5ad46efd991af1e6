"""`replay_notices`: what came back is judged again; what was done stays done once."""

import hashlib
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from ampout.events.models import Event
from ampout.lib import clock
from dispatch.models import Feedback, Message, Notice
from dispatch.services import notices
from tests import factories
from tests.services import mails
from tests.services.desk import Desk, fresh, message_of


@pytest.fixture(autouse=True)
def time_of_the_desk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command reads the clock itself: it is the desk's."""
    monkeypatch.setattr(clock, "utc_now", lambda: desk.now)


@pytest.fixture
def sent(desk: Desk) -> Message:
    """A message that left."""
    desk.released(1)
    [claimed] = desk.send_due()
    return message_of(claimed)


def come_in(desk: Desk, message: Message, raw: bytes) -> None:
    assert message.credential_id is not None
    assert notices.store_mail(message.credential_id, message.account_id, raw, received_at=desk.now)
    notices.process_due(now=desk.now)


def replay(*options: str) -> str:
    output = StringIO()
    call_command("replay_notices", *options, stdout=output, stderr=output)
    return output.getvalue()


def test_everything_is_judged_again_and_nothing_happens_twice(desk: Desk, sent: Message) -> None:
    come_in(desk, sent, mails.reply(sent))
    before = list(Event.everywhere.values("fact", "created_at"))
    enrolled = fresh(sent.place[0])
    desk.wait(days=1)
    assert replay() == "1 notices were judged again.\n"
    assert Notice.everywhere.get().processed_at == desk.now
    assert Feedback.everywhere.count() == 1
    assert list(Event.everywhere.values("fact", "created_at")) == before
    assert fresh(sent.place[0]).replied_at == enrolled.replied_at
    assert desk.violations() == []


def test_what_was_about_nothing_of_ours_may_be_matched_now(desk: Desk, sent: Message) -> None:
    Message.everywhere.update(delivered_message_id="")
    raw = mails.reply(sent, from_email="x@elsewhere.example").replace(sent.message_id.encode(), b"<0100@amazonses.com>")
    come_in(desk, sent, raw)
    assert fresh(sent.place[0]).status == "sent"
    Message.everywhere.update(delivered_message_id="<0100@amazonses.com>")
    assert replay("--unmatched") == "1 notices were judged again.\n"
    assert fresh(sent.place[0]).status == "replied"
    assert replay("--unmatched") == "0 notices were judged again.\n"


def test_only_what_was_asked_for_is_judged(desk: Desk, sent: Message) -> None:
    come_in(desk, sent, mails.reply(sent))
    assert replay("--source=postmark") == "0 notices were judged again.\n"
    assert replay("--source=imap") == "1 notices were judged again.\n"
    assert replay("--since=2026-03-11") == "0 notices were judged again.\n"
    assert replay("--since=2026-03-10") == "1 notices were judged again.\n"


def test_what_was_forgotten_is_not_judged_from_nothing(desk: Desk, sent: Message) -> None:
    come_in(desk, sent, mails.reply(sent))
    Notice.everywhere.update(body=b"", headers="")
    assert replay() == "0 notices were judged again.\n"


def test_one_bad_notice_harms_no_other(desk: Desk, sent: Message) -> None:
    assert sent.credential is not None
    hook = factories.make_hook(sent.credential)
    notices.store_call(hook, b"[", hashlib.sha256(b"bad").digest(), received_at=desk.now)
    come_in(desk, sent, mails.reply(sent))
    output = StringIO()
    with pytest.raises(CommandError, match="1 notices could not be judged"):
        call_command("replay_notices", stdout=output, stderr=output)
    assert "1 notices were judged again." in output.getvalue()
    assert "InvalidJson" in output.getvalue()
