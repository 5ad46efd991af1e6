"""What came back is forgotten in time, and at once when a person asks for it; it is handed out while it is there."""

from datetime import timedelta

import pytest
from django.conf import settings
from pytest_django.fixtures import Settings

from ampout.lib import clock
from dispatch.models import Feedback, Hit, Message, MxVerdict, Notice
from dispatch.rules.consequences import Effect
from dispatch.rules.hits import HitKind
from dispatch.services import deletion, notices, retention, tracking
from dispatch.services.export import export_contact
from dispatch.services.tracking import Visitor
from tests.services import mails
from tests.services.came_back import draw, make_notice
from tests.services.desk import Desk, message_of

CANARY = "canary of a person"


@pytest.fixture
def sent(desk: Desk) -> Message:
    """A message that left."""
    desk.released(1)
    [claimed] = desk.send_due()
    return message_of(claimed)


def reply(desk: Desk, message: Message) -> tuple[Notice, Feedback]:
    """A reply with everything that may name somebody."""
    draw(desk, message, Effect.REPLY, text=CANARY, sender=CANARY, subject=CANARY, evidence=(CANARY,))
    made = Feedback.everywhere.latest("pk")
    kept = {"body": CANARY.encode(), "headers": CANARY, "error": CANARY, "processed_at": desk.now}
    Notice.everywhere.filter(pk=made.notice_id).update(verdict={"kind": "reply", "evidence": [CANARY]}, **kept)
    return Notice.everywhere.get(pk=made.notice_id), made


def assert_forgotten(notice: Notice, feedback: Feedback) -> None:
    notice.refresh_from_db()
    feedback.refresh_from_db()
    assert (bytes(notice.body), notice.headers, notice.error, notice.verdict) == (b"", "", "", {"kind": "reply"})
    assert (feedback.text, feedback.subject, feedback.sender, feedback.evidence) == ("", "", "", [])
    assert (feedback.kind, feedback.matched_by) == ("reply", "message_id")


# -- In time


def test_content_goes_after_its_days_and_the_rows_stay(desk: Desk, sent: Message) -> None:
    notice, feedback = reply(desk, sent)
    desk.wait(days=settings.RETENTION_DAYS)
    assert retention.forget_old(now=desk.now) == 0
    desk.wait(seconds=1)
    assert retention.forget_old(now=desk.now) == 2
    assert_forgotten(notice, feedback)
    assert retention.forget_old(now=desk.now) == 0
    assert desk.violations() == []


def test_who_opened_is_forgotten_as_well(desk: Desk, sent: Message) -> None:
    visitor = Visitor("GET", "Firefox", "203.0.113.0/24")
    label = tracking.record_hit(HitKind.CLICK, sent.pk, visitor, target="https://x.example/", now=desk.now)
    assert retention.forget_old(now=desk.now + timedelta(days=settings.RETENTION_DAYS)) == 0
    assert retention.forget_old(now=desk.now + timedelta(days=settings.RETENTION_DAYS, seconds=1)) == 1
    hit = Hit.everywhere.get()
    assert (hit.url, hit.user_agent, hit.network, hit.label) == ("", "", "", label)
    assert retention.forget_old(now=desk.now + timedelta(days=1_000)) == 0


def test_whom_it_named_is_forgotten_with_it(desk: Desk, sent: Message) -> None:
    notice = make_notice(sent, desk, address_digests=[bytes(sent.recipient_digest)])
    retention.forget_old(now=desk.now + timedelta(days=settings.RETENTION_DAYS, seconds=1))
    notice.refresh_from_db()
    assert notice.address_digests == []


def test_domains_that_nobody_asked_for_any_more_are_forgotten(desk: Desk) -> None:
    long_ago = desk.now - timedelta(days=settings.RETENTION_DAYS, seconds=1)
    for domain, fields in {
        "old.example": {"checked_at": long_ago},
        "recent.example": {"checked_at": desk.now},
        "wanted.example": {"checked_at": long_ago, "wanted_at": desk.now},
        "new.example": {"wanted_at": desk.now},
    }.items():
        MxVerdict.objects.create(domain=domain, **fields)
    assert retention.forget_old(now=desk.now) == 1
    assert not MxVerdict.objects.filter(domain="old.example").exists()


def test_how_long_is_the_operators_choice(desk: Desk, sent: Message, settings: Settings) -> None:
    settings.RETENTION_DAYS = 1
    notice, feedback = reply(desk, sent)
    desk.wait(days=1, seconds=1)
    retention.forget_old(now=desk.now)
    assert_forgotten(notice, feedback)


def test_what_could_never_be_judged_is_given_up_with_its_content(desk: Desk, sent: Message) -> None:
    notice = make_notice(sent, desk)
    desk.wait(days=settings.RETENTION_DAYS, seconds=1)
    retention.forget_old(now=desk.now)
    notice.refresh_from_db()
    assert notice.processed_at == desk.now
    assert notices.process_due(now=desk.now) == 0


def test_it_goes_in_batches(desk: Desk, sent: Message, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    for _ in range(5):
        make_notice(sent, desk)
    desk.wait(days=settings.RETENTION_DAYS, seconds=1)
    assert retention.forget_old(now=desk.now) == 5


def test_the_same_mail_is_not_taken_again_after_its_content_went(desk: Desk, sent: Message) -> None:
    assert sent.credential_id is not None
    raw = mails.reply(sent)
    at = desk.now - timedelta(days=settings.RETENTION_DAYS)
    assert notices.store_mail(sent.credential_id, sent.account_id, raw, received_at=at)
    retention.forget_old(now=clock.utc_now())
    assert bytes(Notice.everywhere.get().body) == b""
    assert not notices.store_mail(sent.credential_id, sent.account_id, raw, received_at=at)


# -- When a person asks for it


def test_an_erasure_leaves_nothing_that_somebody_wrote(desk: Desk, sent: Message) -> None:
    notice, feedback = reply(desk, sent)
    hit = Hit.everywhere.create(
        account=sent.account, message=sent, kind="click", label="human", url=CANARY, user_agent=CANARY, network=CANARY
    )
    assert sent.contact_id is not None
    deletion.erase_contact(desk.account, sent.contact_id, now=desk.now)
    assert_forgotten(notice, feedback)
    hit.refresh_from_db()
    assert (hit.url, hit.user_agent, hit.network, hit.label) == ("", "", "", "human")
    assert desk.violations() == []


def test_whoever_reads_after_an_erasure_leaves_no_trace_of_themselves(desk: Desk, sent: Message) -> None:
    assert sent.contact_id is not None
    deletion.erase_contact(desk.account, sent.contact_id, now=desk.now)
    visitor = Visitor("GET", user_agent=CANARY, network="198.51.100.0/24")
    desk.wait(hours=1)
    tracking.record_hit(HitKind.CLICK, sent.pk, visitor, target="https://canary.example", now=desk.now)
    hit = Hit.everywhere.get()
    assert (hit.url, hit.user_agent, hit.network) == ("", "", "")


def test_an_erasure_leaves_others_alone(desk: Desk, sent: Message) -> None:
    desk.released(1)
    [claimed] = desk.send_due()
    notice, feedback = reply(desk, message_of(claimed))
    assert sent.contact_id is not None
    deletion.erase_contact(desk.account, sent.contact_id, now=desk.now)
    notice.refresh_from_db()
    feedback.refresh_from_db()
    assert (notice.headers, feedback.text) == (CANARY, CANARY)


def test_a_person_gets_what_was_kept(desk: Desk, sent: Message) -> None:
    reply(desk, sent)
    desk.released(1)
    [claimed] = desk.send_due()
    reply(desk, message_of(claimed))
    assert sent.contact is not None
    told = export_contact(sent.contact)
    [feedback] = told["feedback"]
    assert (feedback["kind"], feedback["text"], feedback["message_id"]) == ("reply", CANARY, sent.pk)
    assert told["messages"][0]["bounced_at"] is None


def test_a_person_gets_their_own_opens_and_clicks(desk: Desk, sent: Message) -> None:
    desk.released(1)
    [claimed] = desk.send_due()
    for message in (sent, message_of(claimed)):
        Hit.everywhere.create(account=message.account, message=message, kind="open", label="human", network=CANARY)
    assert sent.contact is not None
    [hit] = export_contact(sent.contact)["hits"]
    assert (hit["message_id"], hit["kind"], hit["network"]) == (sent.pk, "open", CANARY)
