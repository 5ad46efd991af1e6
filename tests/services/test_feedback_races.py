"""What comes back meets a `wire`, an erasure, another notice, on two connections: nobody passes, nobody deadlocks."""

from collections.abc import Callable

import pytest
from django.db import transaction

from ampout.events.models import Event
from ampout.lib import clock
from campaigns.models import Suppression
from dispatch.models import Feedback, Hit, Message, Notice
from dispatch.rules.consequences import Effect
from dispatch.rules.hits import HitKind
from dispatch.services import deletion, evidence, notices, stops, tracking
from dispatch.services.claim import Claim
from dispatch.services.evidence import Resolution
from dispatch.services.tracking import Visitor
from tests import factories
from tests.services import mails
from tests.services.came_back import draw
from tests.services.desk import Desk, S, fresh, message_of
from tests.services.rival import Held, Waiting

pytestmark = pytest.mark.django_db(transaction=True)

E = Effect
STOPPING = [E.REPLY, E.HARD_BOUNCE, E.SOFT_BOUNCE, E.COMPLAINT, E.UNSUBSCRIBE]


def second_step(desk: Desk) -> tuple[Message, Claim]:
    """The first step, sent, and the claim of the second."""
    desk.released(1, steps=2)
    [first] = desk.send_due()
    desk.tick()
    [second] = desk.claim()
    return message_of(first), second


def step_of_another_campaign(desk: Desk) -> tuple[Message, Claim]:
    """A step that was sent, and the claim of another campaign's step to the same person."""
    desk.released(1)
    [first] = desk.send_due()
    other = desk.campaign()
    factories.enroll(other, message_of(first).place[0].contact)
    desk.release(other)
    desk.tick()
    [second] = desk.claim()
    return message_of(first), second


SITUATIONS = [pytest.param(second_step, effect, id=f"next step, {effect}") for effect in STOPPING]
SITUATIONS += [
    pytest.param(step_of_another_campaign, effect, id=f"other campaign, {effect}")
    for effect in STOPPING
    if effect is not E.SOFT_BOUNCE
]
Situation = Callable[[Desk], tuple[Message, Claim]]


@pytest.mark.parametrize(("given", "effect"), SITUATIONS)
def test_a_wire_waits_for_what_came_back_and_then_obeys_it(given: Situation, effect: Effect) -> None:
    desk = Desk()
    sent, claimed = given(desk)
    with Held(lambda: draw(desk, sent, effect)) as coming_back:
        asking = Waiting(lambda: desk.wire(claimed)).until_it_waits()
        coming_back.commit()
        assert asking.result() == set()
    assert message_of(claimed).wire_at is None
    desk.hand_back(claimed)
    assert desk.violations() == []


@pytest.mark.parametrize(("given", "effect"), SITUATIONS)
def test_what_came_back_waits_for_a_wire_and_comes_after_it(given: Situation, effect: Effect) -> None:
    desk = Desk()
    sent, claimed = given(desk)
    with Held(lambda: desk.wire(claimed)) as asking:
        coming_back = Waiting(lambda: draw(desk, sent, effect)).until_it_waits()
        assert asking.commit() == {claimed.message_id}
        coming_back.result()
    assert desk.settle(claimed)
    assert message_of(claimed).state == S.ACCEPTED
    assert desk.violations() == []


# -- Against each other


@pytest.mark.parametrize("second", STOPPING)
@pytest.mark.parametrize("first", STOPPING)
def test_two_notices_about_one_contact_wait_for_each_other(first: Effect, second: Effect) -> None:
    desk = Desk()
    sent, _ = second_step(desk)
    with Held(lambda: draw(desk, sent, first)) as one:
        other = Waiting(lambda: draw(desk, sent, second)).until_it_waits()
        one.commit()
        other.result()
    assert Feedback.everywhere.count() == 2
    told = Event.everywhere.exclude(type="enrollment.sent").values_list("fact", flat=True)
    assert len(told) == len(set(told)) <= 2
    assert desk.violations() == []


def test_crossing_bounces_at_two_addresses_do_not_deadlock() -> None:
    """Each draws two hard bounces, in opposite order: suppression rows are taken in one order."""
    desk = Desk()
    desk.released(2)
    first, second = (message_of(claimed) for claimed in desk.send_due())
    raw = [_report_about(first, second), _report_about(second, first)]
    clock_now = desk.now
    for one in raw:
        assert first.credential_id is not None
        notices.store_mail(first.credential_id, first.account_id, one, received_at=clock_now)
    ids = list(Notice.everywhere.values_list("pk", flat=True))
    with Held(lambda: notices.judge(ids[0], now=clock.utc_now())) as judging:
        other = Waiting(lambda: notices.judge(ids[1], now=clock.utc_now())).until_it_waits()
        judging.commit()
        assert other.result()
    assert Suppression.everywhere.count() == 2
    assert Event.everywhere.filter(type="enrollment.bounced").count() == 2


def _report_about(first: Message, second: Message) -> bytes:
    """One notice that names two recipients."""
    raw = mails.bounce(first).decode()
    block = f"\r\nFinal-Recipient: rfc822; {second.recipient}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    return raw.replace(
        "\r\n\r\n--b\r\nContent-Type: text/rfc822-headers", f"\r\n{block}\r\n--b\r\nContent-Type: text/rfc822-headers"
    ).encode()


# -- Against people


def test_an_erasure_that_comes_first_leaves_a_notice_without_words() -> None:
    desk = Desk()
    sent, claimed = second_step(desk)
    desk.hand_back(claimed)
    stops.unsubscribe_contact(sent.place[0].contact, now=desk.now)
    assert sent.credential_id is not None
    assert sent.contact_id is not None
    contact_id = sent.contact_id
    notices.store_mail(sent.credential_id, sent.account_id, mails.reply(sent), received_at=desk.now)
    [notice] = Notice.everywhere.all()
    with Held(lambda: deletion.erase_contact(desk.account, contact_id, now=desk.now)) as erasing:
        judging = Waiting(lambda: notices.judge(notice.pk, now=clock.utc_now())).until_it_waits()
        erasing.commit()
        assert judging.result()
    made = Feedback.everywhere.get()
    assert (made.text, made.sender, made.subject) == ("", "", "")
    notice.refresh_from_db()
    assert (notice.headers, bytes(notice.body)) == ("", b"")


def test_an_erasure_that_comes_second_clears_what_was_written() -> None:
    desk = Desk()
    sent, claimed = second_step(desk)
    desk.hand_back(claimed)
    assert sent.contact_id is not None
    contact_id = sent.contact_id
    with Held(lambda: draw(desk, sent, E.REPLY, sender="max@x.example")) as judging:
        erasing = Waiting(lambda: deletion.erase_contact(desk.account, contact_id, now=desk.now)).until_it_waits()
        judging.commit()
        erasing.result()
    made = Feedback.everywhere.get()
    assert (made.text, made.sender) == ("", "")


def erased_with(desk: Desk, sent: Message) -> Callable[[], object]:
    """The erasure of the person that a message went to, to be called."""
    assert sent.contact_id is not None
    contact_id = sent.contact_id
    return lambda: deletion.erase_contact(desk.account, contact_id, now=desk.now)


def test_a_reader_meets_an_erasure_and_leaves_no_trace() -> None:
    desk = Desk()
    desk.released(1)
    [claimed] = desk.send_due()
    sent = message_of(claimed)
    visitor = Visitor("GET", user_agent="Mozilla/5.0", network="198.51.100.0/24")
    with Held(erased_with(desk, sent)) as erasing:
        reading = Waiting(lambda: tracking.record_hit(HitKind.OPEN, sent.pk, visitor)).until_it_waits()
        erasing.commit()
        reading.result()
    hit = Hit.everywhere.get()
    assert (hit.user_agent, hit.network) == ("", "")


def test_an_erasure_holds_no_message_while_it_waits_for_a_sequence() -> None:
    desk = Desk()
    desk.released(1)
    [claimed] = desk.send_due()
    sent = message_of(claimed)
    draw(desk, sent, E.REPLY)
    with Held(lambda: stops.lock_enrollments([sent.place[0].pk])) as judging:
        erasing = Waiting(erased_with(desk, sent)).until_it_waits()
        with transaction.atomic():
            assert Message.everywhere.select_for_update(nowait=True, of=("self",)).filter(pk=sent.pk).exists()
        judging.commit()
        erasing.result()


def test_a_proof_and_an_operators_choice_do_not_both_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    monkeypatch.setattr(clock, "utc_now", lambda: desk.now)
    desk.released(1, steps=2)
    [claimed] = desk.send_due(S.UNKNOWN)

    def choose() -> object:
        return evidence.resolve_unknown(claimed.message_id, Resolution.RESEND, actor="olga")

    with Held(choose) as choosing:
        proving = Waiting(
            lambda: evidence.resolve_by_evidence([claimed.message_id], "reply", now=desk.now)
        ).until_it_waits()
        choosing.commit()
        assert proving.result() == 0
    assert message_of(claimed).state == S.PLANNED
    assert fresh(message_of(claimed).place[0]).next_position == 1
