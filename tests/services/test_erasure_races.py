"""An erasure and its rivals take rows in one order: each is seen to wait at the first row while the others are free."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, models, transaction

from ampout.events.gateways.webhook_call import CallResult
from ampout.events.models import Event, WebhookAttempt, WebhookDelivery
from ampout.events.rules.retry import Answer
from ampout.events.services.outcomes import Outcome, record_outcomes
from ampout.events.services.read_log import read_log
from ampout.lib import dice
from campaigns.models import Contact, Enrollment
from campaigns.rules.suppression import SuppressionReason
from dispatch.models import Attempt, Feedback, Hit, Message
from dispatch.rules.consequences import Effect
from dispatch.services import consequences, deletion, erasure, stops
from tests import factories
from tests.services.came_back import draw
from tests.services.desk import Desk, S, fresh, message_of
from tests.services.rival import Held, Rival, Waiting

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk() -> Desk:
    """Each test has its own, as rivals see only what is committed."""
    return Desk()


@pytest.fixture
def sent(desk: Desk) -> Message:
    """A message with two rows of everything that an erasure clears."""
    desk.released(1, steps=2)
    [claimed] = desk.send_due(reply_text="250 ok")
    message = message_of(claimed)
    for effect in (Effect.NOTHING, Effect.REPLY):
        draw(desk, message, effect)
    facts = {"account": desk.account, "message": message}
    Attempt.everywhere.create(**facts, fence=9, ended_at=desk.now, is_evidence=True)
    for _ in range(2):
        Hit.everywhere.create(**facts, kind="open", label="human", evidence="x", user_agent="y")
    return message


def erase(desk: Desk, message: Message) -> Callable[[], object]:
    assert message.contact_id is not None
    contact_id = message.contact_id
    return lambda: deletion.erase_contact(desk.account, contact_id, now=desk.now)


def is_free(model: type[models.Model], pk: Any) -> bool:
    """Whether nobody holds this row."""
    column, table = model._meta.pk.column, model._meta.db_table
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f'SELECT 1 FROM "{table}" WHERE {column} = %s FOR UPDATE SKIP LOCKED', [pk])
        return cursor.fetchone() is not None


def assert_waits_at_the_first(model: type[models.Model], call: Callable[[], object]) -> None:
    """The call waits for the row with the lowest key, and holds none above it, however the rows lie in the table."""
    column, table = model._meta.pk.column, model._meta.db_table
    first, *others = sorted(model._base_manager.values_list("pk", flat=True))
    assert others
    with connection.cursor() as cursor:
        # Written anew, it lies behind the others.
        cursor.execute(f'UPDATE "{table}" SET {column} = {column} WHERE {column} = %s', [first])
    with Rival() as rival:
        rival.run(f'SELECT 1 FROM "{table}" WHERE {column} = %s FOR NO KEY UPDATE', first)
        waiting = Waiting(call).until_it_waits()
        assert all(is_free(model, other) for other in others)
        rival.commit()
        waiting.result()


@pytest.mark.parametrize("model", [Attempt, Feedback, Hit, Event])
def test_an_erasure_takes_rows_by_their_ids(desk: Desk, sent: Message, model: type[models.Model]) -> None:
    assert_waits_at_the_first(model, erase(desk, sent))


def test_a_reader_of_the_log_takes_events_by_their_numbers(desk: Desk, sent: Message) -> None:
    assert sent.account_id == desk.account.pk
    assert_waits_at_the_first(Event, lambda: read_log(desk.account.pk, 0, ["enrollment.sent"], 10))


def test_a_domains_contacts_are_taken_by_their_ids(desk: Desk) -> None:
    for name in ("a", "b", "c"):
        factories.make_contact(desk.account, f"{name}@rival.example")

    def suppress() -> None:
        everybody = [stops.domain_target("rival.example")]
        stops.suppress_all(desk.account.pk, everybody, SuppressionReason.UNSUBSCRIBED, now=desk.now)

    assert_waits_at_the_first(Contact, suppress)
    assert not Contact.everywhere.filter(unsubscribed_at=None).exists()


def test_nobody_who_is_enrolled_meanwhile_is_locked_after_the_messages(
    desk: Desk, sent: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = desk.campaign()
    resolve = consequences._resolve_unknown

    def enroll_meanwhile(*facts: Any) -> None:
        factories.enroll(other, sent.place[0].contact)
        resolve(*facts)

    monkeypatch.setattr(consequences, "_resolve_unknown", enroll_meanwhile)
    draw(desk, sent, Effect.REPLY)
    assert Enrollment.everywhere.get(campaign=other).stopped_at is None


# -- What is written while an erasure is under way


def test_a_late_reply_waits_for_the_erasure_and_says_nothing(desk: Desk) -> None:
    desk.released(1, steps=2)
    [claimed] = desk.send_due(S.UNKNOWN)
    with Held(erase(desk, message_of(claimed))) as erasing:
        late = Waiting(lambda: desk.settle(claimed, reply_text="250 <a@b.example>", subject="Hello")).until_it_waits()
        erasing.commit()
        late.result()
    message = message_of(claimed)
    assert (message.state, message.reply_text, message.subject) == (S.ACCEPTED, "", "")
    assert set(Attempt.everywhere.values_list("reply_text", flat=True)) == {""}
    assert desk.violations() == []


def test_what_is_told_after_waiting_for_an_erasure_names_nobody(desk: Desk) -> None:
    desk.released(1, steps=2)
    [claimed] = desk.send_due()
    message = message_of(claimed)
    with Held(erase(desk, message)) as erasing:
        answering = Waiting(lambda: draw(desk, message, Effect.HARD_BOUNCE)).until_it_waits()
        erasing.commit()
        answering.result()
    told = Event.everywhere.get(type="enrollment.bounced").data
    assert (told["contact_email"], told["bounce_reason"]) == (None, "returned")
    assert fresh(message.place[0]).bounce_reason == "returned"


def test_a_receiver_that_repeats_what_it_was_told_waits_and_is_not_written_down(desk: Desk, sent: Message) -> None:
    endpoint = factories.make_webhook(desk.account, created_at=desk.now - timedelta(days=1))
    event = Event.everywhere.filter(type="enrollment.sent").get()
    delivery = WebhookDelivery.everywhere.create(account=desk.account, endpoint=endpoint, event=event, due_at=desk.now)
    outcome = Outcome(
        *(delivery.pk, endpoint.pk, 1, desk.now, desk.now),
        CallResult(Answer(500), error="500", excerpt=str(event.data)),
    )
    with Held(erase(desk, sent)) as erasing:
        hearing = Waiting(lambda: record_outcomes([outcome], rng=dice.new_rng())).until_it_waits()
        erasing.commit()
        hearing.result()
    assert WebhookAttempt.everywhere.get().response_excerpt == ""


def test_a_notice_in_the_hands_of_its_judge_is_left_to_the_next_tick(desk: Desk, sent: Message) -> None:
    notice_id: uuid.UUID = Feedback.everywhere.earliest("pk").notice_id
    with Rival() as judge:
        judge.run("SELECT 1 FROM dispatch_notice WHERE id = %s FOR UPDATE", notice_id)
        assert erase(desk, sent)() is False
        assert erasure.clear_late_ones(now=desk.now) == 0
    assert erasure.clear_late_ones(now=desk.now) == 1
    assert erase(desk, sent)() is True
