"""From what came back to what follows: stored once, judged once, and one bad notice harms no other."""

import hashlib
from datetime import datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from ampout.events.models import Event
from ampout.lib import clock
from campaigns.models import Suppression
from dispatch.models import Attempt, Feedback, Message, Notice
from dispatch.services import judgement, notices, test_send
from dispatch.services.judgement import Judged
from tests import factories
from tests.services import mails
from tests.services.desk import Desk, S, message_of
from tests.services.judging import assert_nothing_happened, enrollment_of, judged, reread, store
from tests.services.rival import Rival


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


# -- Storing


def test_a_mail_is_stored_as_it_came(desk: Desk, sent: Message) -> None:
    raw = mails.reply(sent)
    assert store(desk, sent, raw)
    notice = Notice.everywhere.get()
    assert (bytes(notice.body), notice.source, notice.received_at) == (raw, "imap", desk.now)
    assert notice.headers == raw.partition(b"\r\n\r\n")[0].decode()
    assert (notice.processed_at, notice.failures, notice.account_id) == (None, 0, sent.account_id)


def test_the_same_mail_in_another_folder_is_stored_once(desk: Desk, sent: Message) -> None:
    raw = mails.reply(sent)
    assert store(desk, sent, raw)
    moved = b"X-Spam: yes\r\nReceived: from mx.own.example\r\n" + raw.replace(b"Subject: Re", b"Subject: [SPAM] Re")
    assert not store(desk, sent, moved)
    assert not store(desk, sent, raw.replace(b"\r\n", b"\n"))
    assert Notice.everywhere.count() == 1


@pytest.mark.parametrize("header", ["Message-ID", "Date", "From"])
def test_what_differs_is_another_mail(desk: Desk, sent: Message, header: str) -> None:
    raw = mails.reply(sent)
    assert store(desk, sent, raw)
    assert store(desk, sent, raw.replace(f"{header}: ".encode(), f"{header}: x".encode()))
    assert store(desk, sent, raw + b"and more")


def test_another_mailbox_stores_its_own_copy(desk: Desk, sent: Message) -> None:
    raw = mails.reply(sent)
    assert store(desk, sent, raw)
    assert store(desk, sent, raw, desk.credential())


ODD_BYTES = {
    "nothing": b"",
    "an empty header": b"\r\n\r\n",
    "no header": b"no header at all",
    "only NUL": b"\x00" * 100,
    "no encoding that there is": b"From: \xff\xfe\x00\r\nSubject: \xed\xa0\x80\r\n\r\n\x00",
    "an encoded NUL": b"Subject: =?utf-8?q?=00?=\r\n\r\n",
    "bare line feeds": b"A: b\n\nbody",
    "a long header": b"x: " + b"y" * 200_000 + b"\r\n\r\nbody",
}


@pytest.mark.parametrize("which", ODD_BYTES)
def test_any_bytes_are_stored_and_judged(desk: Desk, sent: Message, which: str) -> None:
    notice = judged(desk, sent, ODD_BYTES[which])
    assert notice.error == ""
    assert_nothing_happened(sent)


def test_a_mailbox_whose_clock_is_ahead_does_not_put_a_mail_into_the_future(desk: Desk, sent: Message) -> None:
    assert sent.credential_id is not None
    ahead = desk.now + timedelta(days=3)
    notices.store_mail(sent.credential_id, sent.account_id, mails.reply(sent), received_at=ahead)
    assert Notice.everywhere.get().received_at == desk.now


def test_nothing_is_stored_where_the_caller_rolls_back(desk: Desk, sent: Message) -> None:
    raw = mails.reply(sent)
    with transaction.atomic():
        store(desk, sent, raw)
        transaction.set_rollback(True)
    assert store(desk, sent, raw)


def test_a_call_is_stored_once(desk: Desk, sent: Message) -> None:
    assert sent.credential is not None
    hook = factories.make_hook(sent.credential)
    digest = hashlib.sha256(b"one").digest()
    assert notices.store_call(hook, b"{}", digest, received_at=desk.now)
    assert not notices.store_call(hook, b"{}", digest, received_at=desk.now)
    assert Notice.everywhere.get().source == "postmark"


# -- Replies


def test_a_reply_stops_the_sequence(desk: Desk, sent: Message) -> None:
    notice = judged(desk, sent, mails.reply(sent, body="Yes, call me.\n\n> Hello Max\n"))
    assert (enrollment_of(sent).status, enrollment_of(sent).replied_at) == ("replied", desk.now)
    made = Feedback.everywhere.get()
    assert (made.kind, made.text, made.sender, made.subject) == (
        "reply",
        "Yes, call me.",
        sent.recipient,
        "Re: Hello",
    )
    assert (notice.verdict["kind"], notice.verdict["matched_by"]) == ("reply", "message_id")
    assert notice.processed_at == desk.now
    assert bytes(notice.body) != b""
    assert desk.violations() == []


def test_a_reply_without_a_thread_is_matched_by_its_sender(desk: Desk, sent: Message) -> None:
    notice = judged(desk, sent, mails.reply(sent, refers=False))
    assert (enrollment_of(sent).status, notice.verdict["matched_by"]) == ("replied", "sender")


def test_a_reply_from_another_address_is_matched_by_its_thread(desk: Desk, sent: Message) -> None:
    judged(desk, sent, mails.reply(sent, from_email="assistant@elsewhere.example"))
    assert enrollment_of(sent).status == "replied"


def test_a_reply_to_the_delivered_id_is_matched(desk: Desk, sent: Message) -> None:
    Message.everywhere.update(delivered_message_id="<0100-x@email.amazonses.com>")
    raw = mails.reply(sent, from_email="x@elsewhere.example").replace(
        sent.message_id.encode(), b"<0100-x@email.amazonses.com>"
    )
    assert judged(desk, sent, raw).verdict["matched_by"] == "delivered_id"
    assert enrollment_of(sent).status == "replied"


def test_a_reply_that_went_to_another_mailbox_of_the_account_is_matched(desk: Desk, sent: Message) -> None:
    judged(desk, sent, mails.reply(sent), desk.credential())
    assert enrollment_of(sent).status == "replied"


def test_what_a_mail_stops_is_stopped_once_it_is_understood(
    desk: Desk, sent: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then the next step may go: a time before it would look as if it had gone after the stop."""
    store(desk, sent, mails.bounce(sent))
    understand = judgement.judge

    def understand_slowly(notice: Notice, *, now: datetime) -> Judged:
        desk.now += timedelta(seconds=16)
        return understand(notice, now=now)

    monkeypatch.setattr(judgement, "judge", understand_slowly)
    assert notices.process_due() == 1
    assert (enrollment_of(sent).stopped_at, enrollment_of(sent).stop_reason) == (desk.now, "bounced")


def test_a_strangers_mail_is_nothing_of_ours_and_its_body_is_not_kept(desk: Desk, sent: Message) -> None:
    notice = judged(desk, sent, mails.mail("From: eve@elsewhere.example", "Subject: Lunch?", body="Secret.\n"))
    assert (notice.verdict["unmatched"], bytes(notice.body)) == ("nothing of ours", b"")
    assert "Lunch?" in notice.headers
    assert_nothing_happened(sent)


def test_a_mail_that_came_before_we_wrote_is_no_reply(desk: Desk, sent: Message) -> None:
    assert sent.credential_id is not None
    before = desk.now - timedelta(hours=1)
    notices.store_mail(sent.credential_id, sent.account_id, mails.reply(sent, refers=False), received_at=before)
    notices.process_due(now=desk.now)
    assert_nothing_happened(sent)


@pytest.mark.parametrize("from_other_mailbox", [False, True])
def test_our_own_answer_in_the_thread_is_nobodys_reply(desk: Desk, sent: Message, from_other_mailbox: bool) -> None:
    writer = desk.credential(from_email="Other@Own.example").from_email if from_other_mailbox else mails.sender_of(sent)
    notice = judged(desk, sent, mails.reply(sent, from_email=writer))
    assert "unmatched" in notice.verdict
    assert_nothing_happened(sent)


def test_a_mailbox_of_the_account_that_was_written_to_may_reply(desk: Desk) -> None:
    campaign = desk.campaign()
    factories.enroll(campaign, factories.make_contact(desk.account, "other@own.example"))
    desk.credential(from_email="other@own.example")
    desk.release(campaign)
    [claimed] = desk.send_due()
    judged(desk, message_of(claimed), mails.reply(message_of(claimed)))
    assert enrollment_of(message_of(claimed)).status == "replied"


@pytest.mark.parametrize("state", [S.ACCEPTED, S.UNKNOWN])
def test_our_own_message_in_our_own_mailbox_is_no_reply_but_proves_that_it_left(desk: Desk, state: S) -> None:
    """Whoever tries a campaign with an address of their own finds the message itself in the mailbox."""
    mailbox = desk.credential(from_email="ann@own.example")
    campaign = desk.campaign(credentials=[mailbox])
    factories.enroll(campaign, factories.make_contact(desk.account, "ann@own.example"))
    desk.release(campaign)
    [claimed] = desk.send_due(state)
    message = message_of(claimed)
    copy = mails.mail("From: ann@own.example", "To: ann@own.example", f"Message-ID: {message.message_id}", body="Hi\n")
    notice = judged(desk, message, copy)
    assert (notice.verdict["kind"], bytes(notice.body)) == ("own_copy", b"")
    assert (message_of(claimed).state, enrollment_of(message).status) == (S.ACCEPTED, "sent")
    assert not Feedback.everywhere.exists()
    judged(desk, message, mails.reply(message))
    assert enrollment_of(message).status == "replied"
    assert desk.violations() == []


def test_a_reply_resolves_an_unknown_message(desk: Desk) -> None:
    desk.released(1, steps=2)
    [claimed] = desk.send_due(S.UNKNOWN)
    judged(desk, message_of(claimed), mails.reply(message_of(claimed)))
    assert (message_of(claimed).state, message_of(claimed).reason) == (S.ACCEPTED, "evidence_reply")
    assert Attempt.everywhere.filter(is_evidence=True).count() == 1
    assert desk.violations() == []


def test_a_reply_whose_message_is_still_on_the_wire_stops_at_once_and_proves_later(desk: Desk) -> None:
    """Its loop died after the body: the message becomes unknown only once the lease ran out."""
    desk.released(1, steps=2)
    desk.tick()
    [claimed] = desk.claim()
    desk.wire(claimed)
    store(desk, message_of(claimed), mails.reply(message_of(claimed)))
    notices.process_due(now=desk.now)
    assert enrollment_of(message_of(claimed)).status == "replied"
    desk.settle(claimed, S.UNKNOWN)
    desk.wait(seconds=21)
    assert notices.process_due(now=desk.now) == 1
    assert message_of(claimed).state == S.ACCEPTED
    assert Event.everywhere.filter(type="enrollment.replied").count() == 1
    assert desk.violations() == []


def test_a_wish_to_be_left_alone_unsubscribes(desk: Desk, sent: Message) -> None:
    judged(desk, sent, mails.unsubscribe(sent))
    assert (enrollment_of(sent).status, Suppression.everywhere.get().reason) == ("unsubscribed", "unsubscribed")
    assert desk.violations() == []


def test_an_automatic_reply_stops_nothing_and_its_day_is_waited_for(desk: Desk, sent: Message) -> None:
    back = desk.now + timedelta(days=10)
    judged(desk, sent, mails.auto_reply(sent, back_on=mails.in_words(back)))
    enrolled = enrollment_of(sent)
    assert (enrolled.status, enrolled.stopped_at, enrolled.wait_reason) == ("sent", None, "out_of_office")
    assert enrolled.next_due_at == back + timedelta(days=1)
    assert Feedback.everywhere.get().return_date == back.date()
    assert desk.violations() == []


def test_an_answer_that_is_too_early_is_judged_a_moment_later(desk: Desk) -> None:
    desk.released(1, steps=2)
    desk.tick()
    [claimed] = desk.claim()
    desk.wire(claimed)
    back = mails.in_words(desk.now + timedelta(days=10))
    assert store(desk, message_of(claimed), mails.auto_reply(message_of(claimed), back_on=back))
    assert notices.process_due(now=desk.now) == 0
    assert (Notice.everywhere.get().failures, Notice.everywhere.get().processed_at) == (0, None)
    desk.settle(claimed)
    desk.wait(seconds=21)
    assert notices.process_due(now=desk.now) == 1
    assert enrollment_of(message_of(claimed)).wait_reason == "out_of_office"


# -- Bounces


def test_a_bounce_is_the_end_of_its_address(desk: Desk, sent: Message) -> None:
    judged(desk, sent, mails.bounce(sent))
    assert (reread(sent).bounce_kind, enrollment_of(sent).status) == ("hard", "bounced")
    assert "No such user here" in enrollment_of(sent).bounce_reason
    assert Suppression.everywhere.get().reason == "hard_bounce"
    assert Feedback.everywhere.get().hard
    assert desk.violations() == []


def test_a_full_mailbox_suppresses_nobody(desk: Desk, sent: Message) -> None:
    judged(desk, sent, mails.bounce(sent, status="5.2.2", diagnostic="552 5.2.2 Mailbox full"))
    assert (reread(sent).bounce_kind, enrollment_of(sent).status) == ("soft", "bounced")
    assert not Suppression.everywhere.exists()


def test_a_delay_judges_nobody(desk: Desk, sent: Message) -> None:
    judged(desk, sent, mails.delay(sent))
    assert enrollment_of(sent).status == "sent"
    assert (Feedback.everywhere.get().kind, reread(sent).bounce_kind) == ("delay", "")


def test_a_bounce_without_the_original_is_matched_by_its_recipient(desk: Desk, sent: Message) -> None:
    notice = judged(desk, sent, mails.bounce(sent, original=""))
    assert (reread(sent).bounce_kind, notice.verdict["matched_by"]) == ("hard", "recipient")


def test_the_address_in_a_bounce_may_be_spelt_in_capitals(desk: Desk, sent: Message) -> None:
    judged(desk, sent, mails.bounce(sent, recipient=sent.recipient.upper(), original=""))
    assert reread(sent).bounce_kind == "hard"


def test_the_address_a_mail_was_first_sent_to_is_that_of_its_message(desk: Desk, sent: Message) -> None:
    """The failed one lies behind it, so ours is not suppressed for it."""
    raw = mails.bounce(sent, recipient="behind@elsewhere.example", original="")
    named = f"Original-Recipient: rfc822; {sent.recipient}\nFinal-Recipient:".encode()
    judged(desk, sent, raw.replace(b"Final-Recipient:", named))
    assert (reread(sent).bounce_kind, Suppression.everywhere.exists()) == ("soft", False)


def test_a_return_path_tells_its_message_whatever_else_is_missing(desk: Desk) -> None:
    desk.released(1, credentials=[desk.credential(plus_addressing=True)])
    [claimed] = desk.send_due()
    message = message_of(claimed)
    path = mails.return_path_of(message, settings.DIGEST_KEY)
    notice = judged(desk, message, mails.bounce(message, original="", to=path))
    assert (reread(message).bounce_kind, notice.verdict["matched_by"]) == ("hard", "token")


def test_an_address_behind_ours_is_not_held_against_ours(desk: Desk, sent: Message) -> None:
    judged(desk, sent, mails.bounce(sent, recipient="max.old@elsewhere.example"))
    assert (reread(sent).bounce_kind, enrollment_of(sent).status) == ("soft", "bounced")
    assert not Suppression.everywhere.exists()
    assert desk.violations() == []


def test_a_complaint_is_the_end_of_every_path(desk: Desk, sent: Message) -> None:
    judged(desk, sent, mails.complaint(sent))
    assert (reread(sent).complained_at, enrollment_of(sent).status) == (desk.now, "unsubscribed")
    assert Suppression.everywhere.get().reason == "complaint"
    assert desk.violations() == []


def test_a_returned_test_message_is_matched(desk: Desk) -> None:
    test_send.send_test(desk.account, desk.campaign().pk, ["tester@own.example"], now=desk.now)
    [claimed] = desk.send_due()
    judged(desk, message_of(claimed), mails.bounce(message_of(claimed)))
    assert message_of(claimed).bounce_kind == "hard"


# -- Once


def test_the_same_fact_by_two_mails_has_one_effect(desk: Desk, sent: Message) -> None:
    judged(desk, sent, mails.bounce(sent))
    judged(desk, sent, mails.bounce(sent, original=""))
    assert Event.everywhere.filter(type="enrollment.bounced").count() == 1
    assert Feedback.everywhere.filter(kind="bounce").count() == 2
    assert desk.violations() == []


def test_a_notice_is_judged_once(desk: Desk, sent: Message) -> None:
    notice = judged(desk, sent, mails.reply(sent))
    assert notices.process_due(now=desk.now + timedelta(days=1)) == 0
    assert not notices.judge(notice.pk, now=desk.now)


def test_the_number_of_queries_for_a_notice_is_bounded(desk: Desk, sent: Message) -> None:
    store(desk, sent, mails.reply(sent))
    with CaptureQueriesContext(connection) as queries:
        notices.process_due(now=desk.now)
    assert len(queries) <= 32


# -- One bad notice harms no other


def bad(desk: Desk, message: Message) -> Notice:
    """A call that nobody can read."""
    assert message.credential is not None
    hook = factories.make_hook(message.credential)
    notices.store_call(hook, b"[", hashlib.sha256(b"bad").digest(), received_at=desk.now - timedelta(hours=1))
    found: Notice = Notice.everywhere.get(source="postmark")
    return found


def test_one_that_cannot_be_judged_backs_off_and_keeps_its_error(desk: Desk, sent: Message) -> None:
    notice = bad(desk, sent)
    store(desk, sent, mails.reply(sent))
    assert notices.process_due(now=desk.now) == 1
    assert enrollment_of(sent).status == "replied"
    notice.refresh_from_db()
    assert (notice.processed_at, notice.failures) == (None, 1)
    assert notice.error.startswith("InvalidJson: ")
    assert notice.next_try_at == desk.now + timedelta(minutes=1)


def test_it_is_tried_again_at_longer_and_longer_intervals(desk: Desk, sent: Message) -> None:
    notice = bad(desk, sent)
    waits = []
    for _ in range(14):
        notices.process_due(now=desk.now)
        notice.refresh_from_db()
        waits.append((notice.next_try_at - desk.now) / timedelta(minutes=1))
        desk.now = notice.next_try_at
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == 24 * 60


def test_what_a_dead_process_had_claimed_is_judged_after_a_minute(desk: Desk, sent: Message) -> None:
    store(desk, sent, mails.reply(sent))
    with connection.cursor() as cursor:
        cursor.execute(notices._CLAIM, {"now": desk.now, "limit": 25})  # what a crash leaves behind
    assert notices.process_due(now=desk.now + timedelta(seconds=59)) == 0
    assert notices.process_due(now=desk.now + timedelta(seconds=60)) == 1
    assert enrollment_of(sent).status == "replied"


@pytest.mark.django_db(transaction=True)
def test_one_in_other_hands_is_left_to_them(desk: Desk, sent: Message) -> None:
    store(desk, sent, mails.reply(sent))
    store(desk, sent, mails.reply(sent, refers=False))
    taken = Notice.everywhere.order_by("pk").first()
    assert taken is not None
    with Rival() as rival:
        rival.run("SELECT 1 FROM dispatch_notice WHERE id = %s FOR UPDATE", taken.pk)
        assert notices.process_due(now=desk.now) == 1
        assert not notices.judge(taken.pk, now=desk.now)
        rival.commit()
    assert notices.process_due(now=desk.now) == 1


def test_many_are_judged_in_one_go_and_no_more_than_asked_for(desk: Desk, sent: Message) -> None:
    for _ in range(30):
        store(desk, sent, mails.reply(sent))
    assert notices.process_due(limit=10, now=desk.now) == 10
    assert notices.process_due(now=desk.now) == 20
    assert Event.everywhere.filter(type="enrollment.replied").count() == 1


# -- Health


def test_health_is_judged_before_the_next_notice(desk: Desk) -> None:
    campaign = desk.released(10, bounce_rate_min_sends=5)
    messages = [message_of(claimed) for claimed in desk.send_due()]
    for message in messages[:3]:
        judged(desk, message, mails.bounce(message))
    assert messages[0].credential is not None
    messages[0].credential.refresh_from_db()
    campaign.refresh_from_db()
    assert messages[0].credential.disabled_at == desk.now
    assert Event.everywhere.filter(type="credential.disabled").count() == 1
    assert (campaign.status, campaign.pause_reason) == ("paused", "all_credentials_disabled")
    assert Event.everywhere.filter(type="campaign.paused").count() == 1
