"""What providers report: matched by an id of theirs or ours to the very recipient, with one effect however often."""

import hashlib
import json
import random

import pytest

from ampout.events.models import Event
from ampout.lib import clock
from campaigns.models import Suppression
from credentials.models import ProviderHook
from dispatch.models import Feedback, Message, Notice
from dispatch.services import notices
from tests import factories
from tests.services import mails
from tests.services.desk import Desk, S, fresh, message_of

BOUNCED = {"event": "bounce", "bounce": "hard", "message": "550 5.1.1 No such user"}
REPORTS: dict[str, dict[str, str]] = {
    "bounce": BOUNCED,
    "soft": {"event": "bounce", "bounce": "soft", "message": "452 4.2.2 Mailbox full"},
    "spam": {"event": "spam"},
    "unsubscribe": {"event": "unsubscribe"},
    "delivered": {"event": "delivered"},
    "processed": {"event": "processed"},
}


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


def hook_of(message: Message) -> ProviderHook:
    assert message.credential is not None
    found = ProviderHook.everywhere.filter(credential=message.credential, provider="smtp2go").first()
    return found or factories.make_hook(message.credential, provider="smtp2go")


def call(message: Message, report: str, **fields: str) -> bytes:
    """SMTP2GO's call about a message."""
    facts = {"rcpt": message.recipient, "message-id": message.message_id, "id": f"{message.pk}-{report}"}
    return json.dumps(REPORTS[report] | facts | fields).encode()


def report(desk: Desk, hook: ProviderHook, body: bytes) -> Notice:
    """The notice of a call that came in and was judged."""
    notices.store_call(hook, body, hashlib.sha256(body).digest(), received_at=desk.now)
    notices.process_due(now=desk.now)
    found: Notice = Notice.everywhere.get(credential=hook.credential, dedupe=hashlib.sha256(body).digest())
    assert found.error == ""
    return found


def reread(message: Message) -> Message:
    found: Message = Message.everywhere.get(pk=message.pk)
    return found


def status(message: Message) -> str:
    return str(fresh(message.place[0]).status)


@pytest.mark.parametrize(
    ("which", "ends", "kind", "scopes"),
    [
        ("bounce", "bounced", "hard", ["all"]),
        ("soft", "bounced", "soft", []),
        ("spam", "unsubscribed", "", ["all"]),
        ("unsubscribe", "unsubscribed", "", ["marketing"]),
        ("delivered", "sent", "", []),
        ("processed", "sent", "", []),
    ],
)
def test_a_report_has_the_effect_of_the_mail_of_its_kind(
    desk: Desk, sent: Message, which: str, ends: str, kind: str, scopes: list[str]
) -> None:
    report(desk, hook_of(sent), call(sent, which))
    assert (status(sent), reread(sent).bounce_kind) == (ends, kind)
    assert list(Suppression.everywhere.values_list("scope", flat=True)) == scopes
    assert desk.violations() == []


def test_the_servers_words_are_kept(desk: Desk, sent: Message) -> None:
    report(desk, hook_of(sent), call(sent, "bounce"))
    assert "No such user" in fresh(sent.place[0]).bounce_reason
    made = Feedback.everywhere.get()
    assert (made.kind, made.hard, made.matched_by) == ("bounce", True, "message_id")


def test_a_delivery_proves_that_an_unknown_message_left(desk: Desk) -> None:
    desk.released(1)
    [claimed] = desk.send_due(S.UNKNOWN)
    message = message_of(claimed)
    report(desk, hook_of(message), call(message, "delivered"))
    assert (reread(message).state, reread(message).reason) == (S.ACCEPTED, "evidence_delivery")
    assert not Feedback.everywhere.exists()
    assert desk.violations() == []


def test_the_id_of_amazon_finds_the_message_that_carries_it(desk: Desk, sent: Message) -> None:
    Message.everywhere.update(delivered_message_id="<0100018c-0000@email.amazonses.com>")
    assert sent.credential is not None
    hook = factories.make_hook(sent.credential, provider="amazon_ses")
    bounced = [{"emailAddress": sent.recipient, "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 unknown"}]
    told = {
        "notificationType": "Bounce",
        "bounce": {"bounceType": "Permanent", "bounceSubType": "NoEmail", "bouncedRecipients": bounced},
        "mail": {"messageId": "0100018c-0000", "destination": [sent.recipient]},
    }
    notice = report(desk, hook, json.dumps({"Type": "Notification", "Message": json.dumps(told)}).encode())
    assert (reread(sent).bounce_kind, notice.verdict["matched_by"]) == ("hard", "delivered_id")


# -- What is not believed


@pytest.mark.parametrize(
    "wrong", [{"rcpt": "victim@elsewhere.example"}, {"message-id": "<made.up@own.example>"}, {"rcpt": ""}]
)
def test_another_recipient_or_a_strange_id_changes_nothing(desk: Desk, sent: Message, wrong: dict[str, str]) -> None:
    notice = report(desk, hook_of(sent), call(sent, "bounce", **wrong))
    assert notice.verdict["unmatched"] == "nothing of ours"
    assert status(sent) == "sent"
    assert not Feedback.everywhere.exists()


def test_a_call_about_one_account_never_touches_another(desk: Desk, sent: Message) -> None:
    theirs = factories.make_credential(factories.make_account("Bob"))
    notice = report(desk, factories.make_hook(theirs, provider="smtp2go"), call(sent, "bounce"))
    assert "unmatched" in notice.verdict
    assert status(sent) == "sent"


def test_the_body_of_a_call_is_kept_for_a_replay(desk: Desk, sent: Message) -> None:
    body = call(sent, "bounce", rcpt="victim@elsewhere.example")
    assert bytes(report(desk, hook_of(sent), body).body) == body


def test_the_body_of_good_news_is_not_kept(desk: Desk, sent: Message) -> None:
    """It names its recipient, and there is nothing in it to judge again."""
    assert bytes(report(desk, hook_of(sent), call(sent, "delivered")).body) == b""


# -- Once


@pytest.mark.parametrize("seed", range(3))
def test_every_report_five_times_in_any_order_has_one_effect(desk: Desk, seed: int) -> None:
    desk.released(len(REPORTS), steps=2)
    messages = [message_of(claimed) for claimed in desk.send_due()]
    hook = hook_of(messages[0])
    calls = [call(message, which) for message, which in zip(messages, REPORTS, strict=True)] * 5
    random.Random(seed).shuffle(calls)  # seeded
    for number, body in enumerate(calls):
        # As a provider that repeats itself under new ids does: each is stored, and judged.
        notices.store_call(hook, body, hashlib.sha256(bytes([number])).digest(), received_at=desk.now)
        notices.process_due(now=desk.now)
    assert [status(message) for message in messages] == ["bounced", "bounced", *["unsubscribed"] * 2, "sent", "sent"]
    assert told("bounced") == 2
    assert told("unsubscribed") == 2
    assert Suppression.everywhere.count() == 3
    assert Notice.everywhere.count() == 30
    assert desk.violations() == []


def told(kind: str) -> int:
    return Event.everywhere.filter(type=f"enrollment.{kind}").count()


@pytest.mark.parametrize("mail_first", [True, False])
def test_a_mail_and_a_report_of_the_same_bounce_have_one_effect(desk: Desk, sent: Message, mail_first: bool) -> None:
    mailbox = sent.credential
    assert mailbox is not None

    def by_mail() -> None:
        notices.store_mail(mailbox.pk, sent.account_id, mails.bounce(sent), received_at=desk.now)
        notices.process_due(now=desk.now)

    def by_call() -> None:
        report(desk, hook_of(sent), call(sent, "bounce"))

    for come in (by_mail, by_call) if mail_first else (by_call, by_mail):
        come()
    assert told("bounced") == 1
    assert (reread(sent).bounce_kind, Feedback.everywhere.count()) == ("hard", 2)
    assert desk.violations() == []
